-- 81_queue: what the scheduler looks at, for people and programs (O-1): /queue, `orchctl queue`. The answer takes the
-- same time whatever the backlog: lists are pages, counts are bounded. A block that fails says so inside the answer.

create view orch.queue_block as
select * from (values
        ('counts', $q$ select jsonb_build_object('queued', orch.counted_json('job', $w$status = 'queued'$w$, 'status', 'queued'),
                'running', orch.counted_json('job', $w$status = 'running'$w$, 'status', 'running')) $q$),
        ('leases', $q$ select jsonb_build_object(
                'transition', coalesce((select jsonb_agg(jsonb_build_object('work_item', t.work_item, 'purpose', l.purpose, 'taken_at', l.taken_at))
                        from (select * from orch.transition_lease order by task_id limit 200) l join orch.task t on t.id = l.task_id), '[]'),
                'merge', coalesce((select jsonb_agg(jsonb_build_object('repo', r.name, 'work_item', t.work_item, 'taken_at', m.taken_at))
                        from (select * from orch.merge_lease order by repo_id limit 200) m join orch.task t on t.id = m.task_id join orch.repo r on r.id = m.repo_id), '[]')) $q$),
        ('stop', $q$ select coalesce(jsonb_agg(jsonb_build_object('work_item', t.work_item, 'stage', t.stage, 'requested_by', t.cancel_requested_by, 'requested_at', t.cancel_requested_at,
                        'deferred', orch.stop_window(t) <> 'none', 'agent_told_at', (select j.stop_requested_at from orch.job j where j.task_id = t.id and j.active)) order by t.id), '[]')
                from (select * from orch.task where cancel_requested_at is not null order by id limit 200) t $q$),
        ('capacity', $q$ select coalesce(jsonb_agg(to_jsonb(u) order by u.scope, u.name), '[]') from (select * from orch.capacity_use order by scope, name limit 200) u $q$),
        ('resilience', $q$ select jsonb_build_object(
                'circuits', coalesce((select jsonb_agg(jsonb_build_object('provider', c.provider, 'state', c.state, 'open_until', c.open_until, 'reason', c.reason) order by c.provider)
                        from (select * from orch.provider_circuit where state <> 'closed' order by provider limit 200) c), '[]'),
                'transients', (select jsonb_build_object('jobs', orch.count_json(count(*)), 'worst', max(x.transients), 'next_try_at', min(x.run_at) filter (where x.status = 'queued'))
                        from (select j.* from orch.job j where j.active and j.transients > 0 order by j.run_at limit orch.count_bound()) x)) $q$),
        ('reconcile', $q$ select jsonb_build_object(
                'beat_s', (select floor(extract(epoch from clock_timestamp() - max(p.beat_at)))::integer from orch.process p where p.ended_at is null and p.daemon = 'reconcilerd'),
                'findings', coalesce((select jsonb_agg(jsonb_build_object('kind', f.kind, 'work_item', orch.item_name(t), 'about', f.about, 'cut', f.cut, 'found_at', f.found_at) order by f.id)
                        from (select * from orch.wait_finding where ended_at is null order by id limit 200) f join orch.task t on t.id = f.task_id), '[]')) $q$),
        ('reaper', $q$ select jsonb_build_object(
                'beat_s', (select floor(extract(epoch from clock_timestamp() - max(p.beat_at)))::integer from orch.process p where p.ended_at is null and p.daemon = 'reaperd'),
                'silent', coalesce((select jsonb_agg(jsonb_build_object('host', h.name, 'daemon', p.daemon, 'pid', p.pid,
                                'silent_s', floor(extract(epoch from clock_timestamp() - p.beat_at))::integer) order by p.id)
                        from orch.process p join orch.host h on h.id = p.host_id
                        where p.ended_at is null and p.beat_at < clock_timestamp() - make_interval(secs => orch.setting_int('process_dead_after_s'))), '[]'),
                'orphans', orch.counted_json('job', 'orphaned_at is not null'),
                'oldest_orphan_s', (select floor(extract(epoch from clock_timestamp() - min(x.orphaned_at)))::integer
                        from (select j.orphaned_at from orch.job j where j.orphaned_at is not null limit orch.count_bound()) x)) $q$),
        ('post_deploy', $q$ select jsonb_build_object(
                'deploys', coalesce((select jsonb_agg(jsonb_build_object('work_item', d.work_item, 'kind', d.kind, 'state', d.state, 'sha', d.sha, 'host', d.host, 'initiated_at', d.initiated_at) order by d.id)
                        from (select k.* from orch.deploy_record r join orch.deploy k on k.id = r.id where r.initiated_at is not null and r.finished_at is null order by r.id limit 200) d), '[]'),
                'watches', coalesce((select jsonb_agg(to_jsonb(o) - '{id,target,comment,told_at}'::text[] order by o.id)
                        from (select k.* from orch.observation r join orch.observed k on k.id = r.id
                              where r.ended_at is null or (r.verdict = 'INCONCLUSIVE' and r.decided_at is null) order by r.id limit 200) o), '[]')) $q$),
        ('inbox', $q$ select jsonb_build_object('received', orch.counted_json('event', $w$status = 'received'$w$, 'status', 'received'),
                'routed', orch.counted_json('event', $w$status = 'routed'$w$, 'status', 'routed'), 'oldest_s', orch.inbox_age_s()) $q$),
        ('outbox', $q$ select jsonb_build_object('pending', orch.counted_json('effect', $w$status = 'pending'$w$, 'status', 'pending'),
                'running', orch.counted_json('effect', $w$status = 'running'$w$, 'status', 'running'), 'oldest_s', orch.outbox_age_s()) $q$),
        ('axis_faults', $q$ select coalesce(jsonb_agg(jsonb_build_object('axis', f.axis, 'on_failure', a.on_failure, 'error', f.error,
                        'failures', f.failures, 'since', f.first_at) order by f.id), '[]')
                from orch.axis_fault f left join orch.axis a on a.key = f.axis where f.cleared_at is null $q$),
        ('dead_letters', $q$ select orch.count_json(count(*)) from (select from orch.dead_letter limit orch.count_bound()) x $q$),
        ('processes', $q$ select coalesce(jsonb_agg(jsonb_build_object('host', h.name, 'daemon', p.daemon, 'pid', p.pid, 'version', p.version,
                        'draining', p.draining, 'beat_s', floor(extract(epoch from clock_timestamp() - p.beat_at))::integer) order by p.id), '[]')
                from (select * from orch.process where ended_at is null order by id limit 1000) p join orch.host h on h.id = p.host_id $q$))
        v (key, query);
