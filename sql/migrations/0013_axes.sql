-- 0013_axes: the list of the scheduler's axes, and which of them cannot be evaluated (S-13).
set local role orch_owner;

create type orch.block as (job_id bigint, precedence integer, axis text, reason text, ends_when text);
comment on type orch.block is 'One reason why a queued job may not be claimed. A type of its own, not the row of orch.job_block: what is made of the list must outlive a list that was dropped (S-13)';

create table orch.axis (
        key text primary key,
        precedence integer not null unique,
        view text not null unique,
        applies_to text not null check (applies_to in ('entry', 'all')),
        on_failure text not null check (on_failure in ('open', 'closed')),
        announced boolean not null default false,
        about text not null
);
comment on table orch.axis is 'S-1 to S-7, J-7: the axes of the scheduler. Filled from the one list in sql/code/25_blocks.sql at each migration.';
comment on column orch.axis.key is 'Name that people meet in reasons and metrics';
comment on column orch.axis.precedence is 'S-14: the lowest that blocks is named first';
comment on column orch.axis.view is 'View of (job_id, reason, ends_when): the queued jobs that it blocks';
comment on column orch.axis.applies_to is 'Whether it blocks entry jobs only (S-9) or jobs of every kind';
comment on column orch.axis.on_failure is 'S-13: when the view cannot be evaluated: open, the claim goes on without it; closed, entry jobs are withheld';
comment on column orch.axis.announced is 'Whether all that ends one of its blocks touches the lane of the job, so that nobody has to look again before';
comment on column orch.axis.about is 'The rule, for people';

create table orch.axis_fault (
        id bigint generated always as identity primary key,
        axis text not null,
        error text not null,
        failures bigint not null default 1,
        first_at timestamptz not null default clock_timestamp(),
        last_at timestamptz not null default clock_timestamp(),
        cleared_at timestamptz
);
comment on table orch.axis_fault is 'S-13: times during which an axis could not be evaluated; one row and one alert each';
comment on column orch.axis_fault.id is 'Identity';
comment on column orch.axis_fault.axis is 'The axis';
comment on column orch.axis_fault.error is 'What the database said, the last time';
comment on column orch.axis_fault.failures is 'How often the claim has met it';
comment on column orch.axis_fault.first_at is 'When it was first met';
comment on column orch.axis_fault.last_at is 'When it was last met';
comment on column orch.axis_fault.cleared_at is 'When the axis had worked again for axis_fault_clear_s; null: it fails now';
create unique index axis_fault_open on orch.axis_fault (axis) where cleared_at is null;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('axis_fault_clear_s', 'int', '30', '30', 'S-13: seconds without a failure after which an axis that could not be evaluated counts as working again');
