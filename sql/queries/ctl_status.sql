-- The live tasks, for people.
-- No parameters
-- -> jsonb, one row
-- Callers: ctl/cmd_status.c, ctl/cmd_watch.c
SELECT orch.status_snapshot()
