-- 81_snapshots: /status, the version of the schema, and the metrics that come from the database. None of them counts
-- a backlog to its end: see 80_bounded.

create function orch.status_snapshot() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('at', clock_timestamp(),
                'tasks', orch.block($q$ select coalesce(jsonb_agg(to_jsonb(l) - 'task_id' order by l.task_id), '[]')
                                        from (select id from orch.task where not terminal order by id limit 200) t
                                        cross join lateral (select * from orch.live_task w where w.task_id = t.id offset 0) l $q$));
end;
comment on function orch.status_snapshot() is 'O-1: the live tasks, at most 200. They are chosen before anybody asks why they wait.';

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
select 'orch_queue_jobs' as name, 'gauge' as kind, format('scope="cluster",status="%s"', s.status) as labels, 'Jobs that are queued or running; above 5000 an estimate' as help,
       orch.estimated('job', format('status = %L', s.status), 'status', s.status)::double precision as value
from (values ('queued'), ('running')) s (status)
union all
select 'orch_tasks', 'gauge', format('scope="cluster",stage="%s"', s.key), 'Live tasks by stage; above 5000 an estimate',
       orch.estimated('task', format('not terminal and stage = %L', s.key), 'stage', s.key)
from orch.stage s where not s.terminal
union all
select 'orch_escalated_tasks', 'gauge', 'scope="cluster"', 'Live tasks that wait for a person because something failed; 5000: at least',
       orch.estimated('task', 'escalated_at is not null and not terminal')
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
       coalesce(orch.inbox_age_s(), 0)
union all
select 'orch_outbox_effects', 'gauge', 'scope="cluster"', 'Effects that are not executed yet; above 5000 an estimate',
       orch.estimated('effect', $$status = 'pending'$$, 'status', 'pending') + orch.estimated('effect', $$status = 'running'$$, 'status', 'running')
union all
select 'orch_dead_letters', 'gauge', 'scope="cluster"', 'Events and effects that were given up; 5000: at least', count(*)
from (select from orch.dead_letter limit orch.count_bound()) x
union all
select 'orch_processes', 'gauge', format('scope="cluster",kind="%s"', d.daemon), 'Processes believed alive', count(p.id)
from (values ('webhookd'), ('workerd'), ('reaperd'), ('reconcilerd')) d (daemon)
left join orch.process p on p.daemon = d.daemon and p.ended_at is null group by d.daemon
union all
select 'orch_frozen_repos', 'gauge', 'scope="cluster"', 'Repos with an active freeze', count(distinct repo_id)
from orch.repo_freeze where cleared_at is null
union all
select 'orch_disk_free_bytes', 'gauge', format('scope="cluster",host="%s",path="%s"', w.host, orch.label_text(w.path)), 'Room on a watched disk of a host', w.free_bytes
from orch.host_room w where w.what = 'disk' and w.free_bytes is not null
union all
select 'orch_disk_low', 'gauge', format('scope="cluster",host="%s",path="%s"', w.host, orch.label_text(w.path)), 'Whether a watched disk of a host has too little room', w.bad::integer
from orch.host_room w where w.what = 'disk'
union all
select 'orch_cache_prune_failing', 'gauge', format('scope="cluster",host="%s"', w.host), 'Whether the last run of the cache pruner of a host failed', w.bad::integer
from orch.host_room w where w.what = 'cache-prune'
union all
select 'orch_deploys_under_way', 'gauge', 'scope="cluster"', 'Deploys and rollbacks that were initiated and have not ended', count(*)
from orch.deploy_record where initiated_at is not null and finished_at is null
union all
select 'orch_watches', 'gauge', format('scope="cluster",state="%s"', k.state), 'Watches in production that have no verdict yet, or an INCONCLUSIVE one that waits for a person',
       count(o.id)
