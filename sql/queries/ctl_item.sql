-- Everything about a work item.
-- $1 work item
-- -> jsonb, one row
-- Callers: ctl/cmd_item.c, ctl/cmd_log.c
SELECT orch.item($1::text)
