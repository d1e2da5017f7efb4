-- Notes which functions and views the database has, in the transaction that makes them.
-- $1 sha256
-- No rows
-- Callers: ctl/migrate.c
INSERT INTO orch.schema_code (sha256)
VALUES ($1::text)
ON CONFLICT (one) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()
