-- What runs, what waits and for what, as JSON text ready to be sent.
-- -> body
-- Callers: web/status.c
SELECT orch.queue_snapshot()::text AS body
