-- A project with its options and commands.
-- $1 name
-- -> jsonb: the project
-- Callers: ctl/cmd_project_options.c
SELECT orch.project_show($1::text)
