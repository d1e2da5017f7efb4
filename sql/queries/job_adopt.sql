-- Takes an orphan over: the same epoch under a new token.
-- $1 process, $2 epoch, $3 job, $4 epoch of the job
-- -> no row (somebody else was faster), or what job_claim answers; base_sha is of the run's start
-- Callers: workerd/adoption.c
SELECT job_id, epoch, token, task_id, work_item, title, description, role, kind, stage, stage_version, attempt,
       max_attempts, input, branch, head_sha, repo, forge, forge_location, default_branch, docs_dir, test_command,
       crashed, base_sha, failed_log, earlier, command, test_globs, gate_config_globs,
       session_id, resumes, former_sessions, announced,
       pushing, run_head, tested_base, tested, deployed_sha, integrity_markers, integrity, rebase_always,
       forge_url, forge_token_file, forge_name
FROM orch.job_adopt($1::bigint, $2::bigint, $3::bigint, $4::bigint)
