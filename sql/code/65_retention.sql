-- 65_retention: what is kept for how long, and what goes when that is over (J-9, R-10). Each rule is a view of the rows whose
-- time is over; the tick of the reaper removes the first of them, and `orchctl retention` counts them by the same view.
-- What runs leave on hosts is below: the reaper of the host asks for it, removes it, and says so. History, audit,
-- tasks, jobs and runs are kept for ever (docs/adr/0014-history-is-kept-versions-are-thinned.md).

create function orch.kept_since(p_setting text) returns timestamptz
language plpgsql stable as $$
declare
        days integer := orch.setting_int(p_setting);
begin
        return case when days = 0 then '-infinity' else clock_timestamp() - make_interval(days => days) end;
end
$$;
comment on function orch.kept_since(text) is 'What is older goes; -infinity when the setting is 0: nothing goes';

create function orch.kept_for(p_setting text) returns text
language plpgsql stable as $$
declare
        n integer := orch.setting_int(p_setting);
begin
        return case when p_setting not like '%\_days' then n || ' s' when n = 0 then 'for ever' else n || ' days' end;
end
$$;
comment on function orch.kept_for(text) is 'How long a setting says, for people';

create function orch.retention_batch() returns integer
language sql immutable
return 500;
comment on function orch.retention_batch() is 'R-10: rows that one tick removes by each rule';

create view orch.due_event_body as
select e.ctid as row_at, coalesce(e.dropped_at, e.ended_at) as over_at from orch.event e
where e.body_removed_at is null and (e.status in ('handled', 'ignored') or e.dropped_at is not null)
  and coalesce(e.dropped_at, e.ended_at) < orch.kept_since('keep_event_bodies_days');
comment on view orch.due_event_body is 'Events whose body has been kept long enough; those that were given up keep it until somebody drops them';
comment on column orch.due_event_body.row_at is 'The row';
comment on column orch.due_event_body.over_at is 'Since when it is over';

create view orch.due_event as
select e.ctid as row_at, coalesce(e.dropped_at, e.ended_at) as over_at from orch.event e
where (e.status in ('handled', 'ignored') or e.dropped_at is not null) and coalesce(e.dropped_at, e.ended_at) < orch.kept_since('keep_events_days');
comment on view orch.due_event is 'Events that have been kept long enough';
comment on column orch.due_event.row_at is 'The row';
comment on column orch.due_event.over_at is 'Since when it is over';

create view orch.due_dedup_plane as
select d.ctid as row_at, d.seen_at as over_at from orch.event_dedup d
where d.source = 'plane' and d.seen_at < clock_timestamp() - make_interval(secs => orch.setting_int('plane_dedup_s'));
comment on view orch.due_dedup_plane is 'I-3: bodies of Plane that would be another delivery by now';
comment on column orch.due_dedup_plane.row_at is 'The row';
comment on column orch.due_dedup_plane.over_at is 'When it was seen';

create view orch.due_dedup as
select d.ctid as row_at, d.seen_at as over_at from orch.event_dedup d where d.source = 'gitea' and d.seen_at < orch.kept_since('keep_dedup_days');
comment on view orch.due_dedup is 'I-3: delivery ids of Gitea that are known no longer';
comment on column orch.due_dedup.row_at is 'The row';
comment on column orch.due_dedup.over_at is 'When it was seen';

create view orch.due_effect as
select f.ctid as row_at, coalesce(f.dropped_at, f.ended_at) as over_at from orch.effect f left join orch.task t on t.id = f.task_id
where (f.status = 'done' or f.dropped_at is not null) and coalesce(f.dropped_at, f.ended_at) < orch.kept_since('keep_effects_days')
  -- a live task may come to the same cause again; and what was given up must find what followed it
  and coalesce(t.terminal, true) and not exists (select from orch.effect d where d.object_key = f.object_key and d.status = 'dead' and d.id < f.id);
comment on view orch.due_effect is 'Effects of tasks that are over, or of none, that have been kept long enough';
comment on column orch.due_effect.row_at is 'The row';
comment on column orch.due_effect.over_at is 'Since when it is over';

