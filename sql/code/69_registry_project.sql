-- 69_registry_project: a project's own commands and options. To add an option: its column of orch.project, and a line in the view
-- orch.project_option; to add a command: a row of orch.command_kind.

create view orch.project_option as
select v.key, v.kind, v.about, v.at_rest, (select pg_get_expr(d.adbin, d.adrelid) from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                               where a.attrelid = 'orch.project'::regclass and a.attname = v.key) as standard
from (values
        ('active', 'bool', 'I-1: whether new work items are taken in; off: those under way go on, and when they are over nobody looks at its board', false),
        ('auto_approve', 'bool', 'P-11: whether the label auto-approve passes the analysis', false),
        ('auto_deploy', 'bool', 'P-11: whether the label auto-deploy confirms the deploy', false),
        ('checks_total', 'int', 'M-5: probes of the watch after a deploy', false),
        ('ci', 'text', 'P-1: who tests a branch: local (a worker runs the test command), or forge (the statuses of its head at the forge count)', false),
        ('ci_contexts', 'lines', 'P-1: with ci forge: the statuses that must be green, one per line, * for any characters; none: all that there are', false),
        ('default_branch', 'text', 'C-4: branch that is cut from and merged into; never pushed, never deleted', true),
        ('degraded_at', 'int', 'M-5: failed probes at which production is DEGRADED', false),
        ('gate_config_globs', 'list', 'P-4: files that decide what a gate demands; a change to one must be accepted by the reviewer', false),
        ('integrity_markers', 'lines', 'M-4: PATH:NEEDLE, text that must be in a file of the default branch after each merge; PATH alone: a file that must be there', false),
        ('repair_hooks', 'bool', 'I-3: whether the webhook of its repository at the forge is made anew when it is missing or wrong', false),
        ('staging_waivers', 'list', 'M-7: ids of staging checks whose failure is reported and fails nothing', false),
        ('test_command', 'text', 'P-1: shell command that tests a checkout; exit status 0 is green', false),
        ('test_globs', 'list', 'P-4: files that are tests; what weakens them must be accepted by the reviewer', false),
        ('window_s', 'int', 'M-5: seconds over which the probes are spread', false))
        v (key, kind, about, at_rest);
comment on view orch.project_option is 'What orch.project_set() can set: each is a column of orch.project';
comment on column orch.project_option.key is 'Name';
comment on column orch.project_option.kind is 'bool: on or off; int: a whole number; text; list: words separated by blanks or commas; lines: one per line';
comment on column orch.project_option.about is 'What it does';
comment on column orch.project_option.at_rest is 'Whether it may change only while no task of the project is under way';
comment on column orch.project_option.standard is 'What a new project has, as SQL says it';

create function orch.project_value(p_kind text, p_value text) returns jsonb
language plpgsql immutable as $$
begin
        return case p_kind
                when 'bool' then case p_value when 'on' then 'true'::jsonb when 'off' then 'false'::jsonb end
                when 'int' then case when p_value ~ '^[0-9]{1,9}$' then to_jsonb(p_value::integer) end
                when 'text' then to_jsonb(p_value)
                when 'list' then to_jsonb(array(select w from regexp_split_to_table(p_value, '[\s,]+') w where w <> ''))
                when 'lines' then to_jsonb(array(select btrim(w) from regexp_split_to_table(p_value, E'\n') w where btrim(w) <> '')) end;
end
$$;
comment on function orch.project_value(text, text) is 'A value as it was typed, by the kind of its option; null when it is none';

create function orch.project_named(p_name text) returns orch.project
language plpgsql as $$
declare
        p orch.project;
begin
        select * into p from orch.project where name = p_name for no key update;
        if not found then
                perform orch.refuse('OR001', format('there is no project %s', orch.quoted(p_name)), 'List them with: orchctl project list');
        end if;
        return p;
end
$$;
comment on function orch.project_named(text) is 'The project of that name, locked; OR001 when there is none';

create function orch.project_whole(p orch.project) returns jsonb
language sql stable
return orch.project_json(p) || jsonb_build_object(
        'options', (select jsonb_agg(jsonb_build_object('key', o.key, 'kind', o.kind, 'value', to_jsonb(p) -> o.key, 'about', o.about) order by o.key) from orch.project_option o),
        'commands', (select jsonb_agg(jsonb_build_object('kind', k.key, 'command', c.command, 'set_by', c.set_by, 'set_at', c.set_at, 'about', k.about) order by k.key)
                     from orch.command_kind k left join orch.project_command c on c.kind = k.key and c.project_id = p.id));
comment on function orch.project_whole(orch.project) is 'A project with its options and commands';

