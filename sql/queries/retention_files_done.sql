-- Says that it is removed.
-- $1 process, $2 epoch, $3 files, deploys or commits, $4 runs (array of ids as text: {1,2})
-- -> noted: how many
-- Callers: reaperd/keeper.c
SELECT orch.retention_files_done($1::bigint, $2::bigint, $3::text, $4::bigint[]) AS noted
