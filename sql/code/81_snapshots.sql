-- 81_snapshots: the answers of the status port, and the metrics that come from the database. A block that fails says
-- so inside the answer; the rest is there (O-1).

create function orch.block(p_query text) returns jsonb
language plpgsql stable as $$
declare
        answer jsonb;
        failure text;
begin
        execute p_query into answer;
        return answer;
exception when others then
        get stacked diagnostics failure = message_text;
        return jsonb_build_object('error', failure);
end
$$;
comment on function orch.block(text) is 'One block of a snapshot: the value of a query of ours, or {"error": why it has none}';

create function orch.status_snapshot() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('at', clock_timestamp(),
                'tasks', orch.block($q$ select coalesce(jsonb_agg(to_jsonb(l) - 'task_id' order by l.task_id), '[]')
                                        from (select id from orch.task where not terminal order by id limit 200) t
                                        cross join lateral (select * from orch.live_task w where w.task_id = t.id offset 0) l $q$));
end;
comment on function orch.status_snapshot() is 'O-1: the live tasks, at most 200. They are chosen before anybody asks why they wait.';

create function orch.queue_snapshot() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('at', clock_timestamp(),
                'counts', orch.block($q$ select jsonb_object_agg(s.status, coalesce(c.n, 0))
                        from (values ('queued'), ('running')) s (status)
                        left join (select status, count(*) as n from orch.job where active group by status) c using (status) $q$),
                'running', orch.block($q$ select coalesce(jsonb_agg(jsonb_build_object('job', l.job, 'work_item', l.work_item, 'role', l.role, 'running_s', l.running_s,
                                'host', h.name, 'pid', r.pid) order by l.job), '[]')
                        from (select * from orch.job where status = 'running' order by id limit 200) j
                        cross join lateral (select * from orch.live_task w where w.task_id = j.task_id offset 0) l
                        join orch.run r on r.job_id = j.id and r.epoch = j.epoch
                        join orch.process p on p.id = j.process_id join orch.host h on h.id = p.host_id $q$),
                'waiting', orch.block($q$ select coalesce(jsonb_agg(jsonb_build_object('job', l.job, 'work_item', l.work_item, 'role', l.role, 'stage', l.stage, 'waits', l.waits) order by l.task_id), '[]')
                        from (select t.id from orch.task t where not t.terminal
                              and not exists (select from orch.job j where j.task_id = t.id and j.active and j.status = 'running') order by t.id limit 200) t
                        cross join lateral (select * from orch.live_task w where w.task_id = t.id offset 0) l $q$),
                'repos', orch.block($q$ select coalesce(jsonb_object_agg(r.name, jsonb_build_object(
                                'active_task', (select a.work_item from orch.active_task a where a.repo_id = r.id order by a.id limit 1),
                                'waiting', (select count(*) from orch.job j where j.repo_id = r.id and j.status = 'queued' and j.entry),
                                'paused', coalesce((select jsonb_agg(t.work_item order by t.id) from orch.task t where t.repo_id = r.id and not t.terminal and t.paused_at is not null), '[]'),
                                'frozen', f.id is not null, 'frozen_reason', f.reason, 'frozen_at', f.frozen_at)), '{}')
                        from orch.repo r left join lateral (select * from orch.repo_freeze z where z.repo_id = r.id and z.cleared_at is null order by z.id limit 1) f on true $q$),
                'leases', orch.block($q$ select jsonb_build_object(
                                'transition', coalesce((select jsonb_agg(jsonb_build_object('work_item', t.work_item, 'purpose', l.purpose, 'taken_at', l.taken_at))
                                        from orch.transition_lease l join orch.task t on t.id = l.task_id), '[]'),
                                'merge', coalesce((select jsonb_agg(jsonb_build_object('repo', r.name, 'work_item', t.work_item, 'taken_at', m.taken_at))
                                        from orch.merge_lease m join orch.task t on t.id = m.task_id join orch.repo r on r.id = m.repo_id), '[]')) $q$),
                'inbox', orch.block($q$ select jsonb_build_object('received', count(*) filter (where status = 'received'), 'routed', count(*) filter (where status = 'routed'),
                                'oldest_s', floor(extract(epoch from clock_timestamp() - min(received_at)))::integer)
                        from orch.event where status in ('received', 'routed') $q$),
                'outbox', orch.block($q$ select jsonb_build_object('pending', count(*) filter (where status = 'pending'), 'running', count(*) filter (where status = 'running'),
                                'oldest_s', floor(extract(epoch from clock_timestamp() - min(created_at)))::integer)
                        from orch.effect where status in ('pending', 'running') $q$),
                'axis_faults', orch.block($q$ select coalesce(jsonb_agg(jsonb_build_object('axis', f.axis, 'on_failure', a.on_failure, 'error', f.error,
                                'failures', f.failures, 'since', f.first_at) order by f.id), '[]')
                        from orch.axis_fault f left join orch.axis a on a.key = f.axis where f.cleared_at is null $q$),
                'dead_letters', orch.block($q$ select to_jsonb(count(*)) from orch.dead_letter $q$),
                'processes', orch.block($q$ select coalesce(jsonb_agg(jsonb_build_object('host', h.name, 'daemon', p.daemon, 'pid', p.pid, 'version', p.version,
                                'draining', p.draining, 'beat_s', floor(extract(epoch from clock_timestamp() - p.beat_at))::integer) order by p.id), '[]')
                        from orch.process p join orch.host h on h.id = p.host_id where p.ended_at is null $q$));
