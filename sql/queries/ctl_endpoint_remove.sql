-- Forgets a service outside that no project uses.
-- $1 name
-- -> jsonb {endpoints, message}
-- Callers: ctl/cmd_endpoint.c
SELECT orch.endpoint_remove($1::text)
