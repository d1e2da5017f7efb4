-- M-5: claims what is due for watches in production: probes, reports, rollbacks.
-- $1 process, $2 epoch, $3 limit of probes
-- -> what, id, token, method, target, sha, body, work_item, title, repo, location, default_branch, branch, head_sha,
--    docs_dir, dir, initiated, check_command, token_file
-- Callers: workerd/watch.c
SELECT what, id, token, method, target, sha, body, work_item, title, repo, location, default_branch, branch, head_sha,
       docs_dir, dir, initiated, check_command, token_file
FROM orch.watch_claim($1::bigint, $2::bigint, $3::int)
