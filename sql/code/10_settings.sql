-- 10_settings: reading the settings. Changing them is an operator's act (70_operator.sql).

create function orch.setting_text(p_key text) returns text
language plpgsql stable as $$
declare
        found_value text;
begin
        select value into found_value from orch.setting_row where key = p_key;
        if not found then
                raise exception 'the setting "%" is gone', p_key;
        end if;
        return found_value;
end
$$;
comment on function orch.setting_text(text) is
        'Value of a setting. One that is not there is an error, not "off": S-13. PL/pgSQL, because the plan of an SQL function with a query in it is made anew for each statement, and the axes ask often.';

create function orch.setting_bool(p_key text) returns boolean
language sql stable
return orch.setting_text(p_key)::boolean;
comment on function orch.setting_bool(text) is 'Value of a switch. SQL, as what is one expression becomes part of the plan that asks for it';

create function orch.setting_int(p_key text) returns integer
language sql stable
return orch.setting_text(p_key)::integer;
comment on function orch.setting_int(text) is 'Value of a limit';

create function orch.in_scope(p_key text, p_repo text) returns boolean
language plpgsql stable as $$
declare
        scope text := orch.setting_text(p_key);
        good text[];
begin
        if scope = '' then
                return true;
        end if;
        good := array(select token from regexp_split_to_table(scope, '[\s,]+') as token where token ~ '^[A-Za-z0-9._-]+$');
        return cardinality(good) = 0 or p_repo = any (good);
end
$$;
comment on function orch.in_scope(text, text) is
        'S-12: whether a repo is in a scope. Tokens that are no repo name are dropped; a scope with no good token is all repos.';

create view orch.setting as
select key, value, standard, kind, about, changed_at, changed_by from orch.setting_row order by key;
comment on view orch.setting is 'S-12: the settings in force. Change one with: select orch.setting_set(key, value)';
comment on column orch.setting.key is 'Name';
comment on column orch.setting.value is 'Value in force';
comment on column orch.setting.standard is 'Value of a new installation';
comment on column orch.setting.kind is 'bool, int or scope';
comment on column orch.setting.about is 'What it does';
comment on column orch.setting.changed_at is 'When it was last set';
comment on column orch.setting.changed_by is 'Who set it';

create function orch.setting_list(p_key text default null) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('settings', coalesce(jsonb_agg(to_jsonb(s) order by s.key), '[]')) from orch.setting s where p_key is null or s.key = p_key;
end;
comment on function orch.setting_list(text) is 'The settings in force, or one of them';
