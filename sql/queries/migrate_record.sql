-- Notes a migration, in the transaction that applies it.
-- $1 version, $2 name, $3 sha256
-- No rows
-- Callers: ctl/migrate.c
INSERT INTO orch.schema_migration (version, name, sha256)
VALUES ($1::int, $2::text, $3::text)
