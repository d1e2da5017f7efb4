-- 0004_messages: what comes in (inbox), what goes out (outbox), the local tracker, and the history of it all.
set local role orch_owner;

create table orch.event (
        id bigint generated always as identity primary key,
        source text not null check (source in ('gitea', 'plane', 'local')),
        delivery text,
        headers jsonb not null default '{}',
        body bytea not null,
        status text not null default 'received' check (status in ('received', 'routed', 'handled', 'ignored', 'malformed', 'dead')),
        key text,
        kind text,
        project text,
        object text,
        facts jsonb,
        attempts smallint not null default 0,
        run_at timestamptz not null default now(),
        outcome text,
        received_at timestamptz not null default now(),
        ended_at timestamptz,
        constraint routed_has_key check (status not in ('routed', 'handled') or (key is not null and kind is not null)),
        constraint event_end_has_time check ((status in ('received', 'routed')) = (ended_at is null))
);
comment on table orch.event is 'The inbox: deliveries stored before they were acknowledged (I-3). received -> routed -> handled | ignored | malformed | dead';
comment on column orch.event.id is 'Identity';
comment on column orch.event.source is 'Who sent it';
comment on column orch.event.delivery is 'The sender''s delivery id';
comment on column orch.event.headers is 'Headers kept for routing and for people';
comment on column orch.event.body is 'The body as received, byte for byte';
comment on column orch.event.status is 'received: stored; routed: parsed and given a key; handled; ignored: nothing to do; malformed: not readable, kept for people; dead: its handler kept failing';
comment on column orch.event.key is 'Events of one key are handled in order';
comment on column orch.event.kind is 'What it is about: tracker.item, forge.status, ...';
comment on column orch.event.project is 'Project as the sender names it';
comment on column orch.event.object is 'Thing it points at, as the sender names it';
comment on column orch.event.facts is 'What routing read from the body';
comment on column orch.event.attempts is 'Failed tries of the handler';
comment on column orch.event.run_at is 'Not to be handled before';
comment on column orch.event.outcome is 'What became of it, in words';
comment on column orch.event.received_at is 'When it was stored';
comment on column orch.event.ended_at is 'When it was handled or set aside';
create index event_received on orch.event (id) where status = 'received';
create index event_routed on orch.event (key, id) where status = 'routed';

create table orch.event_dedup (
        source text not null,
        dedup_key text not null,
        event_id bigint references orch.event,
        seen_at timestamptz not null default now(),
        primary key (source, dedup_key)
);
comment on table orch.event_dedup is 'I-3: keys of deliveries seen: a Gitea delivery id for ever, a Plane body for plane_dedup_s';
comment on column orch.event_dedup.source is 'Who sent it';
comment on column orch.event_dedup.dedup_key is 'Gitea: the delivery id; Plane: SHA-256 of the body';
comment on column orch.event_dedup.event_id is 'The event that was stored for it';
comment on column orch.event_dedup.seen_at is 'When it was stored';

