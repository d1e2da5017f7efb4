-- 0019_failure: what has failed for a task so far: the next run is told of it, and the same cause twice in a row is noticed (P-5).
set local role orch_owner;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('same_cause_max', 'int', '0', '0', 'P-5: failures of the same cause in a row before a task is escalated, whatever rounds and attempts are left; 0: never for that');

create table orch.failure (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        job_id bigint references orch.job,
        run_id bigint references orch.run,
        kind text not null check (kind in ('attempt', 'gate', 'person')),
        source text not null,
        stage text not null references orch.stage,
        stage_version integer not null,
        outcome text not null,
        reason text not null,
        cause text,
        repeats smallint not null default 1 check (repeats > 0),
        failed_at timestamptz not null default clock_timestamp()
);
comment on table orch.failure is 'P-5: what went wrong for a task: an attempt at a job, a gate that failed, a person''s rejection. Counts nothing: rounds, attempts and the rest have their own counters.';
comment on column orch.failure.id is 'Identity';
comment on column orch.failure.task_id is 'Task';
comment on column orch.failure.job_id is 'attempt: the job';
comment on column orch.failure.run_id is 'Run whose log says more';
comment on column orch.failure.kind is 'attempt: a run that failed; gate: a gate sent the task back; person: somebody did';
comment on column orch.failure.source is 'attempt: the role; gate: the gate; person: who it was';
comment on column orch.failure.stage is 'Stage in which it happened';
comment on column orch.failure.stage_version is 'Visit of that stage';
comment on column orch.failure.outcome is 'Outcome of the run; failed for a gate; rejected for a person';
comment on column orch.failure.reason is 'Why, in words';
comment on column orch.failure.cause is 'Fingerprint of the cause (orch.cause_of): equal when nothing but numbers, names of commits and times differ; null: a person''s';
comment on column orch.failure.repeats is 'How many times in a row the same source failed of the same cause, this one included';
comment on column orch.failure.failed_at is 'When';
create index failure_of_task on orch.failure (task_id, id);
