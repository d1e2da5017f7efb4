-- 0022_retention: what is kept for how long (J-9, R-10), and the indexes by which what is old is found among what is not.
set local role orch_owner;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('keep_event_bodies_days', 'int', '14', '14', 'Days that the body of an event is kept after it was handled; 0: as long as the event'),
        ('keep_events_days', 'int', '90', '90', 'Days that an event is kept after it was handled, or dropped; 0: for ever'),
        ('keep_dedup_days', 'int', '0', '0', 'I-3: days that the id of a delivery from Gitea is known again; 0: for ever'),
        ('keep_effects_days', 'int', '90', '90', 'Days that an effect of a task that is over is kept after it was done, or dropped; 0: for ever'),
        ('keep_processes_days', 'int', '30', '30', 'Days that a process which ended is kept, if it ran no job; 0: for ever'),
        ('keep_logs_days', 'int', '30', '30', 'J-9: days that the log and the folder of a run are kept on its host after its job ended; 0: for ever'),
        ('keep_commits_days', 'int', '90', '90', 'Days that the commits of runs are kept in the mirror of their host after their task ended; 0: for ever'),
        ('keep_state_days', 'int', '180', '180', 'B-3: days that asof can look back; 0: for ever. History and audit are kept for ever.');

-- the inbox: bodies first
alter table orch.event add column body_removed_at timestamptz;
comment on column orch.event.body_removed_at is 'When the body was emptied, because it had been kept long enough';
create index event_over_with_body on orch.event ((coalesce(dropped_at, ended_at))) where body_removed_at is null and (status in ('handled', 'ignored') or dropped_at is not null);
comment on index orch.event_over_with_body is 'Events that are over and have their body, the oldest first: retention';
create index event_over on orch.event ((coalesce(dropped_at, ended_at))) where status in ('handled', 'ignored') or dropped_at is not null;
comment on index orch.event_over is 'Events that are over, the oldest first: retention';
-- not valid: what met the stricter rule meets this one
alter table orch.event_dedup drop constraint event_dedup_event_id_fkey;
alter table orch.event_dedup add constraint event_dedup_event_id_fkey foreign key (event_id) references orch.event on delete set null not valid;
comment on column orch.event_dedup.event_id is 'The event that was stored for it; null once that is kept no longer';
create index event_dedup_event on orch.event_dedup (event_id);
comment on index orch.event_dedup_event is 'For the events that go';
create index event_dedup_seen on orch.event_dedup (source, seen_at);
comment on index orch.event_dedup_seen is 'The keys of a source, the oldest first: retention';

-- the outbox
create index effect_over on orch.effect ((coalesce(dropped_at, ended_at))) where status = 'done' or dropped_at is not null;
comment on index orch.effect_over is 'Effects that are over, the oldest first: retention';
create index effect_of_process on orch.effect (process_id) where process_id is not null;
comment on index orch.effect_of_process is 'For the processes that go';

-- processes, and what runs leave on their hosts
create index process_ended on orch.process (ended_at) where ended_at is not null;
comment on index orch.process_ended is 'Processes that have ended, the oldest first: retention';
create index process_of_host on orch.process (host_id, id);
comment on index orch.process_of_host is 'All processes that a host ever had';
create index job_of_process on orch.job (process_id) where process_id is not null;
comment on index orch.job_of_process is 'For the processes that go';
alter table orch.run add column files_removed_at timestamptz;
alter table orch.run add column commit_removed_at timestamptz;
alter table orch.run add column files_kept text;
alter table orch.run add column files_look_at timestamptz;
comment on column orch.run.files_removed_at is 'J-9: when its folder on its host, with the log, was removed, having been kept long enough';
comment on column orch.run.commit_removed_at is 'When its commit was taken out of the mirror on its host, having been kept long enough';
comment on column orch.run.files_kept is 'Why its folder was not removed when its time had come: something in it is nowhere else';
comment on column orch.run.files_look_at is 'Not to be looked at again before';
create index run_of_process on orch.run (process_id);
comment on index orch.run_of_process is 'For the processes that go';
create index run_with_files on orch.run (process_id, ended_at) where files_removed_at is null;
comment on index orch.run_with_files is 'Runs that have a folder on their host, the oldest of each process first: retention';
create index run_with_commit on orch.run (process_id, ended_at) where commit_removed_at is null;
comment on index orch.run_with_commit is 'Runs whose commit may be in the mirror of their host: retention';
create index run_kept on orch.run (id) where files_kept is not null and files_removed_at is null;
comment on index orch.run_kept is 'Runs whose folder stays, with a reason';

-- the versions of rows
create table orch.retention_mark (
        what text primary key,
        id bigint not null,
        at timestamptz
);
comment on table orch.retention_mark is 'R-10: how far retention has come where what it looks at does not go away';
comment on column orch.retention_mark.what is 'Of what: state_change';
comment on column orch.retention_mark.id is 'The last row it has looked at';
comment on column orch.retention_mark.at is 'Its time: what is later is complete';
insert into orch.retention_mark (what, id) values ('state_change', 0);

create function orch.refuse_early_delete() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        mark bigint := (select id from orch.retention_mark where what = 'state_change');
        hole record;
begin
        select d.* into hole
        from (select o.entity, o.key, max(o.id) as newest, (array_agg(o.state is null order by o.id desc))[1] as gone from old_version o group by o.entity, o.key) d
        cross join lateral (select max(c.id) as newest from orch.state_change c where c.entity = d.entity and c.key = d.key and c.id <= mark) stays
        where d.newest > mark or coalesce(stays.newest < d.newest, not d.gone) limit 1;
        if found then
                raise exception 'orch.state_change is append-only: version % of % % is not superseded by what is kept', hole.newest, hole.entity, hole.key;
        end if;
        return null;
end
$$;
comment on function orch.refuse_early_delete() is 'Refuses to delete versions of a row unless they lie behind the mark of retention, and a later one behind it stays; or the row was gone by then, and none stays';
drop trigger append_only on orch.state_change;
create trigger append_only before update on orch.state_change
        for each row execute function orch.refuse_change();
create trigger superseded_only after delete on orch.state_change referencing old table as old_version
        for each statement execute function orch.refuse_early_delete();
