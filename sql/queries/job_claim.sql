-- Takes the next jobs that may run, and gives everything that is needed to run each.
-- $1 process, $2 epoch, $3 how many at most: free slots
-- -> a row for each job that is under a new claim (job_id, epoch, token) now
-- Callers: workerd/worker.c
SELECT job_id, epoch, token, task_id, work_item, title, description, role, kind, stage, stage_version, attempt,
       max_attempts, input, branch, head_sha, repo, forge, forge_location, default_branch, docs_dir, test_command,
       crashed, base_sha, failed_log, earlier, command, test_globs, gate_config_globs,
       session_id, resumes, former_sessions, announced,
       pushing, run_head, tested_base, tested, deployed_sha, integrity_markers, integrity, rebase_always,
       forge_url, forge_token_file, forge_name
FROM orch.job_claim($1::bigint, $2::bigint, $3::int)
