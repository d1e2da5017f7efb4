-- 80_views: what people see (O-1, O-3, S-14): psql, orchctl and the status port read these.

create view orch.task_wait as
select t.id as task_id, w.precedence, w.axis, w.reason, w.ends_when
from orch.task t
cross join lateral (
        select 0 as precedence, 'escalated' as axis, t.escalation as reason,
               format('a person acts: orchctl log %1$s, then orchctl retry %1$s, or orchctl cancel %1$s', t.work_item) as ends_when
        where t.escalated_at is not null
        union all
        select coalesce(b.precedence, 1000), coalesce(b.axis, 'slot'),
               coalesce(b.reason, format('the %s''s job is ready%s', j.role, case when not a.worker then ', and no worker is alive' else '' end)),
               coalesce(b.ends_when, case when a.worker then 'a worker has a free slot' else 'a worker starts: orchctl up' end)
        from orch.job j
        cross join lateral (select exists (select from orch.process p where p.ended_at is null and p.daemon = 'workerd' and not p.draining) as worker) a
        left join lateral orch.blocks_of(j.id) b on true
        where j.task_id = t.id and j.active and j.status = 'queued'
        union all
        select 1001, 'running', format('the %s is at work (attempt %s of %s)%s', j.role, j.attempts, j.max_attempts,
                                    case when j.stop_requested_at is not null then ' and is being stopped' else '' end), 'it ends'
        from orch.job j where j.task_id = t.id and j.active and j.status = 'running'
        union all
        select 1002, case when p.decides or q.role is not null then 'person' else 'gate' end,
               case when q.role is not null then format('waits for an answer: the %s has asked something', q.role) when a.result = 'inconclusive' then a.reason else 'waits for ' || a.reason end,
               case when q.role is not null then format('a person answers what a comment of it asks: orchctl item show %1$s, orchctl answer %1$s TEXT', t.work_item) when p.decides then format('a person decides: orchctl approve %1$s, or orchctl reject %1$s --comment …', t.work_item)
                    else 'the gate ' || g.key || ' has an answer' end
        from orch.waiting_step(t) s join orch.gate g on g.key = s.gate cross join lateral orch.gate_result(t, s.gate) a
        cross join lateral (select orch.is_for_person(t, s.gate) as decides) p
        left join lateral (select (orch.open_question(t)).role) q on true
        where s.gate is not null -- said here too: a plan may ask the gate of no step before it joins orch.gate
          and t.escalated_at is null and not exists (select from orch.job j where j.task_id = t.id and j.active)
) w
where not t.terminal;
comment on view orch.task_wait is 'S-14: why each live task does not move, all reasons: no live task is without one';
comment on column orch.task_wait.task_id is 'Task';
comment on column orch.task_wait.precedence is 'The lowest is named first';
comment on column orch.task_wait.axis is 'One of orch.axis; or slot, running, gate, person, escalated: what else it can be';
comment on column orch.task_wait.reason is 'Why, for people';
comment on column orch.task_wait.ends_when is 'What would end it';

create view orch.live_task as
select t.id as task_id, t.work_item, t.title, p.name as project, r.name as repo, t.stage, t.priority, t.branch, t.created_at,
       j.id as job, j.role, j.status as job_status,
       coalesce(j.claimed_at, j.created_at, t.stage_entered_at) as since,
       case when j.status = 'running' then floor(extract(epoch from clock_timestamp() - j.claimed_at))::integer end as running_s,
       coalesce((select jsonb_agg(jsonb_build_object('axis', w.axis, 'reason', w.reason, 'ends_when', w.ends_when) order by w.precedence)
                 from orch.task_wait w where w.task_id = t.id), '[]') as waits
from orch.task t
join orch.project p on p.id = t.project_id
join orch.repo r on r.id = t.repo_id
left join orch.job j on j.task_id = t.id and j.active
where not t.terminal;
comment on view orch.live_task is 'O-1: the live tasks, who works on each, and what each waits for';
comment on column orch.live_task.task_id is 'Task';
comment on column orch.live_task.work_item is 'Work item';
comment on column orch.live_task.title is 'Title';
comment on column orch.live_task.project is 'Project';
comment on column orch.live_task.repo is 'Repo';
comment on column orch.live_task.stage is 'Stage';
comment on column orch.live_task.priority is 'Priority, 0 to 4';
comment on column orch.live_task.branch is 'Branch, once it is cut';
comment on column orch.live_task.created_at is 'When it was taken in';
comment on column orch.live_task.job is 'Its active job';
comment on column orch.live_task.role is 'Role of that job';
comment on column orch.live_task.job_status is 'queued or running';
comment on column orch.live_task.since is 'Since when this is so';
comment on column orch.live_task.running_s is 'Seconds the job has run';
comment on column orch.live_task.waits is 'Every reason why it does not move';

create function orch.task_json(t orch.task) returns jsonb
language sql stable
return jsonb_build_object('work_item', orch.item_name(t), 'title', t.title, 'project', (select name from orch.project where id = t.project_id),
        'stage', t.stage, 'terminal', t.terminal, 'branch', t.branch, 'head_sha', t.head_sha, 'priority', t.priority,
        'paused_at', t.paused_at, 'cancel_requested_at', t.cancel_requested_at, 'cancelled_at', t.cancelled_at,
        'escalation', t.escalation, 'developer_rounds', t.developer_rounds, 'created_at', t.created_at, 'stage_entered_at', t.stage_entered_at,
        'waits', coalesce((select jsonb_agg(jsonb_build_object('axis', w.axis, 'reason', w.reason, 'ends_when', w.ends_when) order by w.precedence)
                           from orch.task_wait w where w.task_id = t.id), '[]'));
