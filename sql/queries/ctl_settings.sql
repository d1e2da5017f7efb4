-- The settings in force, or one of them.
-- $1 key, or null for all
-- -> jsonb {settings: [{key, value, standard, kind, about, changed_at, changed_by}]}, one row
-- Callers: ctl/cmd_config.c
SELECT orch.setting_list($1::text)
