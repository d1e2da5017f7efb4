-- Says which labels a host must have to run jobs of a role or a project.
-- $1 scope, $2 name, $3 labels, separated by commas (null: none)
-- -> jsonb {labels, hosts, message}
-- Callers: ctl/cmd_label.c
SELECT orch.label_set($1::text, $2::text, $3::text)
