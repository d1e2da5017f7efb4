-- The transition leases that are held.
-- -> jsonb {leases: [{work_item, repo, purpose, host, pid, alive, taken_at, held_s}]}, one row
-- Callers: ctl/cmd_lease.c
SELECT orch.lease_list()
