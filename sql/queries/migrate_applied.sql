-- The migrations that were applied, oldest first.
-- No parameters
-- -> version, name, sha256, applied_at (ISO 8601, UTC)
-- Callers: ctl/migrate.c
SELECT version, name, sha256, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS applied_at
FROM orch.schema_migration
ORDER BY version
