-- 73_dependency: "B waits for A" (S-4, S-15): declared by an operator, or in the tracker; never in a circle.
--
-- Order of locks: the lanes of all tasks concerned, by id; then the lock that puts all insertions in one order. So two
-- edges that would close a circle together are looked at one after the other, whatever repos they are between.

create view orch.dependency as
select orch.item_name(t) as work_item, r.name as repo, orch.item_name(p) as waits_for, s.name as waits_for_repo, p.stage, p.paused_at,
       not t.terminal and not p.terminal and (select orch.setting_bool('task_deps_enabled')) as in_force,
       d.declared_by, d.declared_at, d.task_id, d.waits_for as waits_for_id
from orch.task_dependency d
join orch.task t on t.id = d.task_id join orch.repo r on r.id = t.repo_id
join orch.task p on p.id = d.waits_for join orch.repo s on s.id = p.repo_id;
comment on view orch.dependency is 'S-15: which task waits for which, also those that are over';
comment on column orch.dependency.work_item is 'The task that waits';
comment on column orch.dependency.repo is 'Its repo';
comment on column orch.dependency.waits_for is 'Its predecessor';
comment on column orch.dependency.waits_for_repo is 'The predecessor''s repo';
comment on column orch.dependency.stage is 'Where the predecessor is';
comment on column orch.dependency.paused_at is 'Since when the predecessor is paused, which does not end the wait';
comment on column orch.dependency.in_force is 'Whether it holds anything up now';
comment on column orch.dependency.declared_by is 'Who declared it; "tracker" is the tracker';
comment on column orch.dependency.declared_at is 'When';
comment on column orch.dependency.task_id is 'Id of the task that waits';
comment on column orch.dependency.waits_for_id is 'Id of the predecessor';

create function orch.dependency_hold(p_tasks bigint[]) returns void
language plpgsql as $$
begin
        perform from orch.repo where id in (select t.repo_id from orch.task t where t.id = any (p_tasks)) order by id for no key update;
        perform pg_advisory_xact_lock(hashtext('orch.dependency'));
end
$$;
comment on function orch.dependency_hold(bigint[]) is 'Locks the lanes of some tasks, and the order of all insertions of dependencies';

create function orch.dependency_circle(t orch.task, p orch.task) returns text
language plpgsql stable as $$
declare
        parents jsonb;
        step bigint := t.id;
        last bigint;
        names text := orch.item_name(t);
begin
        if t.id = p.id then
                return format('%s → %s', names, names);
        end if;
        -- everything that p waits for, each with one task that waits for it: following these back leads to p
        with recursive reach (id, parent) as (
                select p.id, null::bigint
                union
                select d.waits_for, r.id from reach r join orch.task_dependency d on d.task_id = r.id join orch.task k on k.id = d.waits_for and not k.terminal
        )
        select jsonb_object_agg(r.id, r.parent) into parents from reach r;
        if not parents ? t.id::text then
                return null;
        end if;
        while parents ->> step::text is not null loop
                last := step;
                step := (parents ->> last::text)::bigint;
                parents := parents - last::text; -- no step twice, should the rows have a circle already
                names := (select orch.item_name(k) from orch.task k where k.id = step) || ' → ' || names;
        end loop;
        return orch.item_name(t) || ' → ' || names;
end
$$;
comment on function orch.dependency_circle(orch.task, orch.task) is 'S-15: the circle that "t waits for p" would close, spelled out, or null. Tasks that are over hold nobody up and close none.';

create function orch.dependency_refusal(t orch.task, p orch.task) returns text
language plpgsql stable as $$
declare
        most integer := orch.setting_int('dependency_max');
        circle text := orch.dependency_circle(t, p);
begin
        if circle is not null then
                return format('%s cannot wait for %s: it would wait for itself: %s', orch.item_name(t), orch.item_name(p), circle);
        elsif (select count(*) from orch.task_dependency d where d.task_id = t.id) >= most then
                return format('%s waits for %s tasks already: that is the most (dependency_max)', orch.item_name(t), most);
        end if;
        return null;
end
$$;
comment on function orch.dependency_refusal(orch.task, orch.task) is 'S-15: why t may not wait for p, or null';

create function orch.dependency_set(t orch.task, p orch.task, p_by text, p_actor text) returns boolean
language plpgsql as $$
begin
        insert into orch.task_dependency (task_id, waits_for, declared_by) values (t.id, p.id, p_by) on conflict do nothing;
        if found then
                perform orch.record('dependency', p_actor, t.id, null, null, jsonb_build_object('waits_for', orch.item_name(p), 'declared', true));
        end if;
        return found;
end
$$;
comment on function orch.dependency_set(orch.task, orch.task, text, text) is 'Declares a dependency that was found to be in order';

create function orch.dependency_clear(t orch.task, p orch.task, p_actor text) returns boolean
language plpgsql as $$
begin
        delete from orch.task_dependency where task_id = t.id and waits_for = p.id;
        if found then
                perform orch.record('dependency', p_actor, t.id, null, null, jsonb_build_object('waits_for', orch.item_name(p), 'declared', false));
                perform orch.wake();
        end if;
        return found;
end
$$;
comment on function orch.dependency_clear(orch.task, orch.task, text) is 'Takes a dependency away';

