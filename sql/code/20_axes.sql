-- 20_axes: the scheduler's axes, one view each (S-1 to S-6). A row says: this axis blocks this queued job, because of
-- this, until that. The claim, /queue, `orchctl why` and the metrics read these views and nothing else, so what
-- blocks a job and what people are told cannot differ (B-1). The list of them is in 25_blocks.

create function orch.serial_gated(p_repo text) returns boolean
language sql stable
return orch.setting_bool('serial_gate_enabled') and orch.in_scope('serial_gate_repos', p_repo);
comment on function orch.serial_gated(text) is 'S-12: whether the serial gate, and with it the freeze, applies to a repo';

create view orch.active_task as
select t.id, t.repo_id, t.work_item, t.stage
from orch.task t
where not t.terminal
  and (t.paused_at is null or not (select orch.setting_bool('serial_gate_pause_enabled')));
comment on view orch.active_task is 'S-5, S-8: tasks that hold their repo''s serial gate: neither terminal nor paused';
comment on column orch.active_task.id is 'Task';
comment on column orch.active_task.repo_id is 'Its repo';
comment on column orch.active_task.work_item is 'Its work item';
comment on column orch.active_task.stage is 'Its stage';

create function orch.deploy_under_way(t orch.task) returns boolean
language sql stable
return t.stage = 'deploy' and exists (select from orch.deploy_record d
        where d.task_id = t.id and d.stage_version = t.stage_version and d.kind = 'deploy' and d.initiated_at is not null
          and (d.status is null
               or (d.status = 'UNKNOWN' and d.resolved_by is null)
               or (d.status <> 'FAILED' and t.escalated_at is null and not exists (select from orch.decision k
                       where k.task_id = t.id and k.stage_version = t.stage_version and k.gate = 'deploy_ok' and k.verdict = 'rejected'))));
comment on function orch.deploy_under_way(orch.task) is
        'C-5: the deploy was initiated, and neither its failure nor the end of its stage is known: doubt is critical. What was deployed well, or by a person''s word, is under way until it is merged, or the merge was given up.';

create function orch.in_critical_window(t orch.task) returns boolean
language sql stable
return orch.deploy_under_way(t)
        or exists (select from orch.job j where j.task_id = t.id and j.status = 'running'
                   and (exists (select from orch.merge_lease m where m.task_id = t.id) or (t.stage = 'deploy' and j.kind in ('deploy', 'finalize', 'merge'))));
comment on function orch.in_critical_window(orch.task) is
        'C-5: the deploy was initiated and has not ended, or the task holds the merge lease and one of its jobs runs, or one that cannot be taken back: a cancellation waits. Asked by orch.stop_window() alone, but for the axis, which fails closed.';

create view orch.axis_cancel as
select j.id as job_id,
       case when t.terminal then format('%s is %s', t.work_item, t.stage)
            else format('%s is being cancelled', t.work_item) end as reason,
       'never: the job will be cancelled' as ends_when
from orch.job j join orch.task t on t.id = j.task_id
where j.status = 'queued'
  and (t.terminal or (t.cancel_requested_at is not null and not orch.in_critical_window(t)));
comment on view orch.axis_cancel is 'S-1: blocks every job of a task that is terminal or whose cancellation was requested; a deferred one (C-6) is not in force yet, or the deploy could not end honestly';
comment on column orch.axis_cancel.job_id is 'The queued job';
comment on column orch.axis_cancel.reason is 'Why it is blocked';
comment on column orch.axis_cancel.ends_when is 'What would unblock it';

create view orch.axis_freeze as
select j.id as job_id,
       format('repo %s is frozen since %s: %s', r.name, to_char(f.frozen_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), f.reason) as reason,
       format('the freeze of %s is cleared', r.name) as ends_when
from orch.job j
join orch.repo r on r.id = j.repo_id
join lateral (select * from orch.repo_freeze f where f.repo_id = j.repo_id and f.cleared_at is null order by f.id limit 1) f on true
where j.status = 'queued' and j.entry
  and (select orch.setting_bool('serial_gate_freeze_enabled')) and orch.serial_gated(r.name);