create function orch.project_show(p_name text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project;
begin
        select * into p from orch.project where name = p_name;
        if not found then
                perform orch.refuse('OR001', format('there is no project %s', orch.quoted(p_name)), 'List them with: orchctl project list');
        end if;
        return orch.project_whole(p);
end
$$;
comment on function orch.project_show(text) is 'A project with its options and commands';

create function orch.project_note(p_act text, p orch.project, p_arguments jsonb, p_before jsonb, p_message text) returns jsonb
language plpgsql as $$
declare
        after jsonb;
begin
        select orch.project_whole(q) into after from orch.project q where q.id = p.id;
        if after is distinct from p_before then
                perform orch.record('project', orch.actor(), null, null, null, p_arguments || jsonb_build_object('project', p.name), p.repo_id);
                perform orch.wake();
        end if;
        perform orch.audit_act(p_act, p.name, p_arguments, p_before, after);
        return after || jsonb_build_object('message', p_message);
end
$$;
comment on function orch.project_note(text, orch.project, jsonb, jsonb, text) is 'Ends an act on a project: history when something has changed, audit, and the answer';

create function orch.project_set(p_name text, p_key text, p_value text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project := orch.project_named(p_name);
        before jsonb := orch.project_whole(p);
        o orch.project_option;
        new_value jsonb;
begin
        select * into o from orch.project_option where key = p_key;
        if not found then
                perform orch.refuse('OR001', format('a project has no option %s', orch.quoted(p_key)),
                        (select 'Use one of: ' || string_agg(key, ', ' order by key) from orch.project_option));
        elsif o.at_rest and orch.under_way(p) then
                perform orch.refuse('OR002', format('%s has tasks under way', p.name), format('Let them end, or cancel them, before its %s changes', o.key));
        end if;
        if p_value is null then
                execute format('update orch.project set %I = default where id = $1', o.key) using p.id;
                return orch.project_note('project_set', p, jsonb_build_object('key', o.key), before, format('%s of %s is as in a new project', o.key, p.name));
        end if;
        new_value := orch.project_value(o.kind, p_value);
        if new_value is null then
                perform orch.refuse('OR003', format('%s is no value for %s', orch.quoted(p_value), o.key),
                        case o.kind when 'bool' then 'Use on or off' when 'int' then 'Use a whole number' end);
        end if;
        -- the key is from the catalogue, the value goes as a parameter
        execute format('update orch.project q set %1$I = (jsonb_populate_record(q, jsonb_build_object(%1$L, $2))).%1$I where q.id = $1', o.key) using p.id, new_value;
        return orch.project_note('project_set', p, jsonb_build_object('key', o.key, 'value', p_value), before, format('%s of %s is set', o.key, p.name));
exception
        when check_violation then
                perform orch.refuse('OR003', format('%s is no value for %s', orch.quoted(p_value), p_key));
                return null;
        when not_null_violation then
                perform orch.refuse('OR003', format('a new project has no %s of its own', p_key), 'Give a value');
                return null;
end
$$;
comment on function orch.project_set(text, text, text) is 'Sets an option of a project (orch.project_option); without a value it is as in a new project';

create function orch.project_command_set(p_name text, p_kind text, p_command text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project := orch.project_named(p_name);
        before jsonb := orch.project_whole(p);
begin
        if not exists (select from orch.command_kind where key = p_kind) then
                perform orch.refuse('OR001', format('there is no kind of command %s', orch.quoted(p_kind)),
                        (select 'Use one of: ' || string_agg(key, ', ' order by key) from orch.command_kind));
        end if;
        insert into orch.project_command as c (project_id, kind, command, set_by) values (p.id, p_kind, p_command, orch.actor())
        on conflict (project_id, kind) do update set command = excluded.command, set_by = excluded.set_by, set_at = clock_timestamp()
        where c.command <> excluded.command;
        return orch.project_note('project_command_set', p, jsonb_build_object('kind', p_kind, 'command', p_command), before,
                format('%s has this command for %s', p.name, p_kind));
exception when check_violation or not_null_violation then
        perform orch.refuse('OR003', 'a command has 1 to 4000 characters', 'To have none: orchctl command remove');
        return null;
end
$$;
comment on function orch.project_command_set(text, text, text) is 'M-6: gives a project a command of a kind (orch.command_kind); steps that want it are there from then on';

create function orch.project_command_remove(p_name text, p_kind text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project := orch.project_named(p_name);
        before jsonb := orch.project_whole(p);
        waiting record;
begin
        perform from orch.repo where id = p.repo_id for no key update;
        delete from orch.project_command where project_id = p.id and kind = p_kind;
        for waiting in select j.id, j.task_id from orch.job j join orch.task t on t.id = j.task_id and t.project_id = p.id
                       join orch.stage_step s on s.stage = j.stage and s.role = j.role and s.command = p_kind
                       where j.status = 'queued' and not t.terminal order by j.task_id
        loop
                perform from orch.task where id = waiting.task_id for no key update;
                update orch.job set status = 'cancelled', outcome = 'cancelled', reason = 'the project has no such command any more', ended_at = clock_timestamp()
                where id = waiting.id and status = 'queued';
                perform orch.advance(waiting.task_id, orch.actor());
        end loop;
        return orch.project_note('project_command_remove', p, jsonb_build_object('kind', p_kind), before, format('%s has no command for %s', p.name, p_kind));
end
$$;
comment on function orch.project_command_remove(text, text) is 'M-6: takes a command from a project; its steps are skipped from then on';