create function orch.dependency_list(p_work_item text default null) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('dependencies', coalesce(jsonb_agg(to_jsonb(d) - 'task_id' - 'waits_for_id' order by d.task_id, d.waits_for_id), '[]'))
        from (select * from orch.dependency d where p_work_item is null and d.in_force
              union select * from orch.dependency d where p_work_item is not null and (orch.task_named(p_work_item)).id in (d.task_id, d.waits_for_id)
              order by declared_at desc limit 1000) d;
end;
comment on function orch.dependency_list(text) is 'S-15: the dependencies in force, or all of one work item, both ways; the newest 1000';

create function orch.dependency_add(p_work_item text, p_waits_for text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task := orch.task_named(p_work_item);
        p orch.task := orch.task_named(p_waits_for);
        before jsonb := orch.task_json(t);
        after jsonb;
        refusal text;
        said text := format('%s waits for %s already', p_work_item, p_waits_for);
begin
        if t.id = p.id then
                perform orch.refuse('OR003', format('%s cannot wait for itself', p_work_item));
        end if;
        perform orch.dependency_hold(array[t.id, p.id]);
        select * into t from orch.task where id = t.id for no key update;
        select * into p from orch.task where id = p.id;
        if t.terminal then
                perform orch.refuse('OR002', format('%s is %s: it waits for nothing any more', p_work_item, t.stage));
        end if;
        if not exists (select from orch.task_dependency d where d.task_id = t.id and d.waits_for = p.id) then
                refusal := orch.dependency_refusal(t, p);
                if refusal is not null then
                        perform orch.refuse('OR002', refusal, 'Look at: orchctl dependency list ' || p_waits_for);
                end if;
                perform orch.dependency_set(t, p, orch.actor(), orch.actor());
                said := format('%s waits for %s%s', p_work_item, p_waits_for, case when p.terminal then format(', which is %s: nothing is held up', p.stage)
                        when not orch.setting_bool('task_deps_enabled') then '; dependencies are switched off: nothing is held up' else '' end);
        end if;
        after := orch.task_json(t) || jsonb_build_object('message', said) || orch.dependency_list(p_work_item);
        perform orch.audit_act('dependency_add', p_work_item, jsonb_build_object('waits_for', p_waits_for), before, after);
        return after;
end
$$;
comment on function orch.dependency_add(text, text) is 'S-15: the first waits until the second is done or cancelled; refused when that would close a circle, which is spelled out';

create function orch.dependency_remove(p_work_item text, p_waits_for text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task := orch.task_named(p_work_item);
        p orch.task := orch.task_named(p_waits_for);
        before jsonb := orch.task_json(t);
        after jsonb;
        said text;
begin
        perform orch.dependency_hold(array[t.id, p.id]);
        select * into t from orch.task where id = t.id for no key update;
        said := format(case when orch.dependency_clear(t, p, orch.actor()) then '%s does not wait for %s any more' else '%s does not wait for %s' end, p_work_item, p_waits_for);
        after := orch.task_json(t) || jsonb_build_object('message', said) || orch.dependency_list(p_work_item);
        perform orch.audit_act('dependency_remove', p_work_item, jsonb_build_object('waits_for', p_waits_for), before, after);
        return after;
end
$$;
comment on function orch.dependency_remove(text, text) is 'S-15: takes a dependency away, whoever declared it';

create function orch.tracker_blocked_by(p_task bigint, p_items text[], p_actor text) returns void
language plpgsql as $$
declare
        t orch.task;
        p orch.task;
        named bigint[] := array(select (orch.task_of(i)).id from unnest(p_items) i);
        refusal text;
begin
        if p_items = '{}' and not exists (select from orch.task_dependency d where d.task_id = p_task and d.declared_by = 'tracker') then
                return;
        end if;
        perform orch.dependency_hold(named || p_task || array(select d.waits_for from orch.task_dependency d where d.task_id = p_task));
        select * into t from orch.task where id = p_task for no key update;
        for p in select k.* from orch.task_dependency d join orch.task k on k.id = d.waits_for
                 where d.task_id = t.id and d.declared_by = 'tracker' and d.waits_for <> all (array_remove(named, null))
        loop
                perform orch.dependency_clear(t, p, p_actor);
        end loop;
        for p in select k.* from orch.task k where k.id = any (named) and not t.terminal
                 and not exists (select from orch.task_dependency d where d.task_id = t.id and d.waits_for = k.id) order by k.id
        loop
                refusal := orch.dependency_refusal(t, p);
                exit when refusal is not null;
                perform orch.dependency_set(t, p, 'tracker', p_actor);
        end loop;
        if refusal is not null and t.escalated_at is null then
                -- nothing automatic until a person acts; orch.retry() queues it anew
                update orch.job set status = 'cancelled', outcome = 'cancelled', reason = refusal, ended_at = clock_timestamp() where task_id = t.id and status = 'queued';
                perform orch.escalate(t, p_actor, refusal);
        end if;
        if array_position(named, null) is not null then
                perform orch.comment_on(t, 'blocked-by:' || md5(p_items::text), 'Not waited for, as they are not in the pipeline: '
                        || (select string_agg(i, ', ') from unnest(p_items) i where (orch.task_of(i)).id is null));
        end if;
end
$$;
comment on function orch.tracker_blocked_by(bigint, text[], text) is
        'S-15: makes the dependencies that the tracker declares those that are there. One that would close a circle is left out; the task is Blocked, with an alert that spells the circle out. Locks lanes: call it before the task is locked.';
