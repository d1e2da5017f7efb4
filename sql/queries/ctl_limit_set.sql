-- Limits how many jobs run at once.
-- $1 scope, $2 name (null for global), $3 slots
-- -> jsonb {limits, message}
-- Callers: ctl/cmd_limit.c
SELECT orch.limit_set($1::text, $2::text, $3::int)
