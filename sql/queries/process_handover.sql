-- A worker leaves and its shims live on: their jobs become orphans, the rest is released.
-- $1 process, $2 epoch
-- -> jobs: how many
-- Callers: workerd/worker.c
SELECT orch.process_handover($1::bigint, $2::bigint) AS jobs
