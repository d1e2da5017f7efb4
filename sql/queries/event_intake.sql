-- Stores a signed delivery, once: the commit of this statement is what its sender is told about.
-- $1 source ('gitea', 'plane'), $2 delivery id or null, $3 deduplication key, $4 kept headers, $5 raw body
-- -> event_id, duplicate (an equal delivery was stored before: event_id is that one)
-- Callers: webhookd/intake.c
SELECT event_id, duplicate
FROM orch.event_intake($1::text, $2::text, $3::text, $4::jsonb, $5::bytea)
