-- Removes the next rows whose time is over.
-- -> rule, removed, more, error: one row for each rule that came further, or failed
-- Callers: reaperd/keeper.c
SELECT rule, removed, more, error FROM orch.retention_tick()
