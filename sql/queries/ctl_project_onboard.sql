-- I-1: registers a project with its services outside, all or nothing.
-- $1 name, $2 repo, $3 location, $4 default branch, $5 prefix, $6 test command, $7 tracker, $8 forge: {name, url, token_file,
-- workspace, hook_url, account, place}, null: local
-- -> jsonb: the project
-- Callers: ctl/cmd_project_add.c
SELECT orch.project_onboard($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::jsonb, $8::jsonb)
