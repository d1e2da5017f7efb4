-- 55_reap: what reapers see of the whole cluster, and the tiers that need no host (R-6, R-7, T-3).

create function orch.process_beats(p_limit integer)
returns table (process_id bigint, host text, boot_id text, daemon text, pid integer, pid_start bigint, beat_count bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select p.id, h.name, p.boot_id, p.daemon, p.pid, p.pid_start, p.beat_count
        from orch.process p join orch.host h on h.id = p.host_id where p.ended_at is null order by p.beat_at, p.id limit p_limit;
end;
comment on function orch.process_beats(integer) is
        'R-6: the processes of all hosts that are believed alive, the most silent first. A reaper compares those of its host with what runs there; of any that it sees at the same beat_count for takeover_after, on its own clock, it says process_gone().';

create function orch.reap_overdue(p_limit integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j orch.job;
        t orch.task;
        n integer := 0;
        ceiling integer := orch.setting_int('reaper_max_running_s');
        owners bigint[];
begin
        if not pg_try_advisory_xact_lock(hashtext('orch.reap_overdue')) then
                return 0;
        end if;
        owners := array(select distinct k.process_id from orch.job k where k.status = 'running' and k.claimed_at < clock_timestamp() - make_interval(secs => ceiling));
        perform orch.owner_hold(owners);
        for j in select * from orch.job k where k.status = 'running' and k.claimed_at < clock_timestamp() - make_interval(secs => ceiling)
                 and k.process_id = any (owners) order by k.claimed_at limit p_limit
        loop
                if orch.job_revoke(j.id, j.token, session_user, format('it has run for more than %s s', ceiling)) then
                        n := n + 1;
                        select * into t from orch.task where id = j.task_id;
                        perform orch.alert(t, format('overdue:%s:%s', j.id, j.epoch), format('the %s ran for more than %s s and was taken back', j.role, ceiling));
                end if;
        end loop;
        -- R-7: leases that nobody alive holds; those of orphans wait with their job
        perform orch.merge_lease_sweep();
        delete from orch.transition_lease l
        where not exists (select from orch.process p where p.id = l.process_id and p.ended_at is null)
          and not exists (select from orch.job k where k.task_id = l.task_id and k.status = 'running');
        return n;
end
$$;
comment on function orch.reap_overdue(integer) is
        'R-6 tier 3, R-7, T-3: jobs older than the ceiling are taken back whatever their owner claims, with an alert, and run again when their agent has surely stopped; leases without a living owner are reclaimed. Returns the number of jobs.';

create view orch.lease as
select t.work_item, r.name as repo, l.purpose, h.name as host, p.pid, p.ended_at is null as alive, l.taken_at
from orch.transition_lease l
join orch.task t on t.id = l.task_id join orch.repo r on r.id = t.repo_id
join orch.process p on p.id = l.process_id join orch.host h on h.id = p.host_id;
comment on view orch.lease is 'T-1, T-2: the transition leases that are held, and by whom';
comment on column orch.lease.work_item is 'Task whose transition it is';
comment on column orch.lease.repo is 'Its repo';
comment on column orch.lease.purpose is 'Role whose work needs the lease';
comment on column orch.lease.host is 'Host of the owner';
comment on column orch.lease.pid is 'Process of the owner';
comment on column orch.lease.alive is 'Whether the owner is believed alive';
comment on column orch.lease.taken_at is 'Since when';

create function orch.lease_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('leases', coalesce(jsonb_agg(to_jsonb(l)
                || jsonb_build_object('held_s', floor(extract(epoch from clock_timestamp() - l.taken_at))::bigint) order by l.taken_at), '[]'),
                'merge_leases', (select coalesce(jsonb_agg(jsonb_build_object('repo', r.name, 'work_item', t.work_item, 'stage', t.stage, 'taken_at', m.taken_at,
                        'held_s', floor(extract(epoch from clock_timestamp() - m.taken_at))::bigint) order by m.taken_at), '[]')
                        from orch.merge_lease m join orch.task t on t.id = m.task_id join orch.repo r on r.id = m.repo_id)) from orch.lease l;
end;
comment on function orch.lease_list() is 'The transition leases and the merge leases that are held';

create function orch.lease_release(p_work_item text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task := orch.task_named(p_work_item);
        l orch.transition_lease;
        j orch.job;
        before jsonb := orch.lease_list();
        said text := format('%s has no transition lease', p_work_item);
        owner bigint;
begin
        loop
                select process_id into owner from orch.transition_lease where task_id = t.id;
                perform orch.owner_hold(array[owner]);
                perform from orch.task where id = t.id for no key update;
                exit when owner is not distinct from (select process_id from orch.transition_lease where task_id = t.id);
        end loop;
        select * into l from orch.transition_lease where task_id = t.id;
        if found then
                select * into j from orch.job where task_id = t.id and status = 'running' and epoch = l.epoch;
                if found then
                        perform orch.job_revoke(j.id, j.token, orch.actor(), 'its transition lease was released by ' || orch.actor());
                end if;
                delete from orch.transition_lease where task_id = t.id;
                perform orch.record('lease', orch.actor(), t.id, j.id, l.epoch, jsonb_build_object('released', true, 'purpose', l.purpose));
                said := format('the transition lease of %s (%s) is released%s', p_work_item, l.purpose,
                        case when j.id is not null then '; its job was taken back and will run again when its agent has surely stopped' else '' end);
        end if;
        select * into t from orch.task where id = t.id;
        if orch.merge_lease_yield(t, orch.actor(), 'released by ' || orch.actor()) then
                said := said || '; the merge lease of its repo is free, and its branch will be brought up to date again';
        elsif exists (select from orch.merge_lease m where m.task_id = t.id) then
                said := said || '; it keeps the merge lease of its repo: its deploy has begun, or what runs under the lease may still act';
        end if;
        perform orch.audit_act('lease_release', p_work_item, '{}', before, orch.lease_list());
        return orch.lease_list() || jsonb_build_object('message', said);
end
$$;
comment on function orch.lease_release(text) is 'T-3, M-1, O-2: releases the leases of a task by force, the merge lease only when nothing can act under it; a job that runs under it is taken back, so that its owner is fenced, and runs again when its agent has surely stopped';
