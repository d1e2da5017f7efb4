-- Says who is the tracker, the forge or the notifier of a project.
-- $1 project, $2 port, $3 endpoint, $4 place there (null: none)
-- -> jsonb: the project
-- Callers: ctl/cmd_endpoint.c
SELECT orch.project_connect($1::text, $2::text, $3::text, $4::text)
