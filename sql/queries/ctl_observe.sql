-- M-5: a person says whether production is healthy.
-- $1 work item, $2 verdict, $3 comment (may be null)
-- -> jsonb the watch, with a message
-- Callers: ctl/cmd_deploy.c
SELECT orch.observe($1::text, $2::text, $3::text)
