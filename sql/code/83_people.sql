-- 83_people: what docs/operations.md asks that would else be a join of many tables (O-3).

create view orch.item_run as
select orch.item_name(t) as work_item, j.role, j.stage, r.attempt, h.name as host, r.pid, r.log, r.outcome, r.exit_code, r.reason, r.started_at, r.ended_at,
       date_trunc('second', coalesce(r.ended_at, clock_timestamp()) - r.started_at) as took, r.cost_usd, p.repo_id, r.id as run
from orch.run r join orch.job j on j.id = r.job_id join orch.task t on t.id = j.task_id join orch.project p on p.id = t.project_id
join orch.process o on o.id = r.process_id join orch.host h on h.id = o.host_id;
comment on view orch.item_run is 'J-9, J-7: every run: what ran for which work item, on which host, where its log is, what came of it, what it cost';
comment on column orch.item_run.work_item is 'Work item';
comment on column orch.item_run.role is 'Role';
comment on column orch.item_run.stage is 'Stage';
comment on column orch.item_run.attempt is 'Number of the attempt';
comment on column orch.item_run.host is 'Host it ran on';
comment on column orch.item_run.pid is 'Process id of the shim there';
comment on column orch.item_run.log is 'Path of the log there';
comment on column orch.item_run.outcome is 'How it ended; null while it runs';
comment on column orch.item_run.exit_code is 'Exit code of the command';
comment on column orch.item_run.reason is 'Why, in words';
comment on column orch.item_run.started_at is 'When it was claimed';
comment on column orch.item_run.ended_at is 'When its outcome was recorded';
comment on column orch.item_run.took is 'How long it took, or has run';
comment on column orch.item_run.cost_usd is 'Dollars, as the agent reported';
comment on column orch.item_run.repo_id is 'Repo';
comment on column orch.item_run.run is 'The run';

create view orch.live_process as
select h.name as host, p.daemon, p.pid, p.version, p.started_at, date_trunc('second', clock_timestamp() - p.beat_at) as last_beat,
       case when p.beat_at < clock_timestamp() - make_interval(secs => orch.setting_int('process_dead_after_s')) then 'silent'
            when p.draining then 'draining' else 'working' end as state,
       (select count(*) from orch.job j where j.process_id = p.id and j.status = 'running') as jobs
from orch.process p join orch.host h on h.id = p.host_id
where p.ended_at is null;
comment on view orch.live_process is 'T-4: the processes believed alive, on all hosts; a silent one is taken for dead by the reaper once that is sure';
comment on column orch.live_process.host is 'Host';
comment on column orch.live_process.daemon is 'Which daemon it is';
comment on column orch.live_process.pid is 'Process id there';
comment on column orch.live_process.version is 'Its version';
comment on column orch.live_process.started_at is 'When it started';
comment on column orch.live_process.last_beat is 'How long ago it gave a sign of life';
comment on column orch.live_process.state is 'working, draining or silent';
comment on column orch.live_process.jobs is 'Jobs that it runs';
