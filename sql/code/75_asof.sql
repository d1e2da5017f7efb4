-- 75_asof: what was the state at time T, and why (O-4, B-3). The versions are kept by triggers (migration 0012); here
-- they are only read.

create function orch.instant(p_text text) returns timestamptz
language plpgsql stable as $$
declare
        span text := substring(btrim(p_text) from '^(.*\S)\s+ago$');
begin
        return case when span is not null then clock_timestamp() - span::interval else btrim(p_text)::timestamptz end;
exception when data_exception then
        perform orch.refuse('OR003', format('%s is no time', orch.quoted(p_text)), 'Such as 2026-11-20 14:30, 14:30, or "20 min ago"');
        return null;
end
$$;
comment on function orch.instant(text) is 'A time as people type it: what PostgreSQL reads, or an interval and the word ago';

create function orch.state_at(p_at timestamptz) returns table (entity text, key text, since timestamptz, state jsonb)
language sql stable
begin atomic
        select v.entity, v.key, v.at, v.state
        from (select distinct on (c.entity, c.key) c.* from orch.state_change c where c.at <= p_at order by c.entity, c.key, c.id desc) v
        where v.state is not null;
end;
comment on function orch.state_at(timestamptz) is 'B-3: every row as it was at an instant: table, key, since when, and the row. For psql: select * from orch.state_at(now() - interval ''1 hour'') where entity = ''task''';

create function orch.state_began() returns timestamptz
language sql stable
return coalesce((select m.at from orch.retention_mark m where m.what = 'state_change'), (select min(at) from orch.state_change));
comment on function orch.state_began() is 'The first instant that state_at() knows all of: the record''s beginning, or how far retention has thinned it';

create function orch.asof_instant(p_text text) returns timestamptz
language plpgsql stable as $$
declare
        t timestamptz := orch.instant(p_text);
begin
        if t > clock_timestamp() then
                perform orch.refuse('OR003', format('%s is yet to come', t), 'orchctl whatif shows what would start next');
        elsif t < orch.state_began() then
                perform orch.refuse('OR003', case when (select m.at from orch.retention_mark m where m.what = 'state_change') is null then format('nothing is known of %s', t)
                                else format('how things stood at %s is kept no longer', t) end,
                        format('The record begins at %s%s; what happened is in the history: orchctl item show', orch.state_began(),
                                case when (select m.at from orch.retention_mark m where m.what = 'state_change') is not null
                                     then format(' (keep_state_days is %s)', orch.setting_int('keep_state_days')) else '' end));
        end if;
        return t;
end
$$;
comment on function orch.asof_instant(text) is 'An instant that the record knows of; OR003 for any other';

create function orch.asof_task(p_task bigint, p_at timestamptz) returns jsonb
language sql stable
begin atomic
        with then_ as materialized (
                select c.entity, c.key, s.state, s.at
                from (select distinct entity, key from orch.state_change
                      where (entity, key) in (('task', p_task::text), ('transition_lease', p_task::text))
                      union all select 'job', j.id::text from orch.job j where j.task_id = p_task
                      union all select 'merge_lease', t.repo_id::text from orch.task t where t.id = p_task) c
                cross join lateral (select v.state, v.at from orch.state_change v where v.entity = c.entity and v.key = c.key and v.at <= p_at order by v.id desc limit 1) s
                where s.state is not null)
        select jsonb_build_object('work_item', t.state ->> 'work_item', 'title', t.state ->> 'title', 'stage', t.state ->> 'stage',
                'stage_version', t.state -> 'stage_version', 'since', t.state -> 'stage_entered_at', 'priority', t.state -> 'priority',
                'paused_at', t.state -> 'paused_at', 'cancel_requested_at', t.state -> 'cancel_requested_at', 'escalation', t.state -> 'escalation',
                'branch', t.state -> 'branch', 'head_sha', t.state -> 'head_sha',
                'job', (select jsonb_build_object('job', j.key::bigint, 'role', j.state ->> 'role', 'status', j.state ->> 'status', 'attempt', j.state -> 'attempts',
                                'run_at', j.state -> 'run_at', 'since', j.at, 'reason', j.state -> 'reason')
                        from then_ j where j.entity = 'job' order by (j.state ->> 'active')::boolean desc, j.key::bigint desc limit 1),
                'leases', coalesce((select jsonb_agg(l.entity) from then_ l where l.entity = 'transition_lease'
                                or (l.entity = 'merge_lease' and (l.state ->> 'task_id')::bigint = p_task)), '[]'),
                'because', (select jsonb_build_object('at', h.at, 'kind', h.kind, 'actor', h.actor, 'from', h.from_stage, 'to', h.to_stage, 'detail', h.detail)
                            from orch.history h where h.task_id = p_task and h.at <= p_at order by h.id desc limit 1))
        from then_ t where t.entity = 'task';
end;
comment on function orch.asof_task(bigint, timestamptz) is 'One task as it was: stage, job, leases, and the last thing that had happened to it. Null when it was not there yet.';

create function orch.asof_item(p_work_item text, p_at timestamptz) returns jsonb
language plpgsql stable as $$
declare
        answer jsonb;
        t bigint;
        repo bigint;
