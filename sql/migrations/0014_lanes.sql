-- 0014_lanes: what the claim knows of each lane, so that it need not look at all of them (ADR 13). Hints, never the law:
-- whatever they say, an entry job starts only when no axis blocks it.
set local role orch_owner;

alter table orch.repo add column entry_rank smallint;
alter table orch.repo add column entry_job bigint;
alter table orch.repo add column look_at timestamptz;
alter table orch.repo add column look_for text check (look_for in ('ageing', 'backoff', 'poll', 'doubt'));
alter table orch.repo add column drifts bigint not null default 0;
comment on column orch.repo.entry_rank is 'S-11: no entry job of the repo that may start has a better rank; null: the last look found none. Written by the claim, under the lane lock';
comment on column orch.repo.entry_job is 'The entry job that the last look found';
comment on column orch.repo.look_at is 'When the claim looks again, even if nothing has touched the lane';
comment on column orch.repo.look_for is 'What for: ageing: a rank improves; backoff: the time of a job comes; poll: an axis that does not announce its end; doubt: nothing should have changed';
comment on column orch.repo.drifts is 'Times a look in doubt found a job that may start: something ended a block and did not touch the lane. Must stay 0';
create type orch.lane_view as (job bigint, rank smallint, gated boolean, look_at timestamptz, look_for text);
comment on type orch.lane_view is 'What a look at a lane found: its next entry job and rank, or none; whether the serial gate applies; when to look again, and what for';

drop index orch.repo_in_fair_order;
create index repo_in_claim_order on orch.repo (entry_rank, last_started_at nulls first, id) where entry_rank is not null;
create index repo_look_at on orch.repo (look_at) where look_at is not null;

create table orch.lane_touch (
        id bigint generated always as identity primary key,
        repo_id bigint not null
);
comment on table orch.lane_touch is 'Lanes that something has happened to which may let an entry job start: the next claim looks at them. Insert-only for who touches, so that it waits for nobody; the claim deletes what it has looked at, under the lane lock.';
comment on column orch.lane_touch.id is 'Identity';
comment on column orch.lane_touch.repo_id is 'The lane. No foreign key: it would lock the repo';
alter table orch.lane_touch set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Entry jobs by priority within a repo: what a lane without a serial gate offers next.
drop index orch.job_queued_entry;
create index job_queued_entry on orch.job (repo_id, priority, id) where status = 'queued' and entry;

create function orch.lane_touch_job() returns trigger language plpgsql as $$
begin
        insert into orch.lane_touch (repo_id) values (new.repo_id);
        return null;
end
$$;
comment on function orch.lane_touch_job() is 'An entry job was queued, or what it waits for has changed';
create trigger lane_touch after insert or update of status, priority, run_at on orch.job
        for each row when (new.entry and new.status = 'queued') execute function orch.lane_touch_job();

create function orch.lane_touch_task() returns trigger language plpgsql as $$
begin
        insert into orch.lane_touch (repo_id) values (new.repo_id);
        if new.terminal then
                insert into orch.lane_touch (repo_id)
                select distinct t.repo_id from orch.task_dependency d join orch.task t on t.id = d.task_id where d.waits_for = new.id;
        end if;
        return null;
end
$$;
comment on function orch.lane_touch_task() is 'A task ended, was paused or resumed, or its cancellation requested or withdrawn: another may be the head, and who depends on it may go on';
create trigger lane_touch after update of stage, paused_at, cancel_requested_at on orch.task
        for each row when (old.terminal is distinct from new.terminal or old.paused_at is distinct from new.paused_at
                           or old.cancel_requested_at is distinct from new.cancel_requested_at)
        execute function orch.lane_touch_task();

create function orch.lane_touch_dependency() returns trigger language plpgsql as $$
begin
        insert into orch.lane_touch (repo_id) select t.repo_id from orch.task t where t.id = old.task_id;
        return null;
end
$$;
comment on function orch.lane_touch_dependency() is 'A dependency was taken away';
create trigger lane_touch after update or delete on orch.task_dependency for each row execute function orch.lane_touch_dependency();

create function orch.lane_touch_freeze() returns trigger language plpgsql as $$
begin
        insert into orch.lane_touch (repo_id) values (old.repo_id);
        return null;
end
$$;
comment on function orch.lane_touch_freeze() is 'A freeze was cleared';
create trigger lane_touch after update or delete on orch.repo_freeze for each row execute function orch.lane_touch_freeze();

create function orch.lane_touch_all() returns trigger language plpgsql as $$
begin
        insert into orch.lane_touch (repo_id) select id from orch.repo;
        return null;
end
$$;
comment on function orch.lane_touch_all() is 'A setting has changed: any axis may answer otherwise';
create trigger lane_touch after update or delete on orch.setting_row for each statement execute function orch.lane_touch_all();

insert into orch.setting_row (key, kind, value, standard, about) values
        ('priority_ageing_s', 'int', '3600', '3600', 'S-11: seconds of waiting after which an entry job counts as one priority more urgent; 0: never'),
        ('lane_poll_s', 'int', '5', '5', 'Seconds after which the claim looks again at a lane that an axis blocks whose end is not announced'),
        ('lane_doubt_s', 'int', '60', '60', 'Seconds after which the claim looks again at a lane to which nothing has happened; what it then finds is counted as drift');
