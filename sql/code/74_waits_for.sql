-- 74_waits_for: who waits for whom (B-6), over dependencies, the serial gate, leases, freezes, pauses, slots and people.
-- A task may wait for several; what one waits for may wait itself. The reconciler looks for circles, and for jobs that
-- could be claimed and are not.

create view orch.waits_for as
select 'task' as waiter_kind, t.id as waiter_id, orch.item_name(t) as waiter, 'task' as holder_kind, p.id as holder_id, orch.item_name(p) as holder,
       'dependency' as via, d.declared_at as since, format('orchctl dependency remove %s %s', t.work_item, p.work_item) as cut
from orch.task_dependency d join orch.task t on t.id = d.task_id join orch.task p on p.id = d.waits_for
where not t.terminal and not p.terminal and (select orch.setting_bool('task_deps_enabled'))
union all
select 'task', t.id, t.work_item, case when m.task_id is not null or b.axis = 'active-task' then 'task' when b.axis = 'freeze' then 'freeze' else 'axis' end, coalesce(h.task_id, f.id, m.task_id),
       coalesce(h.work_item, case when f.id is not null then r.name end, m.work_item, b.reason), b.axis, coalesce(m.taken_at, greatest(j.created_at, f.frozen_at)),
       case when b.axis = 'active-task' then format('orchctl pause %s', h.work_item) when b.axis = 'freeze' then format('orchctl unfreeze %s', r.name)
            when m.task_id is not null then format('orchctl lease release %s', m.work_item) else b.ends_when end
from orch.job j join orch.task t on t.id = j.task_id join orch.repo r on r.id = j.repo_id
cross join lateral orch.blocks_of(j.id) b
left join orch.lane_head h on b.axis = 'active-task' and h.repo_id = j.repo_id
left join orch.repo_freeze f on b.axis = 'freeze' and f.repo_id = j.repo_id and f.cleared_at is null
left join lateral (select l.task_id, l.taken_at, orch.item_name(o) as work_item from orch.merge_lease l join orch.task o on o.id = l.task_id
                   where b.axis = 'lease' and orch.needs_merge_lease(j) and l.repo_id = j.repo_id and l.task_id <> j.task_id limit 1) m on true -- LIMIT: one look each
where j.status = 'queued' and b.axis not in ('dependency', 'pause') -- which hold a task up also while it has no queued job
union all
select 'task', t.id, t.work_item, 'task', k.task_id, orch.item_name(h), 'slot', j.created_at,
       format('orchctl limit set %s %s', concat_ws(' ', u.scope, nullif(u.name, '')), u.used + 1)
from orch.job j join orch.task t on t.id = j.task_id join orch.repo r on r.id = j.repo_id
join orch.capacity_use u on u.full and (u.scope, u.name) in (('global', ''), ('repo', r.name), ('role', j.role))
join orch.slot s on s.scope = u.scope and s.name = u.name
join orch.job k on k.id = s.job_id and k.epoch = s.epoch and k.status = 'running' join orch.task h on h.id = k.task_id
where j.status = 'queued'
union all
select 'freeze', f.id, r.name, 'person', null, f.frozen_by, 'person', f.frozen_at, format('orchctl unfreeze %s', r.name)
from orch.repo_freeze f join orch.repo r on r.id = f.repo_id where f.cleared_at is null
union all
select 'task', t.id, t.work_item, 'person', null, coalesce(t.paused_by, 'somebody'), 'pause', t.paused_at, format('orchctl resume %s', t.work_item)
from orch.task t where not t.terminal and t.paused_at is not null and (select orch.setting_bool('serial_gate_pause_enabled'))
union all
select 'task', t.id, t.work_item, 'person', null, 'somebody', 'person', coalesce(t.escalated_at, t.stage_entered_at),
       format(case when t.escalated_at is not null then 'orchctl retry %s' when orch.waits_for_answer(t) then 'orchctl answer %s TEXT' else 'orchctl approve %s' end, t.work_item)
from orch.task t where not t.terminal and (t.escalated_at is not null
        or (not exists (select from orch.job j where j.task_id = t.id and j.active) and (orch.waits_for_person(t) or orch.waits_for_answer(t))))
union all
select 'task', t.id, t.work_item, 'slot', null, 'a worker', 'slot', greatest(j.created_at, j.run_at), 'orchctl up'
from orch.job j join orch.task t on t.id = j.task_id
where j.status = 'queued' and not exists (select from orch.blocks_of(j.id));
comment on view orch.waits_for is
        'B-6: who waits for whom. Ask for one waiter (where waiter_kind = ''task'' and waiter_id = ...): of all of them at once it looks at every live task. orch.waits_chain() follows it.';
comment on column orch.waits_for.waiter_kind is 'task, or freeze';
comment on column orch.waits_for.waiter_id is 'Its id';
comment on column orch.waits_for.waiter is 'Its name: a work item, or the frozen repo';
comment on column orch.waits_for.holder_kind is 'task, freeze, person, slot, or axis: nobody in particular';
comment on column orch.waits_for.holder_id is 'Its id, of a task or freeze';
comment on column orch.waits_for.holder is 'Its name; of an axis the reason';
comment on column orch.waits_for.via is 'What makes it wait: an axis, lease, person or slot';
comment on column orch.waits_for.since is 'Since when';
comment on column orch.waits_for.cut is 'The act that would end this wait';

