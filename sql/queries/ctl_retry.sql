-- Tries an escalated task, or one that backs off, again.
-- $1 work item, $2 comment (may be null)
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_pause.c
SELECT orch.retry($1::text, $2::text)