comment on function orch.task_json(orch.task) is 'A task as people see it';

create function orch.item(p_work_item text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        i orch.local_item;
        t orch.task;
begin
        select * into i from orch.local_item where work_item = p_work_item;
        t := orch.task_of(p_work_item);
        if t.id is null and p_work_item ~ '#cancelled-[0-9]+$' then -- an earlier life, which was cancelled
                select * into t from orch.task where work_item = p_work_item;
                select * into i from orch.local_item where work_item = orch.item_name(t);
        end if;
        if i.id is null and t.id is null then
                perform orch.refuse('OR001', format('there is no work item %s', orch.quoted(p_work_item)), 'List them with: orchctl item list');
        end if;
        return jsonb_build_object(
                'item', case when i.id is not null then orch.item_json(i) end,
                'comments', coalesce((select jsonb_agg(jsonb_build_object('at', c.created_at, 'text', c.body) order by c.id) from orch.local_comment c where c.item_id = i.id), '[]'),
                'task', case when t.id is not null then orch.task_json(t) end,
                'earlier', coalesce((select jsonb_agg(k.work_item order by k.id) from orch.task k
                        where regexp_replace(k.work_item, '#cancelled-[0-9]+$', '') = orch.item_name(t) and k.id < t.id), '[]'),
                'reviews', coalesce((select jsonb_agg(to_jsonb(c) - '{task_id,work_item,repo,stage}'::text[] order by c.since) from orch.review_clock c where c.task_id = t.id), '[]'),
                'history', coalesce((select jsonb_agg(jsonb_build_object('at', h.at, 'kind', h.kind, 'actor', h.actor, 'from', h.from_stage, 'to', h.to_stage,
                        'version', h.stage_version, 'job', h.job_id, 'epoch', h.epoch, 'detail', h.detail) order by h.id) from orch.history h where h.task_id = t.id), '[]'),
                'evidence', coalesce((select jsonb_agg(jsonb_build_object('gate', e.gate, 'value', e.value, 'version', e.stage_version, 'run', e.run_id, 'sha', e.sha,
                        'file', e.file, 'at', e.recorded_at) order by e.id) from orch.evidence e where e.task_id = t.id), '[]'),
                'deploys', coalesce((select jsonb_agg(to_jsonb(d) - 'work_item' - 'repo' order by d.id) from orch.deploy_record r join orch.deploy d on d.id = r.id where r.task_id = t.id), '[]'),
                'observation', nullif(orch.observed_json(t), '{}'),
                'runs', coalesce((select jsonb_agg(jsonb_build_object('run', r.id, 'job', r.job_id, 'epoch', r.epoch, 'role', j.role, 'stage', j.stage, 'attempt', r.attempt,
                        'outcome', r.outcome, 'exit_code', r.exit_code, 'signal', r.signal, 'started_at', r.started_at, 'ended_at', r.ended_at, 'host', h.name,
                        'log', r.log, 'log_removed_at', r.files_removed_at, 'reason', r.reason, 'head_sha', r.head_sha, 'refused', r.refused, 'session', r.session_id,
                        'resumes', r.resumes, 'session_retired', r.session_retired, 'model', r.model, 'agent_version', r.agent_version, 'usage', r.usage,
                        'cost_usd', r.cost_usd, 'cost_source', r.cost_source) order by r.id)
                        from orch.run r join orch.job j on j.id = r.job_id join orch.process p on p.id = r.process_id join orch.host h on h.id = p.host_id
                        where j.task_id = t.id), '[]'));
end
$$;
comment on function orch.item(text) is 'Everything about a work item: the item, its comments, its task with history, evidence and runs; earlier: the names of its tasks before, which were cancelled, and can be asked for by these';

create function orch.item_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('items', coalesce(jsonb_agg(jsonb_build_object('work_item', i.work_item, 'title', i.title, 'state', i.state,
                'stage', t.stage, 'project', p.name) order by i.id), '[]'))
        from (select * from orch.local_item order by id desc limit 500) i
        join orch.project p on p.id = i.project_id
        left join orch.task t on t.project_id = i.project_id and t.tracker_id = i.id::text;
end;
comment on function orch.item_list() is 'The newest 500 work items of the local tracker and where each is in the pipeline';

create function orch.why(p_work_item text) returns table (axis text, reason text, ends_when text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        i jsonb := orch.item(p_work_item);
        t orch.task;
        said text; -- to the item, since it is where it is
begin
        select * into t from orch.task k where k.work_item = p_work_item and not k.terminal;
        if found then
                return query select w.axis, w.reason, w.ends_when from orch.task_wait w where w.task_id = t.id order by w.precedence;
        elsif i -> 'task' <> 'null' then
                return query select i -> 'task' ->> 'stage', format('%s is %s', p_work_item, i -> 'task' ->> 'stage'), null::text;
        else
                select c.body into said from orch.local_comment c join orch.local_item l on l.id = c.item_id
                where l.work_item = p_work_item and c.created_at >= l.state_changed_at order by c.id desc limit 1;
                if said is null and i -> 'item' ->> 'state' = 'to_analyse' then
                        return query select 'intake', 'no worker has taken it in yet',
                                'a worker does: orchctl queue shows the inbox and the workers, orchctl up starts some';
                else
                        return query select 'intake', coalesce(said, 'it is not in the pipeline'),
                                format('it is moved to To Analyse: orchctl item move %s to_analyse', p_work_item);
                end if;
        end if;
end
$$;
comment on function orch.why(text) is 'S-14: all reasons why a work item does not move, and what would end each';
