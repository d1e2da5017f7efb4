-- The number of the last migration that was applied.
-- -> version
-- Callers: webhookd/status.c
SELECT orch.schema_version() AS version
