-- What agents used and cost.
-- $1 days
-- -> jsonb, one row
-- Callers: ctl/cmd_usage.c
SELECT orch.usage($1::int)