from (values ('watching'), ('inconclusive')) k (state)
left join orch.observation o on (k.state = 'watching' and o.ended_at is null) or (k.state = 'inconclusive' and o.verdict = 'INCONCLUSIVE' and o.decided_at is null) group by k.state
union all
select 'orch_wait_findings', 'gauge', format('scope="cluster",kind="%s"', k.kind), 'Deadlocks and starving jobs that people were alerted about', count(f.id)
from (values ('deadlock'), ('starvation')) k (kind)
left join orch.wait_finding f on f.kind = k.kind and f.ended_at is null and f.alerted_at is not null group by k.kind
union all
select 'orch_review_waiting', 'gauge', format('scope="cluster",gate="%s"', g.key), 'I-6: tasks that wait for a person at a gate; 5000: at least', (select count(*)
        from (select from orch.human_wait w where w.gate = g.key and w.ended_at is null limit orch.count_bound()) x) from orch.human_gate g
union all
select 'orch_review_oldest_seconds', 'gauge', format('scope="cluster",gate="%s"', g.key), 'I-6: how long the task that waits longest has waited for a person',
       coalesce((select extract(epoch from clock_timestamp() - min(w.since)) from orch.human_wait w where w.gate = g.key and w.ended_at is null), 0) from orch.human_gate g
union all
select 'orch_reviews_total', 'counter', format('scope="cluster",gate="%s"', g.key), 'I-6: verdicts of people', coalesce(r.verdicts, 0)
from orch.human_gate g left join orch.review_total r on r.gate = g.key
union all
select 'orch_review_seconds_total', 'counter', format('scope="cluster",gate="%s"', g.key), 'I-6: seconds that tasks have waited for people', coalesce(r.seconds, 0)
from orch.human_gate g left join orch.review_total r on r.gate = g.key
union all
select 'orch_sweep_results_total', 'counter', format('scope="cluster",kind="%s",result="%s"', c.kind, c.result), 'R-2, R-3: what sweeps of services outside made of what they saw', c.n
from orch.sweep_count c
union all
select 'orch_webhooks_failing', 'gauge', format('scope="cluster",project="%s",kind="%s"', orch.label_text(p.name), s.kind), 'I-3: whether the webhooks of a project do not come, as far as we know', (s.alerted)::integer
from orch.sweep s join orch.project p on p.id = s.project_id;
comment on view orch.metric is 'Metrics that come from the database: the same on every host, so aggregate with max';
comment on column orch.metric.name is 'Metric';
comment on column orch.metric.kind is 'counter or gauge';
comment on column orch.metric.labels is 'Labels as Prometheus writes them';
comment on column orch.metric.help is 'Help text';
comment on column orch.metric.value is 'Value';

create function orch.metric_rows(out name text, out kind text, out labels text, out help text, out value double precision, out keep_ms bigint) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        keep_s integer := orch.setting_int('metric_keep_s');
        kept orch.metric_kept;
        age_s double precision;
begin
        for look in 1 .. 2 loop
                select * into kept from orch.metric_kept;
                age_s := extract(epoch from clock_timestamp() - kept.taken_at);
                exit when abs(age_s) < keep_s; -- abs: the clock may have been set back
                kept := null;
                if look = 1 then
                        perform pg_advisory_xact_lock(hashtext('orch.metric_rows')); -- one counts, the others wait for it
                end if;
        end loop;
        if kept.taken_at is null then
                select true, clock_timestamp(), jsonb_agg(m) into kept from orch.metric m;
                begin
                        insert into orch.metric_kept as k (taken_at, metrics) values (kept.taken_at, kept.metrics)
                        on conflict (only_row) do update set taken_at = excluded.taken_at, metrics = excluded.metrics;
                exception when insufficient_resources then
                        keep_s := 0; -- now of all times somebody looks: shown, and not kept
                end;
                age_s := extract(epoch from clock_timestamp() - kept.taken_at);
        end if;
        keep_ms := floor(1000 * greatest(keep_s - abs(age_s), 0));
        return query select m.*, keep_ms from jsonb_populate_recordset(null::orch.metric, kept.metrics) m;
end
$$;
comment on function orch.metric_rows() is
        'The metrics, at most metric_keep_s old, for webhookd, which has no rights on tables; keep_ms: how long they hold for everybody. Who asks after another is told nothing older, whichever process of whichever host answers: else counters would seem to start anew';
