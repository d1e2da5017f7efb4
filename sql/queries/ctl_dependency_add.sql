-- Declares that one task waits for another.
-- $1 work item, $2 the one it waits for
-- -> jsonb: the task, with a message and its dependencies
-- Callers: ctl/cmd_dependency.c
SELECT orch.dependency_add($1::text, $2::text)
