-- The newest work items, and where each is in the pipeline.
-- No parameters
-- -> jsonb, one row
-- Callers: ctl/cmd_item.c
SELECT orch.item_list()
