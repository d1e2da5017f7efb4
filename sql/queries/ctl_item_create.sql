-- Makes a work item in the local tracker.
-- $1 project, $2 title, $3 description, $4 priority, $5 items that must be over first, $6 key of the request, $7 labels (the last three may be null)
-- -> jsonb: the item
-- Callers: ctl/cmd_item.c
SELECT orch.item_create($1::text, $2::text, $3::text, $4::int, $5::text, $6::text, $7::text)
