-- Which functions and views the database has.
-- No parameters
-- -> sha256, at most one row
-- Callers: ctl/migrate.c
SELECT sha256 FROM orch.schema_code
