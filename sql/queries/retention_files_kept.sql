-- Says why a folder stays.
-- $1 process, $2 epoch, $3 run, $4 reason, $5 files or deploys
-- -> noted
-- Callers: reaperd/keeper_files.c
SELECT orch.retention_files_kept($1::bigint, $2::bigint, $3::bigint, $4::text, $5::text) AS noted
