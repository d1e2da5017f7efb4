-- Why a work item does not move: every reason, the one that counts first.
-- $1 work item
-- -> jsonb {work_item, waits: [{axis, reason, ends_when}]}, one row
-- Callers: ctl/cmd_status.c
SELECT jsonb_build_object('work_item', $1::text, 'waits', coalesce(jsonb_agg(to_jsonb(w)), '[]'))
FROM orch.why($1::text) w
