-- Says that a delivery could be read, but that event_route was refused by the database.
-- $1 event, $2 SQLSTATE, $3 reason
-- -> quarantined: it is put aside; else it is tried again later
-- Callers: workerd/events.c
SELECT orch.event_route_failed($1::bigint, $2::text, $3::text) AS quarantined
