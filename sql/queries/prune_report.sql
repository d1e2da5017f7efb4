-- Says how a run of the cache pruner of this host went.
-- $1 process, $2 epoch, $3 whether it failed, $4 why
-- -> changed: the one before went otherwise
-- Callers: reaperd/pruner.c
SELECT orch.prune_report($1::bigint, $2::bigint, $3::boolean, $4::text) AS changed
