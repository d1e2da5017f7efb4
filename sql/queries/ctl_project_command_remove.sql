-- Takes a command from a project.
-- $1 name, $2 kind of command
-- -> jsonb: the project
-- Callers: ctl/cmd_project_options.c
SELECT orch.project_command_remove($1::text, $2::text)
