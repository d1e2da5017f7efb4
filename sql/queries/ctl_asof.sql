-- How things stood at an instant.
-- $1 when, as people type it
-- $2 work item, or NULL for everything
-- -> jsonb {at, began, tasks, freezes, settings}, one row
-- Callers: ctl/cmd_asof.c
SELECT orch.asof($1::text, $2::text)
