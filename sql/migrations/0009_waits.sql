-- 0009_waits: dependencies as the local tracker declares them, and what the waits of tasks have been found to come to (S-15, B-6).
set local role orch_owner;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('dependency_max', 'int', '1000', '1000', 'S-15: tasks that one task may wait for'),
        ('starvation_s', 'int', '3600', '3600', 'B-6: seconds that a job may be claimable, and nobody claim it, before people are alerted; 0: never');

alter table orch.local_item add column blocked_by text[] not null default '{}';
comment on column orch.local_item.blocked_by is 'S-15: names of the items that must be over first';

create table orch.wait_finding (
        id bigint generated always as identity primary key,
        kind text not null check (kind in ('deadlock', 'starvation')),
        key text not null,
        task_id bigint not null references orch.task,
        job_id bigint references orch.job,
        about text not null,
        cut text,
        found_at timestamptz not null default clock_timestamp(),
        alerted_at timestamptz,
        ended_at timestamptz
);
comment on table orch.wait_finding is 'B-6: deadlocks, and jobs that starve, as each tick of the reconciler finds them; one alert each';
comment on column orch.wait_finding.id is 'Identity';
comment on column orch.wait_finding.kind is 'deadlock: tasks that wait for each other; starvation: a job that could be claimed, and is not';
comment on column orch.wait_finding.key is 'The same key is the same finding: the tasks of the circle, or the job';
comment on column orch.wait_finding.task_id is 'A task of it';
comment on column orch.wait_finding.job_id is 'starvation: the job';
comment on column orch.wait_finding.about is 'What it is, for people';
comment on column orch.wait_finding.cut is 'deadlock: the act that ends it at the least cost';
comment on column orch.wait_finding.found_at is 'When it was first seen';
comment on column orch.wait_finding.alerted_at is 'When people were told; a job is watched for starvation_s first';
comment on column orch.wait_finding.ended_at is 'When it was seen no more';
create unique index wait_finding_open on orch.wait_finding (kind, key) where ended_at is null;
