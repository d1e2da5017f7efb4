-- 76_registry: acts on what the tasks come from and run by: projects, items of the local tracker, settings.

create function orch.project_add(p_name text, p_repo text, p_forge text, p_location text, p_default_branch text, p_prefix text, p_test_command text)
returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project;
        r bigint;
begin
        if coalesce(p_forge, 'local') <> 'local' then
                perform orch.refuse('OR003', format('there is no forge adapter %s', orch.quoted(p_forge)), 'Use: local');
        end if;
        select * into p from orch.project where name = p_name;
        if found then
                if (select name from orch.repo where id = p.repo_id) = p_repo and p.forge_location = p_location
                   and p.work_item_prefix = p_prefix and p.test_command = p_test_command and p.default_branch = coalesce(p_default_branch, 'main') then
                        return orch.project_json(p);
                end if;
                perform orch.refuse('OR002', format('project "%s" is registered already, with other settings', p_name), 'Choose another name, or change that one with: orchctl project set, orchctl project connect');
        end if;
        insert into orch.repo (name) values (p_repo) on conflict (name) do update set name = excluded.name returning id into r;
        insert into orch.project (name, repo_id, forge_location, default_branch, work_item_prefix, test_command)
        values (p_name, r, p_location, coalesce(p_default_branch, 'main'), p_prefix, p_test_command) returning * into p;
        perform orch.record('project', orch.actor(), null, null, null, jsonb_build_object('project', p.name, 'repo', p_repo), r);
        perform orch.audit_act('project_add', p_name, jsonb_build_object('location', p_location), null, orch.project_json(p));
        return orch.project_json(p);
exception
        when check_violation or not_null_violation then
                perform orch.refuse('OR003', format('project %s cannot be registered: %s', orch.quoted(p_name), sqlerrm),
                        'Names have letters, digits, dot, dash and underscore; prefixes 1 to 12 capital letters and digits, a letter first');
                return null;
        when unique_violation then
                perform orch.refuse('OR002', format('the prefix "%s" belongs to another project', p_prefix), 'Choose another prefix');
                return null;
end
$$;
comment on function orch.project_add(text, text, text, text, text, text, text) is 'Registers a project of the local tracker with its repo';

create function orch.project_json(p orch.project) returns jsonb
language sql stable
return jsonb_build_object('project', p.name, 'repo', (select name from orch.repo where id = p.repo_id), 'tracker', p.tracker, 'forge', p.forge,
        'endpoints', (select jsonb_strip_nulls(jsonb_build_object('tracker', (select name from orch.endpoint where id = p.tracker_endpoint),
                'forge', (select name from orch.endpoint where id = p.forge_endpoint), 'notifier', (select name from orch.endpoint where id = p.notifier_endpoint)))),
        'tracker_project', p.tracker_project, 'forge_name', p.forge_name,
        'location', p.forge_location, 'default_branch', p.default_branch, 'prefix', p.work_item_prefix, 'test_command', p.test_command, 'active', p.active);
comment on function orch.project_json(orch.project) is 'A project as operators see it';

create function orch.project_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('projects', coalesce(jsonb_agg(orch.project_json(p) order by p.name), '[]')) from orch.project p;
end;
comment on function orch.project_list() is 'All projects';

create function orch.item_create(p_project text, p_title text, p_description text, p_priority integer, p_blocked_by text default null, p_key text default null,
        p_labels text default null)
returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project;
        i orch.local_item;
        labels text[] := orch.labels_read(p_labels);
begin
        select * into p from orch.project where name = p_project for no key update;
        if not found then
                perform orch.refuse('OR001', format('there is no project %s', orch.quoted(p_project)), 'List them with: orchctl project list');
        elsif orch.qg0_refusal(p_title) is not null then
                perform orch.refuse('OR003', format('the work item is refused: %s', orch.qg0_refusal(p_title)));
        elsif length(p_key) not between 1 and 200 then
                perform orch.refuse('OR003', 'the key of a request has 1 to 200 characters');
        elsif coalesce(p_priority, 2) not between 0 and 4 then
                perform orch.refuse('OR003', format('priority %s is out of range', p_priority), 'Use 0 (most urgent) to 4 (least)');
        elsif p.tracker <> 'local' then
                perform orch.refuse('OR002', format('project "%s" has its work items in %s', p.name, p.tracker), 'Create the item there and move it to To Analyse');
        end if;
        -- the project is locked: the same request at the same time waits, and finds the item
        select * into i from orch.local_item where project_id = p.id and request_key = p_key;
        if found then
                return orch.item_json(i);
        end if;
        update orch.project set last_item_number = last_item_number + 1 where id = p.id returning * into p;
        insert into orch.local_item (project_id, work_item, title, description, priority, state, created_by, request_key, labels, labelled_by, blocked_by)
        values (p.id, p.work_item_prefix || '-' || p.last_item_number, p_title, coalesce(p_description, ''), coalesce(p_priority, 2), 'to_analyse', orch.actor(), p_key, labels, coalesce((select jsonb_object_agg(w, orch.actor()) from unnest(labels) w), '{}'),
                array_remove(regexp_split_to_array(coalesce(p_blocked_by, ''), '[\s,]+'), ''))
        returning * into i;
        perform orch.local_event(i, i.state, null);
        perform orch.audit_act('item_create', i.work_item, jsonb_build_object('title', p_title), null, orch.item_json(i));
        return orch.item_json(i);
