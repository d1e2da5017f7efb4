-- M-5: stores what came of a probe, a report or a rollback.
-- $1 what, $2 id, $3 token, $4 result
-- -> answer: recorded or fenced
-- Callers: workerd/watch.c
SELECT orch.watch_finish($1::text, $2::bigint, $3::uuid, $4::jsonb) AS answer
