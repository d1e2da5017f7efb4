-- The live tasks, as JSON text ready to be sent.
-- -> body
-- Callers: webhookd/status.c
SELECT orch.status_snapshot()::text AS body
