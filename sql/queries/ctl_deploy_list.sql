-- M-3, M-5: the newest deploys, rollbacks and watches in production.
-- $1 work item (may be null: all)
-- -> jsonb {deploys: [...], observations: [...]}, one row
-- Callers: ctl/cmd_deploy.c
SELECT orch.deploy_list($1::text)
