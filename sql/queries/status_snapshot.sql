-- The live tasks, as JSON text ready to be sent.
-- -> body
-- Callers: web/status.c
SELECT orch.status_snapshot()::text AS body
