-- Records that the job's process runs, and asks whether the claim still stands.
-- $1 job, $2 epoch, $3 token, $4 pid, $5 log, $6 base commit, $7 the promise for its shim, in ms, $8 session of the agent,
-- $9 session that it goes on from
-- -> held: false means fenced; stop, write nothing
-- Callers: workerd/job_start.c, workerd/job_agent.c, workerd/job_collect.c
SELECT orch.job_started($1::bigint, $2::bigint, $3::uuid, $4::int, $5::text, $6::text, $7::int, $8::uuid, $9::uuid)
       AS held
