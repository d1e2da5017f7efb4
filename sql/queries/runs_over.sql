-- Which claims are over, of those whose run folders are still there.
-- $1 jobs, $2 their epochs (arrays of ids as text: {1,2})
-- -> job_id, epoch
-- Callers: workerd/leftovers.c
SELECT job_id, epoch
FROM orch.runs_over($1::bigint[], $2::bigint[])
