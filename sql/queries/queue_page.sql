-- The next page of a list of the queue, as JSON text ready to be sent.
-- $1 what it goes on after: LIST:KEY, as "next" of the page before said
-- -> body
-- Callers: web/queue_page.c
SELECT orch.queue_snapshot($1::text)::text AS body
