-- What is kept for how long, how much that is, and what goes next.
-- -> jsonb, one row
-- Callers: ctl/cmd_retention.c
SELECT orch.retention()
