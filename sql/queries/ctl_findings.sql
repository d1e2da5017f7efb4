-- The deadlocks and the starving jobs that are known now.
-- No parameters
-- -> jsonb {findings: [{kind, work_item, about, cut, found_at, alerted_at}]}, one row
-- Callers: ctl/cmd_dependency.c
SELECT orch.finding_list()
