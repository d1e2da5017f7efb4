-- The settings in force, or one of them.
-- $1 key, or null for all
-- -> jsonb {settings: [{key, value, standard, kind, about, changed_at, changed_by}]}, one row
-- Callers: ctl/cmd_config.c
SELECT jsonb_build_object('settings', coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.key), '[]'))
FROM orch.setting s
WHERE $1::text IS NULL OR s.key = $1::text