begin
        select c.key::bigint, (c.state ->> 'repo_id')::bigint into t, repo from orch.task k
        join lateral (select * from orch.state_change v where v.entity = 'task' and v.key = k.id::text and v.at <= p_at order by v.id desc limit 1) c on true
        where k.work_item = p_work_item or k.work_item = p_work_item || '#cancelled-' || k.id
        order by k.id desc limit 1;
        if not found then
                perform orch.refuse('OR001', format('work item %s was not in the pipeline at %s', orch.quoted(p_work_item), p_at), 'Its history: orchctl item show');
        end if;
        select orch.asof_task(t, p_at) || jsonb_build_object(
                'freezes', coalesce(jsonb_agg(jsonb_build_object('reason', s.state ->> 'reason', 'frozen_at', s.state ->> 'frozen_at', 'frozen_by', s.state ->> 'frozen_by'))
                                    filter (where s.entity = 'repo_freeze' and (s.state ->> 'repo_id')::bigint = repo and s.state ->> 'cleared_at' is null), '[]'),
                'waited_for', coalesce(jsonb_agg(p.state ->> 'work_item') filter (where p.state is not null and not (p.state ->> 'terminal')::boolean), '[]'))
        into answer
        from (select * from orch.state_at(p_at) a where a.entity in ('repo_freeze', 'task_dependency')) s
        left join lateral (select v.state from orch.state_change v where s.entity = 'task_dependency' and (s.state ->> 'task_id')::bigint = t
                                and v.entity = 'task' and v.key = s.state ->> 'waits_for' and v.at <= p_at order by v.id desc limit 1) p on true;
        return answer;
end
$$;
comment on function orch.asof_item(text, timestamptz) is 'A work item as it was, with the freezes of its repo and the live tasks it depended on; OR001 when it was not there';

create function orch.asof(p_at text default null, p_work_item text default null) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        t timestamptz := orch.asof_instant(coalesce(p_at, '0 s ago'));
        answer jsonb := jsonb_build_object('at', t, 'began', orch.state_began());
begin
        if p_work_item is not null then
                return answer || jsonb_build_object('tasks', jsonb_build_array(orch.asof_item(p_work_item, t)));
        end if;
        return answer || (
                with s as materialized (select * from orch.state_at(t))
                select jsonb_build_object(
                        'tasks', coalesce((select jsonb_agg(orch.asof_task(l.key::bigint, t) order by l.key::bigint)
                                from (select s.key from s where s.entity = 'task' and not (s.state ->> 'terminal')::boolean order by s.key::bigint limit 200) l), '[]'),
                        'freezes', coalesce((select jsonb_agg(jsonb_build_object('repo', r.name, 'reason', s.state ->> 'reason', 'frozen_at', s.state ->> 'frozen_at',
                                        'frozen_by', s.state ->> 'frozen_by') order by s.key::bigint)
                                from s join orch.repo r on r.id = (s.state ->> 'repo_id')::bigint where s.entity = 'repo_freeze' and s.state ->> 'cleared_at' is null), '[]'),
                        'settings', coalesce((select jsonb_object_agg(s.key, s.state ->> 'value') from s join orch.setting_row r on r.key = s.key
                                where s.entity = 'setting_row' and s.state ->> 'value' <> r.standard), '{}')));
end
$$;
comment on function orch.asof(text, text) is 'O-4, B-3: how things stood at an instant: live tasks (at most 200) with job, leases and what had happened last, freezes, settings that were not the standard; or all of one work item';

create function orch.asof_changes(p_from text default null, p_to text default null, p_work_item text default null) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        begin_ timestamptz := case when p_from is null then greatest(clock_timestamp() - interval '1 hour', orch.state_began()) else orch.asof_instant(p_from) end;
        end_ timestamptz := orch.asof_instant(coalesce(p_to, '0 s ago'));
        changes jsonb;
begin
        if end_ < begin_ then
                perform orch.refuse('OR003', 'the second instant is before the first', 'Give the earlier one first');
        end if;
        select coalesce(jsonb_agg(jsonb_build_object('what', c.entity, 'key', c.key, 'work_item', c.work_item, 'before', c.before, 'after', c.after) order by c.id), '[]') into changes
        from (select v.id, v.entity, v.key, k.work_item, d.before, d.after
              from (select distinct on (entity, key) * from orch.state_change where at > begin_ and at <= end_ order by entity, key, id desc) v
              left join lateral (select o.state from orch.state_change o where o.entity = v.entity and o.key = v.key and o.at <= begin_ order by o.id desc limit 1) o on true
              left join orch.task k on k.id = case v.entity when 'task' then v.key::bigint else (coalesce(v.state, o.state) ->> 'task_id')::bigint end
              cross join lateral (
                        select jsonb_object_agg(e.key, o.state -> e.key) filter (where o.state is not null) as before,
                               jsonb_object_agg(e.key, v.state -> e.key) filter (where v.state is not null) as after
                        from jsonb_object_keys(coalesce(v.state, o.state)) e (key)
                        where v.state is null or o.state is null or v.state -> e.key is distinct from o.state -> e.key) d
              where v.state is distinct from o.state
                and (p_work_item is null or orch.item_name(k) = p_work_item)
              order by v.id limit 1000) c;
        return jsonb_build_object('from', begin_, 'to', end_, 'changes', changes);
end
$$;
comment on function orch.asof_changes(text, text, text) is 'B-3: the difference between two instants: every row that is not what it was, at most 1000, with the columns that differ; both times as text; absent: an hour ago, and now';
