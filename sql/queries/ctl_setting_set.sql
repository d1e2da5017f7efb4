-- Changes a setting.
-- $1 key, $2 value
-- -> jsonb {key, value, before, about}
-- Callers: ctl/cmd_config.c
SELECT orch.setting_set($1::text, $2::text)
