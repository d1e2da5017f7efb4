-- The freezes in force.
-- No parameters
-- -> jsonb {freezes: [{id, repo, reason, work_item, frozen_by, frozen_at}]}, one row
-- Callers: ctl/cmd_freeze.c
SELECT orch.freeze_list()
