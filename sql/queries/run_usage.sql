-- Tells what a run has used so far.
-- $1 job, $2 epoch, $3 token, $4 what was used (jsonb)
-- -> held: false means fenced
-- Callers: workerd/job_follow.c
SELECT orch.run_usage($1::bigint, $2::bigint, $3::uuid, $4::jsonb) AS held
