-- Takes back jobs that are older than the ceiling, and leases that nobody alive holds.
-- $1 limit
-- -> jobs: how many were taken back
-- Callers: reaperd/sweep.c
SELECT orch.reap_overdue($1::int) AS jobs