create table orch.effect (
        id bigint generated always as identity primary key,
        project_id bigint references orch.project,
        task_id bigint references orch.task,
        port text not null check (port in ('tracker', 'forge', 'notifier')),
        kind text not null,
        object_key text not null,
        idempotency_key text not null unique,
        payload jsonb not null,
        status text not null default 'pending' check (status in ('pending', 'running', 'done', 'dead')),
        attempts smallint not null default 0,
        run_at timestamptz not null default now(),
        epoch bigint not null default 0,
        token uuid,
        process_id bigint references orch.process,
        detail text,
        created_at timestamptz not null default now(),
        ended_at timestamptz,
        constraint running_effect_has_owner check ((status = 'running') = (process_id is not null)),
        constraint running_effect_has_token check (status <> 'running' or token is not null),
        constraint effect_end_has_time check ((status in ('pending', 'running')) = (ended_at is null))
);
comment on table orch.effect is 'The outbox: side effects stored with their cause, executed in order per object, tried until done or a dead letter';
comment on column orch.effect.id is 'Identity; order within an object';
comment on column orch.effect.project_id is 'Project whose adapter executes it';
comment on column orch.effect.task_id is 'Task that caused it';
comment on column orch.effect.port is 'tracker, forge or notifier';
comment on column orch.effect.kind is 'What to do: state, comment, delete_branch, alert';
comment on column orch.effect.object_key is 'Object it changes: effects of one object keep their order';
comment on column orch.effect.idempotency_key is 'The same cause stores it once';
comment on column orch.effect.payload is 'What to do it with';
comment on column orch.effect.status is 'pending, running, done, or dead: a dead letter';
comment on column orch.effect.attempts is 'Tries so far';
comment on column orch.effect.run_at is 'Not to be tried before';
comment on column orch.effect.epoch is 'Fencing epoch of the claim';
comment on column orch.effect.token is 'Random half of the fence';
comment on column orch.effect.process_id is 'Process that executes it';
comment on column orch.effect.detail is 'What the last try came to';
comment on column orch.effect.created_at is 'When its cause was committed';
comment on column orch.effect.ended_at is 'When it was done or given up';
create index effect_open on orch.effect (object_key, id) where status in ('pending', 'running');
create index effect_running on orch.effect (process_id) where status = 'running';

create table orch.tracker_state (
        key text primary key,
        position smallint not null unique,
        label text not null unique,
        human boolean not null
);
comment on table orch.tracker_state is 'I-2: the states a tracker shows, by their logical keys';
comment on column orch.tracker_state.key is 'Logical key';
comment on column orch.tracker_state.position is 'Order on a board';
comment on column orch.tracker_state.label is 'Name in the tracker';
comment on column orch.tracker_state.human is 'Whether a person''s move to it means something (the human verbs)';
insert into orch.tracker_state (key, position, label, human) values
        ('backlog', 1, 'Backlog', false), ('to_analyse', 2, 'To Analyse', true), ('analysis', 3, 'Analysis', false),
        ('in_review', 4, 'In Review', false), ('needs_input', 5, 'Needs Input', true), ('approved', 6, 'Approved', true),
        ('rejected', 7, 'Rejected', true), ('architecture', 8, 'Architecture', false), ('development', 9, 'Development', false),
        ('code_review', 10, 'Code Review', false), ('testing', 11, 'Testing', false), ('awaiting_deploy', 12, 'Awaiting Deploy', false),
        ('confirm_deploy', 13, 'Confirm Deploy', true), ('deploying', 14, 'Deploying', false),
        ('monitoring', 15, 'Monitoring after Deploy', false), ('done', 16, 'Done', false), ('blocked', 17, 'Blocked', false),
        ('cancelled', 18, 'Cancelled', false), ('stop', 19, 'STOP', true);
alter table orch.stage add foreign key (shown) references orch.tracker_state;
alter table orch.stage_step add foreign key (shown) references orch.tracker_state;

create table orch.local_item (
        id bigint generated always as identity primary key,
        project_id bigint not null references orch.project,
        work_item text not null unique,
        title text not null,
        description text not null default '',
        priority smallint not null default 2,
        labels text[] not null default '{}',
        state text not null references orch.tracker_state,
        state_changed_at timestamptz not null default now(),
        created_by text not null default session_user,
        created_at timestamptz not null default now()
);
comment on table orch.local_item is 'The local tracker: work items of projects that have no tracker of their own';
comment on column orch.local_item.id is 'Identity';
comment on column orch.local_item.project_id is 'Project';
comment on column orch.local_item.work_item is 'Name, such as DEMO-1';
comment on column orch.local_item.title is 'Title';
comment on column orch.local_item.description is 'Text';
comment on column orch.local_item.priority is '0 is most urgent, 4 least';
comment on column orch.local_item.labels is 'Labels';
comment on column orch.local_item.state is 'Logical key of the state it shows (I-2)';
comment on column orch.local_item.state_changed_at is 'When the state last changed';
comment on column orch.local_item.created_by is 'Who made it';
comment on column orch.local_item.created_at is 'When';

