-- Changes the priority of a task.
-- $1 work item, $2 priority
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_pause.c
SELECT orch.priority_set($1::text, $2::int)
