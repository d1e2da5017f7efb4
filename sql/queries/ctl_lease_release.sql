-- Releases the transition lease of a task by force.
-- $1 work item
-- -> jsonb: the leases that are left, with a message
-- Callers: ctl/cmd_lease.c
SELECT orch.lease_release($1::text)
