-- F-1: moves on the tasks whose gate is green though nobody told us. One process at a time does it.
-- $1 limit
-- -> examined, advanced, skipped
-- Callers: reconcilerd/sweep.c
SELECT examined, advanced, skipped
FROM orch.reconcile_gates($1::int)
