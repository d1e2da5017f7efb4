-- Says what the job is about to do, before it does it, and asks whether the claim still stands.
-- $1 job, $2 epoch, $3 token, $4 push, test or merge, $5 head, $6 base ('': none)
-- -> held: false means fenced; stop, write nothing
-- Callers: workerd/job_collect.c
SELECT orch.job_intent($1::bigint, $2::bigint, $3::uuid, $4::text, $5::text, $6::text) AS held
