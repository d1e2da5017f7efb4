-- 0018_escalation: what has been escalated to people, and who looks after it (P-5).
set local role orch_owner;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('escalation_reraise_s', 'int', '3600', '3600', 'P-5: seconds after an alert that nobody has acknowledged before it is repeated, twice at most; 0: never');

create table orch.escalation (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        reason text not null,
        severity text not null check (severity in ('normal', 'urgent')),
        raised_at timestamptz not null default clock_timestamp(),
        raised_by text not null,
        raised_again smallint not null default 0 check (raised_again between 0 and 2),
        alerted_at timestamptz not null default clock_timestamp(),
        acked_at timestamptz,
        acked_by text,
        ended_at timestamptz,
        ended_by text,
        ended_how text,
        constraint acked_by_somebody check ((acked_at is null) = (acked_by is null)),
        constraint escalation_end_has_how check ((ended_at is null) = (ended_by is null) and (ended_at is null) = (ended_how is null))
);
comment on table orch.escalation is 'P-5: every time that nothing automatic was left to do for a task: one alert, repeated twice at most, until somebody acknowledges or ends it';
comment on column orch.escalation.id is 'Identity';
comment on column orch.escalation.task_id is 'Task';
comment on column orch.escalation.reason is 'Why, for people';
comment on column orch.escalation.severity is 'normal; urgent: production, or the default branch, may be half way';
comment on column orch.escalation.raised_at is 'When';
comment on column orch.escalation.raised_by is 'Who found it';
comment on column orch.escalation.raised_again is 'How often the alert was repeated';
comment on column orch.escalation.alerted_at is 'When people were last told';
comment on column orch.escalation.acked_at is 'Since when somebody looks after it: nothing is repeated any more';
comment on column orch.escalation.acked_by is 'Who';
comment on column orch.escalation.ended_at is 'When the task went on, or was cancelled';
comment on column orch.escalation.ended_by is 'Who saw to that';
comment on column orch.escalation.ended_how is 'The act: retry, approve, reject, answer, cancel';
create unique index escalation_open on orch.escalation (task_id) where ended_at is null;
comment on index orch.escalation_open is 'A task is escalated once at a time';
create index escalation_unheard on orch.escalation (alerted_at) where ended_at is null and acked_at is null and raised_again < 2;
comment on index orch.escalation_unheard is 'Those whose alert may have to be repeated';

insert into orch.escalation (task_id, reason, severity, raised_at, raised_by, alerted_at)
select id, escalation, 'normal', escalated_at, 'orchestrator', clock_timestamp() from orch.task where escalated_at is not null and not terminal;
