-- One migrator at a time works on a database: the lock ends with its session. The number spells "orchmig".
-- Behind a pooler the session is not the client's, and the lock would stay with a stranger: then none is taken.
-- $1 number of the server process that the client believes to talk to
-- -> locked (null: behind a pooler)
-- Callers: ctl/migrate.c
SELECT CASE WHEN pg_backend_pid() = $1::integer THEN pg_try_advisory_lock(x'6f7263686d6967'::bigint) END AS locked
