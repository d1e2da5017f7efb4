-- A process leaves: jobs whose shim may live become orphans, the rest is released.
-- $1 process, $2 epoch
-- -> jobs: how many
-- Callers: common/process_row.c
SELECT orch.process_handover($1::bigint, $2::bigint) AS jobs