comment on view orch.queue_block is 'O-1: the blocks of /queue that are one value each, and the query of each';
comment on column orch.queue_block.key is 'Name of the block';
comment on column orch.queue_block.query is 'The query that gives its value';

create view orch.queue_list as
select * from (values
        ('running', 'bigint', $q$ select j.id::text as key, jsonb_build_object('job', l.job, 'work_item', l.work_item, 'role', l.role, 'running_s', l.running_s, 'host', h.name, 'pid', r.pid) as item
                from (select * from (select * from orch.job where status = 'running' offset 0) z where z.id > coalesce($1::bigint, 0) order by z.id limit $2) j
                cross join lateral (select * from orch.live_task w where w.task_id = j.task_id offset 0) l
                join orch.run r on r.job_id = j.id and r.epoch = j.epoch
                join orch.process p on p.id = j.process_id join orch.host h on h.id = p.host_id order by j.id $q$),
        ('waiting', 'bigint', $q$ select t.id::text as key, jsonb_build_object('job', l.job, 'work_item', l.work_item, 'role', l.role, 'stage', l.stage, 'waits', l.waits) as item
                from (select t.id from orch.task t where not t.terminal and t.id > coalesce($1::bigint, 0)
                      and not exists (select from orch.job j where j.task_id = t.id and j.active and j.status = 'running') order by t.id limit $2) t
                cross join lateral (select * from orch.live_task w where w.task_id = t.id offset 0) l order by t.id $q$),
        ('repos', 'text', $q$ select r.name as key, jsonb_build_object('name', r.name,
                        'active_task', (select a.work_item from orch.active_task a where a.repo_id = r.id order by a.id limit 1),
                        'waiting', (select orch.count_json(count(*), null, 200) from (select from orch.job j where j.repo_id = r.id and j.status = 'queued' and j.entry limit 200) x),
                        'paused', coalesce((select jsonb_agg(p.work_item order by p.id) from (select t.id, t.work_item from orch.task t
                                where t.repo_id = r.id and t.paused_at is not null and not t.terminal order by t.id limit 20) p), '[]'),
                        'frozen', f.id is not null, 'frozen_reason', f.reason, 'frozen_at', f.frozen_at) as item
                from (select * from orch.repo where name > coalesce($1, '') order by name limit $2) r
                left join lateral (select * from orch.repo_freeze z where z.repo_id = r.id and z.cleared_at is null order by z.id limit 1) f on true order by r.name $q$))
        v (key, type, query);
comment on view orch.queue_list is 'O-1: the blocks of /queue that are lists, and the query of each, which takes the key it goes on after and how many rows';
comment on column orch.queue_list.key is 'Name of the list';
comment on column orch.queue_list.type is 'Type of the keys of its rows';
comment on column orch.queue_list.query is 'The query that gives its rows (key, item), in order';

create function orch.queue_page(p_list orch.queue_list, p_after text) returns jsonb
language sql stable
return (select jsonb_build_object(
                p_list.key, case when p_list.key = 'repos' and jsonb_typeof(b.page) = 'array'
                                 then (select coalesce(jsonb_object_agg(i ->> 'name', i - 'name'), '{}') from jsonb_array_elements(b.page) i) else b.page end,
                'next', case when b.next is null then '{}'::jsonb else jsonb_build_object(p_list.key, p_list.key || ':' || b.next) end)
        from orch.block_page(p_list.query, p_after, orch.page_rows()) b);
comment on function orch.queue_page(orch.queue_list, text) is 'A page of a list, and in "next" how to ask for the next one';

create function orch.queue_snapshot(p_after text default null) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
        answer jsonb := jsonb_build_object('at', clock_timestamp());
        key text := substring(p_after from '^[a-z]+:(.*)$');
        l orch.queue_list;
        page jsonb;
        next jsonb := '{}';
begin
        select * into l from orch.queue_list q where q.key = split_part(p_after, ':', 1);
        if p_after is not null and (l.key is null or coalesce(key, '') = '' or (l.type = 'bigint' and key !~ '^[0-9]{1,18}$')) then
                perform orch.refuse('OR003', format('%s is no page of the queue', orch.quoted(p_after)), 'Take it from "next" of the page before');
        end if;
        for l in select * from orch.queue_list q where p_after is null or q.key = l.key loop
                page := orch.queue_page(l, key);
                next := next || (page -> 'next');
                answer := answer || (page - 'next');
        end loop;
        if p_after is null then
                answer := answer || (select jsonb_object_agg(b.key, orch.block(b.query)) from orch.queue_block b);
        end if;
        return answer || jsonb_build_object('next', next);
end
$$;
comment on function orch.queue_snapshot(text) is
        'O-1: counts, running, waiting with reasons, gate state per repo, leases, stops, capacity, resilience, reconciler, reaper, inbox, outbox, dead letters, processes. Lists have page_rows() rows; "next" has for each that goes on what to ask for, and such a page has that list only.';
