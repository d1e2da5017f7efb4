-- 0039_sweep: what is asked of the services outside again and again, because a webhook may be lost (R-2, R-10, I-3).
set local role orch_owner;

create table orch.sweep (
        project_id bigint not null references orch.project,
        kind text not null check (kind in ('items', 'hooks')),
        due_at timestamptz not null default clock_timestamp(),
        ended_at timestamptz,
        whole boolean not null default true,
        whole_at timestamptz,
        watermark timestamptz,
        reached timestamptz,
        held timestamptz,
        missed_at timestamptz,
        fault text,
        fault_since timestamptz,
        alerted boolean not null default false,
        primary key (project_id, kind),
        constraint fault_has_its_time check ((fault is null) = (fault_since is null))
) with (fillfactor = 50);
comment on table orch.sweep is 'R-2, R-10: what is asked of a project''s services outside from time to time, and how far that has come; and what is wrong with their webhooks.';
comment on column orch.sweep.project_id is 'Project';
comment on column orch.sweep.kind is 'items: the list of the tracker''s items, the last changed first; hooks: the webhooks of the forge';
comment on column orch.sweep.due_at is 'When it is asked next';
comment on column orch.sweep.ended_at is 'When it was last through';
comment on column orch.sweep.whole is 'items: the one under way, or the last one, goes down to the oldest item, and not only to the watermark';
comment on column orch.sweep.whole_at is 'items: when one that went down to the oldest was last through';
comment on column orch.sweep.watermark is 'items: what changed before this, by the tracker''s time, was seen';
comment on column orch.sweep.reached is 'items: newest change that the one under way has seen: the watermark once it is through';
comment on column orch.sweep.held is 'items: oldest change that the one under way had to leave for later: the watermark does not go beyond';
comment on column orch.sweep.missed_at is 'items: a person''s move that no webhook has told of so far';
comment on column orch.sweep.fault is 'What is wrong with the webhooks: null, nothing that we know of';
comment on column orch.sweep.fault_since is 'Since when';
comment on column orch.sweep.alerted is 'People were told, once';
create index sweep_due on orch.sweep (due_at);

create table orch.sweep_count (
        kind text not null,
        result text not null,
        n bigint not null default 0,
        primary key (kind, result)
) with (fillfactor = 50);
comment on table orch.sweep_count is 'R-3: what sweeps have made of what they saw, counted';
comment on column orch.sweep_count.kind is 'items';
comment on column orch.sweep_count.result is 'moved, changed: a look at it was wanted; known: nothing has changed; or why it was skipped';
comment on column orch.sweep_count.n is 'How often';

alter table orch.look drop constraint look_kind_check;
alter table orch.look add constraint look_kind_check check (kind in ('item', 'items', 'states', 'status', 'pull', 'branch', 'hooks'));
drop index orch.look_due;
alter table orch.look drop column port;
alter table orch.look add column port text not null generated always as (case when kind in ('item', 'items', 'states') then 'tracker' else 'forge' end) stored;
comment on column orch.look.port is 'Port that is asked, by its kind';
comment on column orch.look.kind is 'item, items (a page of them), states: of the tracker; status, pull, branch, hooks: of the forge';
create index look_due on orch.look (project_id, port, run_at);

create index event_heard on orch.event (project, received_at) where source = 'plane' and delivery is not null;
comment on index orch.event_heard is 'I-3: whether a tracker''s webhooks come';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('tracker_sweep_s', 'int', '60', '60', 'R-2: seconds between two lists of a tracker''s changed items; longer when a server has many projects'),
        ('tracker_sweep_whole_s', 'int', '3600', '3600', 'R-2: seconds between two lists of all items of a tracker''s project'),
        ('hook_check_s', 'int', '60', '60', 'I-3: seconds between two looks at the webhooks of a forge'),
        ('tracker_silence_s', 'int', '180', '180', 'I-3: seconds after a person''s change in a tracker without any webhook from it after which people are told that none come');
