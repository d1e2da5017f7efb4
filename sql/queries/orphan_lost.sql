-- An orphan has no live shim and no status on its host: it is given back.
-- $1 process, $2 epoch, $3 job, $4 epoch of the job, $5 evidence
-- -> lost: false when it is no orphan any more
-- Callers: reaperd/sweep_orphans.c
SELECT orch.orphan_lost($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::text) AS lost
