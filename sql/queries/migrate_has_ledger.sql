-- Whether any migration was ever applied to this database.
-- No parameters
-- -> has_ledger
-- Callers: ctl/migrate.c
SELECT to_regclass('orch.schema_migration') IS NOT NULL AS has_ledger