end;
comment on function orch.queue_snapshot() is 'O-1: counts, running, waiting with reasons, gate state per repo, leases, inbox, outbox, processes';

create function orch.schema_version() returns integer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        newest integer;
begin
        -- the ledger is orchctl's, and is not there while the very first migration runs
        execute 'select max(version) from orch.schema_migration' into newest;
        return newest;
end
$$;
comment on function orch.schema_version() is 'Number of the newest migration: a daemon refuses what it was not built for';

create function orch.schema_oldest() returns integer
language sql immutable
return 5;
comment on function orch.schema_oldest() is
        'Newest migration that the oldest programs were built with whose statements these functions still serve: those of the release before. A daemon that is older refuses.';

create function orch.oldest_claimable_s() returns double precision
language plpgsql stable as $$
begin
        return coalesce((select extract(epoch from clock_timestamp() - min(greatest(j.created_at, j.run_at)))
                from ((select k.id from orch.job k where k.status = 'queued' and not k.entry and k.active order by k.priority, k.id limit 200)
                      union all
                      (select r.entry_job from orch.repo r where r.entry_rank is not null order by r.entry_rank, r.last_started_at nulls first, r.id limit 200)) c
                join orch.job j on j.id = c.id
                where j.status = 'queued' and not exists (select from orch.blocks_of(j.id))), 0);
end
$$;
comment on function orch.oldest_claimable_s() is 'Age of the oldest job that could be claimed, of the 200 most urgent jobs under way and of the first of the 200 repos whose turn is next: bounded, whatever the backlog';

create view orch.metric as
select 'orch_queue_jobs' as name, 'gauge' as kind, format('scope="cluster",status="%s"', s.status) as labels, 'Jobs that are queued or running' as help,
       coalesce(c.n, 0)::double precision as value
