-- Lets the jobs of a provider go on.
-- $1 provider
-- -> jsonb {providers, message}
-- Callers: ctl/cmd_limit.c
SELECT orch.circuit_close($1::text)