end
$$;
comment on function orch.item_create(text, text, text, integer, text, text, text) is 'Makes a work item in the local tracker, in To Analyse: the pipeline takes it in. S-15: blocked_by names the items that must be over first. O-2: the same key again finds the item that it made.';

create function orch.item_json(i orch.local_item) returns jsonb
language sql stable
return jsonb_build_object('work_item', i.work_item, 'project', (select name from orch.project where id = i.project_id), 'title', i.title,
        'description', i.description, 'priority', i.priority, 'labels', i.labels, 'state', i.state, 'blocked_by', i.blocked_by, 'created_at', i.created_at);
comment on function orch.item_json(orch.local_item) is 'A work item of the local tracker as people see it';

create function orch.item_move(p_work_item text, p_state text, p_comment text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before orch.local_item;
        i orch.local_item;
begin
        select * into before from orch.local_item where work_item = p_work_item for no key update;
        if not found then
                perform orch.refuse('OR001', format('the local tracker has no item %s', orch.quoted(p_work_item)), 'List them with: orchctl item list');
        elsif not exists (select from orch.tracker_state where key = p_state) then
                perform orch.refuse('OR003', format('there is no state %s', orch.quoted(p_state)),
                        (select 'Use one of: ' || string_agg(key, ', ' order by position) from orch.tracker_state));
        end if;
        update orch.local_item set state = p_state, state_changed_at = clock_timestamp() where id = before.id returning * into i;
        perform orch.local_event(i, p_state, p_comment);
        perform orch.audit_act('item_move', i.work_item, jsonb_build_object('state', p_state, 'comment', p_comment), orch.item_json(before), orch.item_json(i));
        return orch.item_json(i);
end
$$;
comment on function orch.item_move(text, text, text) is 'Moves a work item of the local tracker, as a person would on a board; what follows comes through the inbox';

create function orch.setting_set(p_key text, p_value text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        old orch.setting_row;
        new orch.setting_row;
begin
        select * into old from orch.setting_row where key = p_key for no key update;
        if not found then
                perform orch.refuse('OR001', format('there is no setting %s', orch.quoted(p_key)), 'List them with: orchctl config show');
        end if;
        begin
                update orch.setting_row set value = p_value, changed_at = clock_timestamp(), changed_by = orch.actor() where key = p_key returning * into new;
        exception when check_violation or not_null_violation then
                perform orch.refuse('OR003', format('%s is no value for %s', orch.quoted(p_value), p_key),
                        case old.kind when 'bool' then 'Use on or off' when 'int' then 'Use a whole number' end);
        end;
        if new.value is distinct from old.value then
                insert into orch.history (kind, actor, detail) values ('setting', orch.actor(),
                        jsonb_build_object('key', p_key, 'from', old.value, 'to', new.value));
                perform orch.wake();
        end if;
        perform orch.audit_act('setting_set', p_key, jsonb_build_object('value', p_value), to_jsonb(old), to_jsonb(new));
        return jsonb_strip_nulls(jsonb_build_object('key', new.key, 'value', new.value, 'before', old.value, 'about', new.about,
                'dropped', case when new.kind = 'scope' then (select jsonb_agg(token) from regexp_split_to_table(new.value, '[\s,]+') token
                        where token <> '' and token !~ '^[A-Za-z0-9._-]+$') end));
end
$$;
comment on function orch.setting_set(text, text) is 'S-12: changes a setting; every host sees it at its next claim. Tokens of a scope that are no repo name are answered as dropped.';
