-- R-2, I-3: wants what is asked of the services outside from time to time. One process at a time does it.
-- $1 limit
-- -> wanted
-- Callers: reconcilerd/sweep.c
SELECT wanted FROM orch.reconcile_outside($1::int)
