-- B-6: looks for deadlocks and starving jobs. One process at a time does it.
-- $1 limit
-- -> deadlocks, starving
-- Callers: reconcilerd/sweep.c
SELECT deadlocks, starving
FROM orch.waits_check($1::int)
