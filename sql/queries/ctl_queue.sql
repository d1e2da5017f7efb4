-- What the scheduler looks at, for people.
-- $1 what to go on after: LIST:KEY of "next" of the page before, or NULL for everything
-- -> jsonb, one row
-- Callers: ctl/cmd_status.c
SELECT orch.queue_snapshot($1::text)
