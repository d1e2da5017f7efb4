-- 0037_board: what the boards outside are like, and how their work items were when they were last looked at (I-2, R-2).
set local role orch_owner;

create type orch.seen_item as (tracker_id text, work_item text, title text, description text, labels text[], labelled_by jsonb, priority smallint, blocked_by text[]);
comment on type orch.seen_item is 'A work item as its tracker, ours or one outside, last had it: what intake and verbs are given. blocked_by is null when nobody has asked.';

alter table orch.tracker_state add column remote_group text not null default 'started'
        check (remote_group in ('backlog', 'unstarted', 'started', 'completed', 'cancelled'));
comment on column orch.tracker_state.remote_group is 'I-2: group of boards outside whose first state is shown when a board has none of the name';
update orch.tracker_state set remote_group = case key when 'backlog' then 'backlog' when 'to_analyse' then 'unstarted' when 'done' then 'completed'
        when 'cancelled' then 'cancelled' when 'stop' then 'cancelled' else 'started' end;

create table orch.tracker_board (
        project_id bigint primary key references orch.project,
        refreshed_at timestamptz not null default clock_timestamp(),
        gone_at timestamptz,
        missing text[] not null default '{}',
        colliding text[] not null default '{}'
) with (fillfactor = 50);
comment on table orch.tracker_board is 'I-2: the board of a project whose tracker is outside';
comment on column orch.tracker_board.project_id is 'Project';
comment on column orch.tracker_board.refreshed_at is 'When its states were last read; older than plane_states_ttl_s, they are read again before they count';
comment on column orch.tracker_board.gone_at is 'Since when the tracker has no such project';
comment on column orch.tracker_board.missing is 'Names of ours that it has no state of';
comment on column orch.tracker_board.colliding is 'Names of its states that stand for the same: none of them counts';

create table orch.tracker_state_map (
        project_id bigint not null references orch.tracker_board on delete cascade,
        remote_id text not null,
        name text not null,
        remote_group text not null,
        key text references orch.tracker_state,
        position integer not null,
        primary key (project_id, remote_id)
);
comment on table orch.tracker_state_map is 'I-2: what each state of a board stands for';
comment on column orch.tracker_state_map.project_id is 'Project';
comment on column orch.tracker_state_map.remote_id is 'Its id there';
comment on column orch.tracker_state_map.name is 'Its name there';
comment on column orch.tracker_state_map.remote_group is 'Its group there';
comment on column orch.tracker_state_map.key is 'What it stands for; null: nothing of ours';
comment on column orch.tracker_state_map.position is 'Its place on the board';

create table orch.tracker_item (
        project_id bigint not null references orch.project,
        object text not null,
        work_item text not null unique,
        title text not null,
        description text not null default '',
        labels text[] not null default '{}',
        priority smallint not null default 2,
        blocked_by text[],
        state_id text,
        setting_id text,
        updated_at timestamptz,
        shown_at timestamptz,
        note_id text,
        actor text,
        seen_at timestamptz not null default clock_timestamp(),
        gone_at timestamptz,
        primary key (project_id, object)
) with (fillfactor = 70);
comment on table orch.tracker_item is 'I-3, R-2: work items of trackers outside as they were when they were last looked at. What differs from that is what somebody has done since; so an event that comes twice, late or not at all does nothing twice.';
comment on column orch.tracker_item.project_id is 'Project';
comment on column orch.tracker_item.object is 'Its id in the tracker';
comment on column orch.tracker_item.work_item is 'Its name, such as SHOP-12: our prefix, and its number there';
comment on column orch.tracker_item.title is 'Title';
comment on column orch.tracker_item.description is 'Text';
comment on column orch.tracker_item.labels is 'Labels';
comment on column orch.tracker_item.priority is '0 is most urgent, 4 least';
comment on column orch.tracker_item.blocked_by is 'Names of the items that must be over first; null: not asked yet';
comment on column orch.tracker_item.state_id is 'State that was dealt with last: seen and handled, or shown by us';
comment on column orch.tracker_item.setting_id is 'State that we are setting, or were when the answer was lost: seen, it is our own echo';
comment on column orch.tracker_item.updated_at is 'The tracker''s time of what is known; older answers change nothing';
comment on column orch.tracker_item.shown_at is 'The tracker''s time of our last change of its state: comments since then are meant for it';
comment on column orch.tracker_item.note_id is 'Last comment that was handed on';
comment on column orch.tracker_item.actor is 'Who of the people changed it last, as far as it is known';
comment on column orch.tracker_item.seen_at is 'When it was last looked at';
comment on column orch.tracker_item.gone_at is 'Since when the tracker does not show it to us: deleted, archived or moved away';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('plane_states_ttl_s', 'int', '300', '300', 'I-2: seconds for which the states of a board outside are taken for known');
