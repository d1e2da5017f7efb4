-- Registers a project of the local tracker.
-- $1 name, $2 repo, $3 forge, $4 location, $5 default branch, $6 prefix, $7 test command
-- -> jsonb: the project
-- Callers: ctl/cmd_project_add.c
SELECT orch.project_add($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)
