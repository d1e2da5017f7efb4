-- Comments on an item of the local tracker; the same marker again changes nothing.
-- $1 work item, $2 marker, $3 body
-- -> found: false when there is no such item
-- Callers: common/tracker_local.c
SELECT orch.local_item_comment($1::text, $2::text, $3::text) AS found
