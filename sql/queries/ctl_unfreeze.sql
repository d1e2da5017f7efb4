-- Clears all freezes of a repo.
-- $1 repo
-- -> jsonb {repo, frozen, freezes, cleared, message}
-- Callers: ctl/cmd_freeze.c
SELECT orch.unfreeze($1::text)
