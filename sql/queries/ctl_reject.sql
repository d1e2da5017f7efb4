-- Sends a task back to the role of its stage, with a comment.
-- $1 work item, $2 comment
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_verdict.c
SELECT orch.reject($1::text, $2::text)
