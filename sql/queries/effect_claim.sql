-- Takes effects that are due, in order per object, each under a claim of its own.
-- $1 process, $2 epoch, $3 limit
-- -> effect_id, epoch, token, port, kind, object_key, payload, attempts, adapter, location, default_branch, endpoint
-- Callers: workerd/effects.c
SELECT effect_id, epoch, token, port, kind, object_key, payload, attempts, adapter, location, default_branch, endpoint
FROM orch.effect_claim($1::bigint, $2::bigint, $3::int)
