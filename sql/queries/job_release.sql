-- Gives a claimed job back unfinished; the attempt is refunded.
-- $1 job, $2 epoch, $3 token, $4 reason
-- -> released: false means fenced
-- Callers: workerd/job_finish.c
SELECT orch.job_release($1::bigint, $2::bigint, $3::uuid, $4::text) AS released
