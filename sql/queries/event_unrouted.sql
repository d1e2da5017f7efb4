-- The oldest deliveries that nobody has read yet.
-- $1 limit
-- -> event_id, source, headers, body
-- Callers: workerd/events.c
SELECT event_id, source, headers, body
FROM orch.event_unrouted($1::int)
