-- The evidence ledger of a work item.
-- $1 work item
-- -> jsonb {work_item, stage, head_sha, gates: [{gate, result, reason, evidence: [...]}]}
-- Callers: ctl/cmd_gates.c
SELECT orch.gates($1::text)
