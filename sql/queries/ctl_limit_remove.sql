-- Takes a limit away.
-- $1 scope, $2 name (null for global)
-- -> jsonb {limits, message}
-- Callers: ctl/cmd_limit.c
SELECT orch.limit_remove($1::text, $2::text)
