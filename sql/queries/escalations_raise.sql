-- P-5: repeats alerts that nobody has acknowledged, twice at most.
-- $1 limit
-- -> raised
-- Callers: reconcilerd/sweep.c
SELECT orch.escalations_raise($1::int) AS raised