create table orch.local_comment (
        id bigint generated always as identity primary key,
        item_id bigint not null references orch.local_item,
        marker text not null,
        body text not null,
        created_at timestamptz not null default now(),
        unique (item_id, marker)
);
comment on table orch.local_comment is 'Comments of the local tracker; the marker makes a repeated effect find itself';
comment on column orch.local_comment.id is 'Identity';
comment on column orch.local_comment.item_id is 'Item';
comment on column orch.local_comment.marker is 'Idempotency key of the effect that wrote it';
comment on column orch.local_comment.body is 'Text';
comment on column orch.local_comment.created_at is 'When';

create table orch.history (
        id bigint generated always as identity primary key,
        at timestamptz not null default clock_timestamp(),
        kind text not null check (kind in ('intake', 'stage', 'claim', 'outcome', 'release', 'reap', 'decision', 'freeze', 'unfreeze',
                'pause', 'resume', 'cancel', 'escalate', 'setting', 'operator', 'process')),
        actor text not null,
        repo_id bigint references orch.repo,
        task_id bigint references orch.task,
        job_id bigint references orch.job,
        epoch bigint,
        from_stage text,
        to_stage text,
        stage_version integer,
        detail jsonb not null default '{}',
        foreign key (from_stage, to_stage) references orch.stage_edge (from_stage, to_stage),
        constraint a_move_names_both_stages check ((kind = 'stage') = (from_stage is not null and to_stage is not null and stage_version is not null))
);
comment on table orch.history is 'O-4: append-only record of everything that changed the course of a task';
comment on column orch.history.id is 'Identity';
comment on column orch.history.at is 'When, by the database''s clock';
comment on column orch.history.kind is 'What happened';
comment on column orch.history.actor is 'Who did it: a daemon, or a database user';
comment on column orch.history.repo_id is 'Repo concerned';
comment on column orch.history.task_id is 'Task concerned';
comment on column orch.history.job_id is 'Job concerned';
comment on column orch.history.epoch is 'Epoch of the claim concerned';
comment on column orch.history.from_stage is 'A move: stage that was left';
comment on column orch.history.to_stage is 'A move: stage that was entered; the edge must exist';
comment on column orch.history.stage_version is 'A move: version that was reached; no version is reached twice';
comment on column orch.history.detail is 'The particulars';
create unique index history_one_move_per_version on orch.history (task_id, stage_version) where kind = 'stage';
create index history_of_task on orch.history (task_id, id);

create function orch.refuse_change() returns trigger language plpgsql as $$
begin
        raise exception 'orch.% is append-only', tg_table_name;
end
$$;
comment on function orch.refuse_change() is 'Keeps append-only tables append-only';
create trigger append_only before update or delete on orch.history
        for each row execute function orch.refuse_change();
create trigger append_only_truncate before truncate on orch.history
        for each statement execute function orch.refuse_change();

create table orch.audit (
        id bigint generated always as identity primary key,
        at timestamptz not null default clock_timestamp(),
        actor text not null,
        act text not null,
        object text not null,
        arguments jsonb not null default '{}',
        before jsonb,
        after jsonb
);
comment on table orch.audit is 'O-2: every act of an operator: who, when, what, before, after';
comment on column orch.audit.id is 'Identity';
comment on column orch.audit.at is 'When';
comment on column orch.audit.actor is 'Database user who called';
comment on column orch.audit.act is 'Function that was called';
comment on column orch.audit.object is 'Work item, repo or setting';
comment on column orch.audit.arguments is 'With what';
comment on column orch.audit.before is 'State before';
comment on column orch.audit.after is 'State after';
create trigger append_only before update or delete on orch.audit
        for each row execute function orch.refuse_change();

create type orch.gate_answer as (result text, reason text);
comment on type orch.gate_answer is 'What a gate says: result is pass, wait or fail; reason is for people and for the next run';
