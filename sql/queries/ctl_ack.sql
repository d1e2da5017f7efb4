-- Acknowledges an escalation.
-- $1 work item, $2 comment
-- -> jsonb, one row
-- Callers: ctl/cmd_escalation.c
SELECT orch.ack($1, $2)
