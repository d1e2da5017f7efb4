-- Passes the human gate that a task waits at.
-- $1 work item, $2 comment (may be null)
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_verdict.c
SELECT orch.approve($1::text, $2::text)
