-- Puts a delivery aside that cannot be read, once.
-- $1 event, $2 reason
-- -> quarantined: false when another process was first
-- Callers: workerd/events.c
SELECT orch.event_malformed($1::bigint, $2::text) AS quarantined
