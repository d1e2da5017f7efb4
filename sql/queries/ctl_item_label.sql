-- Gives a work item of the local tracker a label, or takes it away.
-- $1 work item, $2 label, $3 whether it has it
-- -> jsonb: the item
-- Callers: ctl/cmd_item.c
SELECT orch.item_label($1::text, $2::text, $3::boolean)
