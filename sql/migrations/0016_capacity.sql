-- 0016_capacity: slots, what hosts must have, who is the provider, and budgets (S-7, J-4, J-5, J-7).
set local role orch_owner;

create table orch.slot (
        id bigint generated always as identity primary key,
        scope text not null,
        name text not null,
        n integer not null,
        job_id bigint,
        epoch bigint,
        unique (scope, name, n),
        constraint stamped_whole check ((job_id is null) = (epoch is null))
) with (fillfactor = 50);
comment on table orch.slot is 'S-7: one row for each job that a limit admits, stamped with the claim that has it. It is taken while that claim runs, so the end of a job, however it comes, gives it back, and nothing counts.';
comment on column orch.slot.id is 'Identity';
comment on column orch.slot.scope is 'Of the limit';
comment on column orch.slot.name is 'Of the limit';
comment on column orch.slot.n is 'Number; beyond the limit are those that were taken before it was lowered, or set';
comment on column orch.slot.job_id is 'Job that has it, or had it last. No foreign keys: they would lock the rows of others';
comment on column orch.slot.epoch is 'Epoch of its claim';
create index slot_of_job on orch.slot (job_id);

create function orch.slots_fit() returns trigger language plpgsql as $$
declare
        l orch.capacity_limit;
begin
        insert into orch.lane_touch (repo_id) select id from orch.repo;
        if tg_op = 'DELETE' then
                delete from orch.slot where scope = old.scope and name = old.name;
                return null;
        end if;
        l := new;
        delete from orch.slot s where s.scope = l.scope and s.name = l.name and s.n > l.slots
                and not exists (select from orch.job j where j.id = s.job_id and j.epoch = s.epoch and j.status = 'running');
        -- what runs already counts, also beyond the limit
        insert into orch.slot (scope, name, n, job_id, epoch)
        select l.scope, l.name, coalesce((select max(s.n) from orch.slot s where s.scope = l.scope and s.name = l.name), 0) + row_number() over (order by j.id), j.id, j.epoch
        from orch.job j join orch.repo r on r.id = j.repo_id join orch.process p on p.id = j.process_id join orch.host h on h.id = p.host_id
        where j.status = 'running' and (l.scope, l.name) in (('global', ''), ('repo', r.name), ('role', j.role), ('host', h.name))
          and not exists (select from orch.slot s where s.job_id = j.id and s.epoch = j.epoch and s.scope = l.scope and s.name = l.name);
        insert into orch.slot (scope, name, n) select l.scope, l.name, n from generate_series(1, l.slots) n on conflict do nothing;
        return null;
end
$$;
comment on function orch.slots_fit() is 'Makes the slots of a limit that was set, stamps them for what runs, and takes away those that are free and too many';
create trigger slots_fit after insert or update of slots or delete on orch.capacity_limit for each row execute function orch.slots_fit();

create function orch.slot_freed() returns trigger language plpgsql as $$
begin
        if exists (select from orch.capacity_limit) then
                insert into orch.lane_touch (repo_id) select id from orch.repo where look_for = 'poll' limit 100;
        end if;
        return null;
end
$$;
comment on function orch.slot_freed() is 'A job has ended to run: lanes that a limit held are looked at';
create trigger slot_freed after update of status on orch.job
        for each row when (old.status = 'running' and new.status <> 'running') execute function orch.slot_freed();

alter table orch.role add column requires text[] not null default '{}';
comment on column orch.role.requires is 'S-7: labels that a host must have to run its jobs';
alter table orch.role add column provider text check (provider ~ '^[A-Za-z0-9._-]{1,64}$');
comment on column orch.role.provider is 'J-4: whom its agents ask; null: nobody';
update orch.role set provider = 'default' where kind = 'agent';
-- in steps: a column that comes with a default cannot be added while a function takes the row as a parameter
alter table orch.project add column requires text[];
update orch.project set requires = '{}';
alter table orch.project alter column requires set default '{}', alter column requires set not null;
comment on column orch.project.requires is 'S-7: labels that a host must have to run jobs of the project';
alter table orch.process add column preflight jsonb not null default '{}' check (jsonb_typeof(preflight) = 'object');
comment on column orch.process.preflight is 'J-5: roles whose agent cannot be started here, and why; a worker looks before it claims';

alter table orch.provider_circuit add column failures integer not null default 0;
alter table orch.provider_circuit add column probe_job bigint;
alter table orch.provider_circuit add column probe_epoch bigint;
comment on column orch.provider_circuit.failures is 'Failures since it was last closed: each one doubles the wait';
comment on column orch.provider_circuit.probe_job is 'half-open: the job that tries';
comment on column orch.provider_circuit.probe_epoch is 'half-open: epoch of its claim; when that runs no more, another job may try';

create index run_cost_of_day on orch.run (((started_at at time zone 'UTC')::date)) where cost_usd is not null;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('circuit_open_s', 'int', '30', '30', 'J-4: seconds for which jobs do not ask a provider that has failed; doubles with each failure, up to five minutes; 0: they always ask'),
        ('budget_task_usd', 'int', '0', '0', 'J-7: dollars that the agents of one task may cost; 0: no limit'),
        ('budget_repo_day_usd', 'int', '0', '0', 'J-7: dollars that the agents of one repo may cost in a day (UTC); 0: no limit'),
        ('budget_day_usd', 'int', '0', '0', 'J-7: dollars that all agents may cost in a day (UTC); 0: no limit');
