-- P-9: answers the questions of a task in Needs Input.
-- $1 work item, $2 answer
-- -> jsonb: the task, with a message
-- Callers: ctl/cmd_verdict.c
SELECT orch.answer($1::text, $2::text)
