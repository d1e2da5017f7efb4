-- What runs, what waits and for what, as JSON text ready to be sent.
-- -> body
-- Callers: webhookd/status.c
SELECT orch.queue_snapshot()::text AS body
