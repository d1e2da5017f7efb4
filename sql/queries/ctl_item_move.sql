-- Moves a work item of the local tracker, as a person would on a board.
-- $1 work item, $2 state, $3 comment (may be null)
-- -> jsonb: the item
-- Callers: ctl/cmd_item.c
SELECT orch.item_move($1::text, $2::text, $3::text)
