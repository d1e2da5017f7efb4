-- Records how an attempt ended. The same (job, epoch, token) again answers as the first time.
-- $1 job, $2 epoch, $3 token, $4 outcome, $5 report (jsonb)
-- -> answer: recorded | fenced
-- Callers: workerd/job_finish.c
SELECT orch.job_finish($1::bigint, $2::bigint, $3::uuid, $4::text, $5::jsonb) AS answer
