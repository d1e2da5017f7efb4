-- One migrator at a time works on a database: the lock ends with its session. The number spells "orchmig".
-- No parameters
-- -> locked
-- Callers: ctl/migrate.c
SELECT pg_try_advisory_lock(x'6f7263686d6967'::bigint) AS locked
