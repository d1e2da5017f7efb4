-- Cancels a task.
-- $1 work item, $2 reason (may be null)
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_verdict.c
SELECT orch.cancel($1::text, $2::text)
