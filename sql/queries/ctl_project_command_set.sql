-- Gives a project a command.
-- $1 name, $2 kind of command, $3 command
-- -> jsonb: the project
-- Callers: ctl/cmd_project_options.c
SELECT orch.project_command_set($1::text, $2::text, $3::text)