create function orch.waits_of(p_kind text, p_id bigint) returns setof orch.waits_for
language plpgsql stable as $$
declare
        said orch.waits_for[]; -- whole or not at all: rows returned before an error would stay
begin
        said := array(select f from orch.waits_for f where f.waiter_kind = p_kind and f.waiter_id = p_id order by f.via, f.holder_id limit 50);
        return query select * from unnest(said);
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        return query select p_kind, p_id, coalesce((select orch.item_name(t) from orch.task t where t.id = p_id and p_kind = 'task'), p_kind), 'axis', null::bigint,
                'what it waits for cannot be evaluated: ' || sqlerrm, 'axis', clock_timestamp(), 'mend the view or the setting that is named'::text;
end
$$;
comment on function orch.waits_of(text, bigint) is 'B-6, S-13: what one waiter waits for, at most 50 of it; when a view or a setting is broken, that';

create function orch.waits_chain(p_work_item text) returns table (depth integer, waiter text, via text, holder text, since timestamptz, cut text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        ahead jsonb[] := array[jsonb_build_object('kind', 'task', 'id', (orch.task_named(p_work_item)).id, 'depth', 1)];
        seen jsonb := '{}';
        w orch.waits_for;
        i integer := 1;
begin
        while i <= least(cardinality(ahead), 200) loop
                for w in select * from orch.waits_of(ahead[i] ->> 'kind', (ahead[i] ->> 'id')::bigint) loop
                        depth := (ahead[i] ->> 'depth')::integer;
                        waiter := w.waiter;
                        via := w.via;
                        holder := w.holder;
                        since := w.since;
                        cut := w.cut;
                        return next;
                        if w.holder_id is not null and not seen ? (w.holder_kind || w.holder_id) then
                                seen := seen || jsonb_build_object(w.holder_kind || w.holder_id, true);
                                ahead := ahead || jsonb_build_object('kind', w.holder_kind, 'id', w.holder_id, 'depth', depth + 1);
                        end if;
                end loop;
                i := i + 1;
        end loop;
end
$$;
comment on function orch.waits_chain(text) is 'B-6: what a work item waits for, what that waits for, and so on, down to who can end it; at most 200 of them, 50 waits of each';

create function orch.deadlock_of(p_task bigint, out tasks bigint[], out about text, out cut text)
language plpgsql stable as $$
declare
        ahead bigint[] := array[p_task];
        parents jsonb := '{}';
        w record;
        step text := p_task::text;
        best integer := 99;
        i integer := 1;
begin
        -- breadth first, so that the circle found is a shortest one; each task once
        while i <= least(cardinality(ahead), 1000) and not parents ? p_task::text loop
                for w in select f.waiter, f.holder_id, f.holder, f.via, f.cut from orch.waits_for f
                         where f.waiter_kind = 'task' and f.waiter_id = ahead[i] and f.holder_kind = 'task'
                loop
                        if not parents ? w.holder_id::text then
                                parents := parents || jsonb_build_object(w.holder_id::text, jsonb_build_object('from', ahead[i], 'via', w.via, 'cut', w.cut,
                                        'says', format('%s waits for %s (%s)', w.waiter, w.holder, w.via)));
                                ahead := ahead || w.holder_id;
                        end if;
                end loop;
                i := i + 1;
        end loop;
        if not parents ? p_task::text then
                return;
        end if;
        loop
                tasks := (parents -> step ->> 'from')::bigint || tasks;
                about := concat_ws(', ', parents -> step ->> 'says', about);
                -- a pause loses nothing; a dependency was meant by somebody; a lease covers work that is under way
                i := case parents -> step ->> 'via' when 'active-task' then 1 when 'dependency' then 2 else 3 end;
                if i < best then
                        best := i;
                        cut := parents -> step ->> 'cut';
                end if;
                step := parents -> step ->> 'from';
                exit when step = p_task::text;
        end loop;
end
$$;
comment on function orch.deadlock_of(bigint) is 'B-6: the circle of waits that a task is in, spelled out, and the cheapest act that opens it; nulls when there is none';

create function orch.finding_note(p_kind text, p_key text, p_task bigint, p_job bigint, p_about text, p_cut text, p_after_s integer) returns void
language plpgsql as $$
declare
        f orch.wait_finding;
        t orch.task;
begin
        insert into orch.wait_finding (kind, key, task_id, job_id, about, cut) values (p_kind, p_key, p_task, p_job, p_about, p_cut) on conflict do nothing;
        update orch.wait_finding set alerted_at = clock_timestamp()
        where kind = p_kind and key = p_key and ended_at is null and alerted_at is null and found_at <= clock_timestamp() - make_interval(secs => p_after_s)
          and (select count(*) from orch.wait_finding o where o.ended_at is null and o.alerted_at is not null) < 50 -- more alerts tell nobody more
        returning * into f;
        if found then
                select * into t from orch.task where id = p_task;
                perform orch.record('waits', 'reconciler', p_task, p_job, null, jsonb_build_object('kind', p_kind, 'about', p_about, 'cut', p_cut));
                perform orch.alert(t, format('%s:%s', p_kind, f.id), concat_ws('. ', p_about, 'Cheapest way out: ' || p_cut));
        end if;
end
$$;
comment on function orch.finding_note(text, text, bigint, bigint, text, text, integer) is 'Keeps a finding, and tells people of it, once, when it has lasted long enough';

create function orch.check_deadlocks(p_limit integer) returns integer
language plpgsql as $$
declare
        head bigint;
        d record;
        n integer := 0;
begin
        update orch.wait_finding f set ended_at = clock_timestamp()
        where f.kind = 'deadlock' and f.ended_at is null and (orch.deadlock_of(f.task_id)).tasks is null;
        -- dependencies alone close no circle, and the serial gate holds nobody up but behind a head of a lane
        for head in select h.task_id from orch.lane_head h
                    where exists (select from orch.task_dependency t join orch.task p on p.id = t.waits_for where t.task_id = h.task_id and not p.terminal)
                    order by random() limit p_limit
        loop
                select * into d from orch.deadlock_of(head);
                if d.tasks is not null then
                        n := n + 1;
                        perform orch.finding_note('deadlock', (select string_agg(k::text, ',' order by k) from unnest(d.tasks) k), head, null, 'Deadlock: ' || d.about, d.cut, 0);
                end if;
        end loop;
        return n;
end
$$;
comment on function orch.check_deadlocks(integer) is 'B-6: looks for circles of waits at some heads of lanes that wait, at random, so that it comes to all of them';

create function orch.check_starvation(p_limit integer) returns integer
language plpgsql as $$
declare
        j record;
        n integer := 0;
        after_s integer := orch.setting_int('starvation_s');
begin
        update orch.wait_finding f set ended_at = clock_timestamp()
        where f.kind = 'starvation' and f.ended_at is null
          and (after_s = 0 or not exists (select from orch.job k where k.id = f.job_id and k.status = 'queued')
               or exists (select from orch.blocks_of(f.job_id)));
        -- younger ones cannot have waited for so long; from then on they are watched. Some at random, so that a tick is bounded.
        for j in select c.id, c.task_id, orch.item_name(t) as work_item, k.role
                 from (select f.id, f.task_id from (select * from orch.job o where o.status = 'queued' and not o.entry
                                and greatest(o.created_at, o.run_at) < clock_timestamp() - make_interval(secs => after_s) order by random() limit p_limit * 4) f
                       cross join lateral (select not exists (select from orch.blocks_of(f.id)) as yes) free
                       where free.yes
                       union all
                       -- of a lane its head, or the first few where nothing is serial
                       select e.id, e.task_id from (select o.id, (select h.task_id from orch.lane_head h where h.repo_id = o.id) as head from (select id from orch.repo order by random() limit p_limit * 4) o) r
                       cross join lateral (select o.id, o.task_id from orch.job o where o.repo_id = r.id and o.entry and o.status = 'queued'
                                and (r.head is null or o.task_id = r.head) and greatest(o.created_at, o.run_at) < clock_timestamp() - make_interval(secs => after_s)
                                order by o.priority, o.id limit 5) e
                       where not exists (select from orch.blocks_of(e.id))) c
                 join orch.job k on k.id = c.id join orch.task t on t.id = c.task_id
                 where after_s > 0 order by c.id limit p_limit
        loop
                n := n + 1;
                perform orch.finding_note('starvation', j.id::text, j.task_id, j.id, format('The %s of %s could be claimed, and nobody does', j.role, j.work_item), null, after_s);
        end loop;
        return n;
end
$$;
comment on function orch.check_starvation(integer) is 'B-6: looks at some jobs and some lanes for jobs that no axis blocks and nobody claims, and watches these; alerts when they were watched for starvation_s';

create function orch.waits_check(p_limit integer) returns table (deadlocks integer, starving integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        deadlocks := 0;
        starving := 0;
        if pg_try_advisory_xact_lock(hashtext('orch.waits_check')) then
                deadlocks := orch.check_deadlocks(p_limit);
                starving := orch.check_starvation(p_limit);
        end if;
        return next;
end
$$;
comment on function orch.waits_check(integer) is 'B-6: a tick: circles of waits, and jobs that starve, each at most p_limit; one at a time in the cluster. One alert for each finding.';

create function orch.finding_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object('kind', f.kind, 'work_item', orch.item_name(t), 'about', f.about, 'cut', f.cut,
                'found_at', f.found_at, 'alerted_at', f.alerted_at) order by f.id), '[]'))
        from (select * from orch.wait_finding where ended_at is null and alerted_at is not null order by id limit 200) f join orch.task t on t.id = f.task_id;
end;
comment on function orch.finding_list() is 'B-6: the deadlocks, and the starving jobs, that are known now';
