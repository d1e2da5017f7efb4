-- Notes what a delivery is about; from then on it is handled in order with others of its key.
-- $1 event, $2 key, $3 kind, $4 project, $5 object, $6 facts (jsonb)
-- -> routed: false when another process was first
-- Callers: workerd/events.c
SELECT orch.event_route($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::jsonb) AS routed
