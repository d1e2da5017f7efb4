-- Pauses a task.
-- $1 work item, $2 reason (may be null)
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_pause.c
SELECT orch.pause($1::text, $2::text)
