-- What the scheduler looks at, for people.
-- No parameters
-- -> jsonb, one row
-- Callers: ctl/cmd_status.c
SELECT orch.queue_snapshot()
