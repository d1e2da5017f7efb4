-- Ends the pause of a task.
-- $1 work item
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_pause.c
SELECT orch.resume($1::text)
