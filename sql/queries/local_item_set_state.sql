-- Shows a state on an item of the local tracker.
-- $1 work item, $2 state
-- Callers: common/tracker_local.c
SELECT orch.local_item_set_state($1::text, $2::text)
