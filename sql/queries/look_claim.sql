-- Takes looks that are due, each under a fence of its own.
-- $1 process, $2 epoch, $3 limit
-- -> project_id, kind, object, token, parts, adapter, endpoint
-- Callers: workerd/looks.c
SELECT project_id, kind, object, token, parts, adapter, endpoint
FROM orch.look_claim($1::bigint, $2::bigint, $3::int)
