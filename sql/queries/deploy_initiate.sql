-- M-3, phase B: commits that the deploy begins, before its command is started.
-- $1 job, $2 epoch, $3 token, $4 state folder of this host
-- -> answer (start, already, nothing or fenced), dir
-- Callers: workerd/job_deploy.c
SELECT answer, dir
FROM orch.deploy_initiate($1::bigint, $2::bigint, $3::uuid, $4::text)