from (values ('queued'), ('running')) s (status)
left join (select status, count(*) as n from orch.job where active group by status) c using (status)
union all
select 'orch_tasks', 'gauge', format('scope="cluster",stage="%s"', s.key), 'Live tasks by stage', count(t.id)
from orch.stage s left join orch.task t on t.stage = s.key and not t.terminal where not s.terminal group by s.key
union all
select 'orch_escalated_tasks', 'gauge', 'scope="cluster"', 'Live tasks that wait for a person because something failed', count(*)
from orch.task where not terminal and escalated_at is not null
union all
select 'orch_oldest_claimable_seconds', 'gauge', 'scope="cluster"', 'Age of the oldest queued job that no axis blocks', orch.oldest_claimable_s()
union all
select 'orch_circuit_open', 'gauge', format('scope="cluster",provider="%s"', c.provider), 'Whether a provider cannot be asked now', (c.state <> 'closed')::integer
from orch.provider_circuit c
union all
select 'orch_limit_slots', 'gauge', format('scope="cluster",limit="%s",name="%s"', u.scope, u.name), 'Jobs that a limit admits', u.slots from orch.capacity_use u
union all
select 'orch_limit_used', 'gauge', format('scope="cluster",limit="%s",name="%s"', u.scope, u.name), 'Jobs that run under a limit', u.used from orch.capacity_use u
union all
select 'orch_preflight_failing', 'gauge', format('scope="cluster",host="%s"', w.host), 'Roles whose agent cannot be started on a host, of its worker that has the most',
       max((select count(*) from jsonb_object_keys(w.preflight)))
from orch.worker w group by w.host
union all
select 'orch_axis_failing', 'gauge', format('scope="cluster",axis="%s"', a.key), 'Whether an axis of the scheduler cannot be evaluated now', count(f.id)
from orch.axis a left join orch.axis_fault f on f.axis = a.key and f.cleared_at is null group by a.key
union all
select 'orch_axis_failures_total', 'counter', format('scope="cluster",axis="%s"', a.key), 'Times that an axis could not be evaluated', coalesce(sum(f.failures), 0)
from orch.axis a left join orch.axis_fault f on f.axis = a.key group by a.key
union all
select 'orch_lane_drifts_total', 'counter', 'scope="cluster"', 'Lanes that a claim found ready without having been told; must stay 0', coalesce(sum(drifts), 0) from orch.repo
union all
select 'orch_inbox_age_seconds', 'gauge', 'scope="cluster"', 'Age of the oldest event that is not handled',
       coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0)
from orch.event where status in ('received', 'routed')
union all
select 'orch_outbox_effects', 'gauge', 'scope="cluster"', 'Effects that are not executed yet', count(*)
from orch.effect where status in ('pending', 'running')
union all
select 'orch_dead_letters', 'gauge', 'scope="cluster"', 'Events and effects that were given up', count(*) from orch.dead_letter
union all
select 'orch_processes', 'gauge', format('scope="cluster",kind="%s"', d.daemon), 'Processes believed alive', count(p.id)
from (values ('webhookd'), ('workerd'), ('reaperd'), ('reconcilerd')) d (daemon)
left join orch.process p on p.daemon = d.daemon and p.ended_at is null group by d.daemon
union all
select 'orch_frozen_repos', 'gauge', 'scope="cluster"', 'Repos with an active freeze', count(distinct repo_id)
from orch.repo_freeze where cleared_at is null
union all
select 'orch_wait_findings', 'gauge', format('scope="cluster",kind="%s"', k.kind), 'Deadlocks and starving jobs that people were alerted about', count(f.id)
from (values ('deadlock'), ('starvation')) k (kind)
left join orch.wait_finding f on f.kind = k.kind and f.ended_at is null and f.alerted_at is not null group by k.kind;
comment on view orch.metric is 'Metrics that come from the database: the same on every host, so aggregate with max';
comment on column orch.metric.name is 'Metric';
comment on column orch.metric.kind is 'counter or gauge';
comment on column orch.metric.labels is 'Labels as Prometheus writes them';
comment on column orch.metric.help is 'Help text';
comment on column orch.metric.value is 'Value';

create function orch.metric_rows() returns setof orch.metric
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select * from orch.metric;
end;
comment on function orch.metric_rows() is 'The metrics, for webhookd, which has no rights on tables';
