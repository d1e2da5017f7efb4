-- The limits that were set.
-- No parameters
-- -> jsonb {limits: [{scope, name, slots, changed_at, changed_by}]}, one row
-- Callers: ctl/cmd_limit.c
SELECT orch.limit_list()
