-- 72_freeze: closing a repo to new work, and opening it again (S-2, S-16).

create view orch.active_freeze as
select f.id, r.name as repo, f.reason, orch.item_name(t) as work_item, f.frozen_by, f.frozen_at
from orch.repo_freeze f join orch.repo r on r.id = f.repo_id left join orch.task t on t.id = f.task_id
where f.cleared_at is null;
comment on view orch.active_freeze is 'S-16: the freezes in force; a repo that was frozen again has several';
comment on column orch.active_freeze.id is 'The freeze';
comment on column orch.active_freeze.repo is 'Repo';
comment on column orch.active_freeze.reason is 'Why';
comment on column orch.active_freeze.work_item is 'Work item that caused it, if any';
comment on column orch.active_freeze.frozen_by is 'Who froze it';
comment on column orch.active_freeze.frozen_at is 'Since when';

create function orch.repo_hold(p_repo text) returns orch.repo
language plpgsql as $$
declare
        r orch.repo;
begin
        select * into r from orch.repo where name = p_repo for no key update;
        if not found then
                perform orch.refuse('OR001', format('there is no repo %s', orch.quoted(p_repo)), 'List them with: orchctl project list');
        end if;
        return r;
end
$$;
comment on function orch.repo_hold(text) is 'A repo by name, under its lane lock; OR001 when there is none';

create function orch.freeze_json(p_repo text) returns jsonb
language sql stable
return jsonb_build_object('repo', p_repo, 'frozen', exists (select from orch.active_freeze f where f.repo = p_repo),
        'freezes', coalesce((select jsonb_agg(to_jsonb(f) - 'repo' order by f.id) from orch.active_freeze f where f.repo = p_repo), '[]'));
comment on function orch.freeze_json(text) is 'Whether a repo is frozen, and by what';

create function orch.freeze_repo(r orch.repo, t orch.task, p_reason text, p_actor text) returns void
language plpgsql as $$
begin
        insert into orch.repo_freeze (repo_id, task_id, reason, frozen_by) values (r.id, t.id, p_reason, p_actor);
        perform orch.record('freeze', p_actor, t.id, null, null, jsonb_build_object('repo', r.name, 'reason', p_reason), r.id);
end
$$;
comment on function orch.freeze_repo(orch.repo, orch.task, text, text) is 'S-16: freezes a repo that is locked; again: adds to its history';

create function orch.freeze(p_repo text, p_reason text, p_work_item text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        r orch.repo := orch.repo_hold(p_repo);
        t orch.task;
        before jsonb := orch.freeze_json(p_repo);
        after jsonb;
begin
        if btrim(coalesce(p_reason, '')) = '' then
                perform orch.refuse('OR003', 'a freeze needs a reason', 'It is what everybody reads who asks why nothing starts');
        elsif not orch.setting_bool('serial_gate_enabled') or not orch.setting_bool('serial_gate_freeze_enabled') then
                perform orch.refuse('OR002', 'freezing is switched off: a freeze would hold nothing up',
                        'Switch it on with: orchctl config set serial_gate_freeze_enabled on (and serial_gate_enabled)');
        elsif not orch.in_scope('serial_gate_repos', r.name) then
                perform orch.refuse('OR002', format('repo %s is not in the scope of the serial gate: a freeze would hold nothing up', r.name),
                        'The scope is the setting serial_gate_repos');
        elsif p_work_item is not null then
                t := orch.task_named(p_work_item);
                if t.repo_id <> r.id then
                        perform orch.refuse('OR003', format('%s is not a work item of repo %s', p_work_item, r.name));
                end if;
        end if;
        perform orch.freeze_repo(r, t, p_reason, orch.actor());
        after := orch.freeze_json(p_repo) || jsonb_build_object('message', format('repo %s is frozen%s', r.name,
                case when (before ->> 'frozen')::boolean then '; it was already, and has one reason more' else '' end));
        perform orch.audit_act('freeze', p_repo, jsonb_build_object('reason', p_reason, 'work_item', p_work_item), before, after);
        return after;
end
$$;
comment on function orch.freeze(text, text, text) is 'S-16: no new work starts in the repo until it is unfrozen; what is under way goes on';

create function orch.unfreeze(p_repo text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        r orch.repo := orch.repo_hold(p_repo);
        before jsonb := orch.freeze_json(p_repo);
        after jsonb;
        n integer;
begin
        update orch.repo_freeze set cleared_at = clock_timestamp(), cleared_by = orch.actor() where repo_id = r.id and cleared_at is null;
        get diagnostics n = row_count;
        if n > 0 then
                perform orch.record('unfreeze', orch.actor(), null, null, null, jsonb_build_object('repo', r.name, 'cleared', n), r.id);
                perform orch.wake();
        end if;
        after := orch.freeze_json(p_repo) || jsonb_build_object('cleared', n, 'message',
                case when n > 0 then format('repo %s is open again: %s', r.name, case n when 1 then 'its freeze is cleared' else format('%s freezes are cleared', n) end)
                     else format('repo %s is not frozen', r.name) end);
        perform orch.audit_act('unfreeze', p_repo, '{}', before, after);
        return after;
end
$$;
comment on function orch.unfreeze(text) is 'S-16: clears all freezes of a repo and says how many; also with freezing switched off';

create function orch.freeze_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('freezes', coalesce(jsonb_agg(to_jsonb(f) order by f.repo, f.id), '[]')) from (select * from orch.active_freeze order by id limit 1000) f;
end;
comment on function orch.freeze_list() is 'The freezes in force';
