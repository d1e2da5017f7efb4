-- Running jobs of this host and boot whose owner is gone.
-- $1 process, $2 epoch
-- -> job_id, epoch
-- Callers: workerd/adoption.c
SELECT job_id, epoch
FROM orch.orphans($1::bigint, $2::bigint)
