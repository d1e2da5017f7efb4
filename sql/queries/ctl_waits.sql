-- What a work item waits for, what that waits for, and so on.
-- $1 work item
-- -> jsonb {waits_chain: [{depth, waiter, via, holder, since, cut}]}, one row
-- Callers: ctl/cmd_dependency.c
SELECT jsonb_build_object('waits_chain', coalesce(jsonb_agg(to_jsonb(w)), '[]'))
FROM orch.waits_chain($1::text) w
