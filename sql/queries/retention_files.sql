-- What of runs is to be removed from this host now.
-- $1 process, $2 epoch, $3 files, deploys or commits
-- -> run_id (of deploys: the record), job_id, epoch, repo, over
-- Callers: reaperd/keeper.c
SELECT run_id, job_id, epoch, repo, over FROM orch.retention_files($1::bigint, $2::bigint, $3::text)
