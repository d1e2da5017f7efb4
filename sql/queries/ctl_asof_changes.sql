-- What differs between two instants.
-- $1 the earlier, as people type it
-- $2 the later
-- $3 work item, or NULL for everything
-- -> jsonb {from, to, changes: [{what, key, work_item, before, after}]}, one row
-- Callers: ctl/cmd_asof.c
SELECT orch.asof_changes($1::text, $2::text, $3::text)
