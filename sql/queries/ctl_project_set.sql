-- Sets an option of a project.
-- $1 name, $2 option, $3 value; null: as in a new project
-- -> jsonb: the project
-- Callers: ctl/cmd_project_options.c
SELECT orch.project_set($1::text, $2::text, $3::text)
