-- Says which commit a claim is about to push, and asks whether the claim still stands.
-- $1 job, $2 epoch, $3 token, $4 commit
-- -> held: false means fenced; stop, write nothing
-- Callers: workerd/job_collect.c
SELECT orch.job_pushing($1::bigint, $2::bigint, $3::uuid, $4::text) AS held
