-- Shows a state on an item of the local tracker.
-- $1 work item, $2 state
-- -> found: false when there is no such item
-- Callers: common/tracker_local.c
SELECT orch.local_item_set_state($1::text, $2::text) AS found
