-- Handles routed events, in order per key, in one transaction.
-- $1 limit
-- -> event_id, outcome, one row per event handled
-- Callers: workerd/events.c
SELECT event_id, outcome
FROM orch.event_handle($1::int)
