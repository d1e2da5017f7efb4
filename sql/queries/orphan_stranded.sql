-- The host of an orphan has had no worker for takeover_after: the job is given back.
-- $1 job, $2 its epoch, $3 evidence, $4 since_us of the orphan
-- -> lost: false when it is no orphan any more, or another one, or its host has a worker again
-- Callers: reaperd/sweep_orphans.c
SELECT orch.orphan_stranded($1::bigint, $2::bigint, $3::text, $4::bigint) AS lost
