-- The number of the last migration that was applied.
-- -> version
-- Callers: web/status.c
SELECT orch.schema_version() AS version
