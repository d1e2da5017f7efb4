-- M-3: what a releaser or finalizer must know of the deploy of its task.
-- $1 job, $2 epoch, $3 token
-- -> record, sha, host, boot_id, dir, command, status, exit_code, reason, check_command; no row: the claim is over
-- Callers: workerd/job_deploy.c, workerd/job_finalize.c
SELECT record, sha, host, boot_id, dir, command, status, exit_code, reason, check_command
FROM orch.deploy_look($1::bigint, $2::bigint, $3::uuid)
