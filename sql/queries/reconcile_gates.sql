-- R-1, R-3: what stands still, and need not. One process at a time does it.
-- $1 limit
-- -> examined, advanced, skipped; and of those skipped by their reason: terminal, escalated, lease, human, busy, red
-- Callers: reconcilerd/sweep.c
SELECT examined, advanced, skipped, terminal, escalated, lease, human, busy, red
FROM orch.reconcile_gates($1::int)
