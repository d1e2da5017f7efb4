-- Closes a repo to new work.
-- $1 repo, $2 reason, $3 work item (may be null)
-- -> jsonb {repo, frozen, freezes, message}
-- Callers: ctl/cmd_freeze.c
SELECT orch.freeze($1::text, $2::text, $3::text)
