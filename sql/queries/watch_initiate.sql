-- M-5: commits that a rollback begins, before its command is started.
-- $1 record, $2 token, $3 state folder of this host
-- -> answer (start, already or fenced), dir
-- Callers: workerd/watch_rollback.c
SELECT answer, dir
FROM orch.watch_initiate($1::bigint, $2::uuid, $3::text)
