-- The open escalations.
-- No parameters
-- -> jsonb {escalations: [{work_item, repo, stage, severity, reason, raised_at, raised_again, acked_by, acked_at}]}, one row
-- Callers: ctl/cmd_escalation.c
SELECT orch.escalation_list()