comment on view orch.axis_freeze is 'S-2: blocks entry jobs of a repo with an active freeze';
comment on column orch.axis_freeze.job_id is 'The queued job';
comment on column orch.axis_freeze.reason is 'Why it is blocked';
comment on column orch.axis_freeze.ends_when is 'What would unblock it';

create view orch.axis_pause as
select j.id as job_id,
       format('%s is paused since %s', t.work_item, to_char(t.paused_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')) as reason,
       format('%s is resumed', t.work_item) as ends_when
from orch.job j join orch.task t on t.id = j.task_id
where j.status = 'queued' and t.paused_at is not null and (select orch.setting_bool('serial_gate_pause_enabled'));
comment on view orch.axis_pause is 'S-3: blocks the queued jobs of a paused task';
comment on column orch.axis_pause.job_id is 'The queued job';
comment on column orch.axis_pause.reason is 'Why it is blocked';
comment on column orch.axis_pause.ends_when is 'What would unblock it';

create view orch.axis_dependency as
select j.id as job_id,
       format('%s waits for %s, which is in %s%s', t.work_item, p.work_item, p.stage,
              case when p.paused_at is not null then ' and paused' else '' end) as reason,
       format('%s is done or cancelled', p.work_item) as ends_when
from orch.job j
join orch.task t on t.id = j.task_id
join orch.task_dependency d on d.task_id = j.task_id
join orch.task p on p.id = d.waits_for
where j.status = 'queued' and not p.terminal and (select orch.setting_bool('task_deps_enabled'));
comment on view orch.axis_dependency is 'S-4: blocks every job of a task with a predecessor that is not terminal, paused or not';
comment on column orch.axis_dependency.job_id is 'The queued job';
comment on column orch.axis_dependency.reason is 'Why it is blocked';
comment on column orch.axis_dependency.ends_when is 'What would unblock it';

create view orch.lane_head as
select r.id as repo_id, r.name as repo, a.id as task_id, a.work_item, a.stage
from orch.repo r
join lateral (select * from orch.active_task a where a.repo_id = r.id order by a.id limit 1) a on true
where orch.serial_gated(r.name);
comment on view orch.lane_head is 'S-5: the earliest active task of each repo that the serial gate applies to: later ones wait for it, and the claim looks no further';
comment on column orch.lane_head.repo_id is 'Repo';
comment on column orch.lane_head.repo is 'Its name';
comment on column orch.lane_head.task_id is 'The task at the head';
comment on column orch.lane_head.work_item is 'Its work item';
comment on column orch.lane_head.stage is 'Its stage';

create view orch.axis_serial as
select j.id as job_id,
       format('%s is earlier in repo %s and in %s', h.work_item, h.repo, h.stage) as reason,
       format('%s is done, cancelled or paused', h.work_item) as ends_when
from orch.job j join orch.lane_head h on h.repo_id = j.repo_id
where j.status = 'queued' and j.entry and j.task_id > h.task_id;
comment on view orch.axis_serial is 'S-5, S-10: blocks entry jobs of a repo that has an earlier (strictly lower id) active task';
comment on column orch.axis_serial.job_id is 'The queued job';
comment on column orch.axis_serial.reason is 'Why it is blocked';
comment on column orch.axis_serial.ends_when is 'What would unblock it';

create view orch.axis_backoff as
select j.id as job_id,
       case when j.due_at is not null then format('the former owner''s agent may still run; it was taken back: %s', j.reason)
            else format('backs off after attempt %s: %s', j.attempts, coalesce(j.reason, 'no reason recorded')) end as reason,
       format('it is %s%s', to_char(j.run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
              case when j.due_at is not null then ', or the former owner says that it is gone' else '' end) as ends_when
from orch.job j
where j.status = 'queued' and j.run_at > clock_timestamp();
comment on view orch.axis_backoff is 'S-6: blocks jobs whose time has not come';
comment on column orch.axis_backoff.job_id is 'The queued job';
comment on column orch.axis_backoff.reason is 'Why it is blocked';
comment on column orch.axis_backoff.ends_when is 'What would unblock it';