create view orch.due_probe as
select p.ctid as row_at, p.ended_at as over_at from orch.probe p join orch.observation o on o.id = p.observation_id
where p.ended_at < orch.kept_since('keep_probes_days') and o.ended_at < orch.kept_since('keep_probes_days')
  and o.told_at is not null and o.verdict <> 'INCONCLUSIVE'; -- else its report is to be written yet, or again
comment on view orch.due_probe is 'M-5: probes of watches that have been over for long enough; the verdict, and in its reason what they came to, stays';
comment on column orch.due_probe.row_at is 'The row';
comment on column orch.due_probe.over_at is 'When it was answered';

create view orch.due_process as
select p.ctid as row_at, p.ended_at as over_at from orch.process p
where p.ended_at < orch.kept_since('keep_processes_days')
  and not exists (select from orch.run r where r.process_id = p.id) and not exists (select from orch.job j where j.process_id = p.id)
  and not exists (select from orch.effect f where f.process_id = p.id) and not exists (select from orch.transition_lease l where l.process_id = p.id)
  and not exists (select from orch.probe k where k.process_id = p.id) and not exists (select from orch.observation o where o.tell_process = p.id)
  and not exists (select from orch.deploy_record d where d.process_id = p.id);
comment on view orch.due_process is 'Processes that have ended and that nothing names: their runs keep the others';
comment on column orch.due_process.row_at is 'The row';
comment on column orch.due_process.over_at is 'When it ended';

create view orch.due_state as
with seen as materialized (
        select c.id, c.at, c.entity, c.key, c.state is null as gone from orch.state_change c
        where c.id > (select m.id from orch.retention_mark m where m.what = 'state_change') order by c.id limit orch.retention_batch() / 2 -- each takes at most two along
), past as materialized (
        select s.* from seen s where s.id < coalesce((select min(x.id) from seen x where x.at >= orch.kept_since('keep_state_days')), 9223372036854775807)
)
select o.ctid as row_at, v.at as over_at, v.id as seen_to from past v
left join lateral (select c.ctid, c.state is null as gone from orch.state_change c where c.entity = v.entity and c.key = v.key and c.id < v.id order by c.id desc limit 1) o on not o.gone -- else it goes by itself
union all
select c.ctid, v.at, v.id from past v join orch.state_change c on c.id = v.id where v.gone;
comment on view orch.due_state is
        'B-3: the next versions behind the mark, and for each the version before it, which it has superseded: that goes, and so does the version that says that a row is gone. What stays is each row as it was at the mark, and all since';
comment on column orch.due_state.row_at is 'The version that goes; null: there was none before';
comment on column orch.due_state.over_at is 'Since when it is superseded';
comment on column orch.due_state.seen_to is 'The version that has superseded it';

create view orch.retention_rule as
select v.* from (values
        ('event-body', 1, 'keep_event_bodies_days', 'due_event_body', 'event', $q$(status in ('handled', 'ignored') or dropped_at is not null) and body_removed_at is null$q$,
                $q$update orch.event t set body = '', facts = null, body_removed_at = clock_timestamp() from due where t.ctid = due.row_at$q$, 'Bodies of deliveries that were handled'),
        ('event', 2, 'keep_events_days', 'due_event', 'event', 'true', 'delete from orch.event t using due where t.ctid = due.row_at', 'Deliveries that were handled, or dropped'),
        ('dedup-plane', 3, 'plane_dedup_s', 'due_dedup_plane', 'event_dedup', $q$source = 'plane'$q$, 'delete from orch.event_dedup t using due where t.ctid = due.row_at',
                'Bodies of Plane by which a repetition is known; seconds'),
        ('dedup', 4, 'keep_dedup_days', 'due_dedup', 'event_dedup', $q$source = 'gitea'$q$, 'delete from orch.event_dedup t using due where t.ctid = due.row_at',
                'Delivery ids of Gitea by which a repetition is known'),
        ('effect', 5, 'keep_effects_days', 'due_effect', 'effect', 'true', 'delete from orch.effect t using due where t.ctid = due.row_at', 'Effects that were done'),
        ('probe', 6, 'keep_probes_days', 'due_probe', 'probe', 'ended_at is not null', 'delete from orch.probe t using due where t.ctid = due.row_at', 'Probes of watches in production that are over'),
        ('process', 7, 'keep_processes_days', 'due_process', 'process', 'ended_at is not null', 'delete from orch.process t using due where t.ctid = due.row_at', 'Processes that have ended'),
        ('state', 8, 'keep_state_days', 'due_state', 'state_change', 'true',
                $q$, moved as (update orch.retention_mark m set id = d.id, at = greatest(m.at, d.at) from (select max(seen_to) as id, max(over_at) as at from due) d
                               where m.what = 'state_change' and d.id is not null returning m.id)
                   delete from orch.state_change t using due where t.ctid = due.row_at and exists (select from moved)$q$, 'Versions of tasks, jobs and settings, for asof'))
        v (key, position, setting, due, rows_of, rows_where, act, about);
