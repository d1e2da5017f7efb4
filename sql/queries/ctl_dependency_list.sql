-- The dependencies in force, or all of one work item.
-- $1 work item, or null
-- -> jsonb {dependencies: [{work_item, repo, waits_for, waits_for_repo, stage, paused_at, in_force, declared_by, declared_at}]}, one row
-- Callers: ctl/cmd_dependency.c
SELECT orch.dependency_list($1::text)