comment on view orch.retention_rule is 'R-10: the rules by which rows of the database go, in order';
comment on column orch.retention_rule.key is 'Name of the rule';
comment on column orch.retention_rule.position is 'Order within a tick';
comment on column orch.retention_rule.setting is 'Setting that says how long';
comment on column orch.retention_rule.due is 'View of the rows whose time is over';
comment on column orch.retention_rule.rows_of is 'Table that they are of';
comment on column orch.retention_rule.rows_where is 'Condition that all rows of the kind fulfil';
comment on column orch.retention_rule.act is 'What removes those in "due"';
comment on column orch.retention_rule.about is 'What goes, for people';

create function orch.retention_due(r orch.retention_rule, p_limit integer) returns bigint
language plpgsql stable as $$
declare
        n bigint;
begin
        execute format('select count(row_at) from (select row_at from orch.%I order by over_at limit $1) x', r.due) using p_limit into n;
        return n;
end
$$;
comment on function orch.retention_due(orch.retention_rule, integer) is 'How many of its first p_limit rows would go by a rule now';

create function orch.retention_tick() returns table (rule text, removed bigint, more boolean, error text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        r orch.retention_rule;
        mark bigint;
begin
        if not pg_try_advisory_xact_lock(hashtext('orch.retention_tick')) then
                return;
        end if;
        for r in select * from orch.retention_rule order by position loop
                rule := r.key;
                error := null;
                mark := (select m.id from orch.retention_mark m where m.what = 'state_change');
                begin
                        execute format('with due as materialized (select * from orch.%I order by over_at limit $1) %s', r.due, r.act) using orch.retention_batch();
                        get diagnostics removed = row_count;
                exception when others then
                        removed := 0;
                        error := sqlerrm; -- the other rules go on
                end;
                more := removed > 0 or mark <> (select m.id from orch.retention_mark m where m.what = 'state_change');
                if more or error is not null then
                        return next;
                end if;
        end loop;
end
$$;
comment on function orch.retention_tick() is
        'R-10: removes the next rows whose time is over, of each rule at most retention_batch(); one at a time in the cluster. A row for each rule that came further, or failed. What is left over, the next tick finds.';

-- what runs leave on their hosts -----------------------------------------------------------------------------------

create function orch.run_files_due(p_host bigint, p_limit integer) returns table (run_id bigint, job_id bigint, epoch bigint, repo text, over boolean)
language sql stable
begin atomic
        select x.id, x.job_id, x.epoch, x.repo, x.over from (select p.id from orch.process p where p.host_id = p_host order by p.id) p
        cross join lateral (
                select r.id, r.job_id, r.epoch, o.name as repo, r.outcome = 'success' or t.terminal as over
                from orch.run r join orch.job j on j.id = r.job_id join orch.task t on t.id = j.task_id join orch.repo o on o.id = t.repo_id
                where r.process_id = p.id and r.files_removed_at is null and r.ended_at < orch.kept_since('keep_logs_days')
                  and not j.active and j.ended_at < orch.kept_since('keep_logs_days') and (r.files_look_at is null or r.files_look_at < clock_timestamp())
                order by r.ended_at limit p_limit) x
        limit p_limit;
end;
comment on function orch.run_files_due(bigint, integer) is
        'J-9, C-3: the next runs whose folder on a host goes. over: what it left was pushed, or the task is done or cancelled; if a tree is still there, its commit must be in the mirror as well, or the folder stays.';

create function orch.run_commits_due(p_host bigint, p_limit integer) returns table (run_id bigint, job_id bigint, epoch bigint, repo text)
language sql stable
begin atomic
        select x.id, x.job_id, x.epoch, x.repo from (select p.id from orch.process p where p.host_id = p_host order by p.id) p
        cross join lateral (
                select r.id, r.job_id, r.epoch, o.name as repo
                from orch.run r join orch.job j on j.id = r.job_id join orch.task t on t.id = j.task_id join orch.repo o on o.id = t.repo_id
                where r.process_id = p.id and r.commit_removed_at is null and r.files_removed_at is not null
                  and r.ended_at < orch.kept_since('keep_commits_days') and t.terminal and t.stage_entered_at < orch.kept_since('keep_commits_days')
                order by r.ended_at limit p_limit) x
        limit p_limit;
end;
comment on function orch.run_commits_due(bigint, integer) is 'The next runs whose commit (refs/orch/runs) goes out of the mirror on a host: their task is over, and their folder gone';

create function orch.deploy_files_due(p_host bigint, p_limit integer) returns table (record bigint)
language sql stable
begin atomic
        select d.id from orch.deploy_record d join orch.host h on h.name = d.host join orch.task t on t.id = d.task_id
        where h.id = p_host and d.dir is not null and d.files_removed_at is null and d.finished_at < orch.kept_since('keep_logs_days')
          and (d.status <> 'UNKNOWN' or d.resolved_by is not null or t.terminal) and (d.files_look_at is null or d.files_look_at < clock_timestamp())
        order by d.finished_at limit p_limit;
end;
comment on function orch.deploy_files_due(bigint, integer) is 'J-9: the next deploys and rollbacks whose folder on a host goes: their end is known, or a person has decided it';

create function orch.run_batch() returns integer
language sql immutable
return 50;
comment on function orch.run_batch() is 'R-10: run folders, and commits, that one tick of a host removes';

create function orch.process_host(p_process bigint, p_epoch bigint) returns bigint
language sql stable
return (select p.host_id from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null);
comment on function orch.process_host(bigint, bigint) is 'The host of a process that still counts; null for any other';

create function orch.retention_files(p_process bigint, p_epoch bigint, p_what text)
returns table (run_id bigint, job_id bigint, epoch bigint, repo text, over boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        h bigint := orch.process_host(p_process, p_epoch);
begin
        if p_what = 'files' then
                return query select * from orch.run_files_due(h, orch.run_batch());
        elsif p_what = 'deploys' then
                return query select d.record, 0::bigint, 0::bigint, '', true from orch.deploy_files_due(h, orch.run_batch()) d;
        else
                return query select c.*, true from orch.run_commits_due(h, orch.run_batch()) c;
        end if;
end
$$;
comment on function orch.retention_files(bigint, bigint, text) is 'J-9: the reaper of a host asks what of runs it is to remove now: files, or commits; or the folders of deploys, by their record in place of the run. The first only of each are answered.';

create function orch.retention_files_done(p_process bigint, p_epoch bigint, p_what text, p_runs bigint[]) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        n integer;
begin
        if p_what = 'deploys' then
                update orch.deploy_record d set files_removed_at = clock_timestamp() from orch.host h
                where d.id = any (p_runs) and h.name = d.host and h.id = orch.process_host(p_process, p_epoch) and d.finished_at is not null;
                get diagnostics n = row_count;
                return n;
        end if;
        update orch.run r set files_removed_at = case p_what when 'files' then clock_timestamp() else r.files_removed_at end,
                commit_removed_at = case p_what when 'commits' then clock_timestamp() else r.commit_removed_at end,
                log_excerpt = case when t.terminal then null else r.log_excerpt end, files_kept = null -- else its next agent may be told
        from orch.process p, orch.job j, orch.task t
        where j.id = r.job_id and t.id = j.task_id and r.id = any (p_runs) and p.id = r.process_id and p.host_id = orch.process_host(p_process, p_epoch) and r.ended_at is not null;
        get diagnostics n = row_count;
        return n;
end
$$;
comment on function orch.retention_files_done(bigint, bigint, text, bigint[]) is 'J-9: the reaper of a host says what of these runs, or deploys, is gone; with the log goes its excerpt, once the task is over';

create function orch.retention_files_kept(p_process bigint, p_epoch bigint, p_run bigint, p_reason text, p_what text default 'files') returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if p_what = 'deploys' then
                update orch.deploy_record d set files_look_at = clock_timestamp() + interval '1 day' from orch.host h
                where d.id = p_run and h.name = d.host and h.id = orch.process_host(p_process, p_epoch) and d.files_removed_at is null;
                return found;
        end if;
        update orch.run r set files_kept = left(p_reason, 500), files_look_at = clock_timestamp() + interval '1 day'
        from orch.process p
        where r.id = p_run and p.id = r.process_id and p.host_id = orch.process_host(p_process, p_epoch) and r.files_removed_at is null;
        return found;
end
$$;
comment on function orch.retention_files_kept(bigint, bigint, bigint, text, text) is 'C-3: the reaper of a host says why a folder stays although its time has come; it looks again after a day';

-- for people -------------------------------------------------------------------------------------------------------

create view orch.run_files_kept as
select orch.item_name(t) as work_item, j.role, r.job_id || '-' || r.epoch as folder, h.name as host, r.files_kept as reason, r.ended_at
from orch.run r join orch.job j on j.id = r.job_id join orch.task t on t.id = j.task_id join orch.process p on p.id = r.process_id join orch.host h on h.id = p.host_id
where r.files_kept is not null and r.files_removed_at is null;
comment on view orch.run_files_kept is 'C-3: runs whose folder stays although its time has come, because something in it is nowhere else. Save it, remove the folder by hand, and the next look will find it gone.';
comment on column orch.run_files_kept.work_item is 'Work item';
comment on column orch.run_files_kept.role is 'Role';
comment on column orch.run_files_kept.folder is 'The folder, in state_dir/runs of the host';
comment on column orch.run_files_kept.host is 'Host that has it';
comment on column orch.run_files_kept.reason is 'Why it stays';
comment on column orch.run_files_kept.ended_at is 'When the run ended';

create function orch.retention_count(p_from text, p_where text) returns jsonb
language plpgsql stable as $$
declare
        n bigint;
begin
        execute format('select count(*) from (select from %s where %s limit %s) x', p_from, p_where, orch.count_bound() + 1) into n;
        return orch.count_json(n, null, orch.count_bound() + 1);
end
$$;
comment on function orch.retention_count(text, text) is 'A bounded count, as people see it';

create function orch.retention() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
        return jsonb_build_object('at', clock_timestamp(), 'asof_from', orch.state_began(),
                'rules', (select jsonb_agg(jsonb_build_object('rule', r.key, 'about', r.about, 'setting', r.setting,
                                'kept', orch.kept_for(r.setting),
                                'rows', orch.retention_count('orch.' || r.rows_of, r.rows_where), 'table', r.rows_of, 'bytes', pg_total_relation_size('orch.' || r.rows_of),
                                'due', case when r.key = 'state' then null else orch.retention_count('orch.' || r.due, 'true') end,
                                'next', orch.retention_due(r, orch.retention_batch())) order by r.position) from orch.retention_rule r),
                'for_ever', (select jsonb_agg(jsonb_build_object('table', t.name, 'bytes', pg_total_relation_size('orch.' || t.name)) order by t.name)
                             from unnest(array['history', 'audit', 'task', 'job', 'run', 'evidence', 'deploy_record', 'observation']) t (name)),
                'hosts', (select coalesce(jsonb_agg(jsonb_build_object('host', h.name, 'seen_at', (select max(p.beat_at) from orch.process p where p.host_id = h.id),
                                'logs', orch.kept_for('keep_logs_days'), 'commits', orch.kept_for('keep_commits_days'),
                                'files_next', (select count(*) from orch.run_files_due(h.id, orch.run_batch())),
                                'deploys_next', (select count(*) from orch.deploy_files_due(h.id, orch.run_batch())),
                                'commits_next', (select count(*) from orch.run_commits_due(h.id, orch.run_batch()))) order by h.name), '[]') from orch.host h),
                'room', (select coalesce(jsonb_agg(to_jsonb(w) order by w.host, w.what, w.path), '[]') from orch.host_room w),
                'kept', (select coalesce(jsonb_agg(to_jsonb(k) order by k.ended_at), '[]') from (select * from orch.run_files_kept order by ended_at limit 200) k));
end
$$;
comment on function orch.retention() is 'R-10, J-9: what is kept, how long and how much, and what the next tick removes';
