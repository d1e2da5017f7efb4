-- 0012_state_change: every version of the rows that say how things stand, so that `asof` can answer what was (O-4, B-3).
-- Kept by triggers: whoever writes a row, its version is written in the same transaction, and no writer can forget it.
set local role orch_owner;

create table orch.state_change (
        id bigint generated always as identity primary key,
        at timestamptz not null default clock_timestamp(),
        entity text not null,
        key text not null,
        state jsonb
);
comment on table orch.state_change is 'O-4: append-only versions of tasks, jobs, leases, freezes, dependencies, deploys and settings; read it through orch.state_at()';
comment on column orch.state_change.id is 'Identity; of two versions the later one has the higher id, also when the clock was set back';
comment on column orch.state_change.at is 'When it was written, by the database''s clock';
comment on column orch.state_change.entity is 'Table that the row is of';
comment on column orch.state_change.key is 'Primary key of the row, as text';
comment on column orch.state_change.state is 'The row since then, without long texts; null: it was deleted';
create index state_change_of_row on orch.state_change (entity, key, id);
create index state_change_time on orch.state_change (at);
create trigger append_only before update or delete on orch.state_change
        for each row execute function orch.refuse_change();
create trigger append_only_truncate before truncate on orch.state_change
        for each statement execute function orch.refuse_change();

create function orch.state_keep() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        of_row jsonb := case tg_op when 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
        -- long texts, and half of a fence
        left_out constant text[] := '{description,input,next_input,token,about,standard}';
begin
        if tg_op = 'UPDATE' and of_row - left_out = to_jsonb(old) - left_out then
                return null;
        end if;
        insert into orch.state_change (entity, key, state)
        values (tg_table_name, (select string_agg(of_row ->> c, '>') from unnest(tg_argv) c),
                case when tg_op <> 'DELETE' then of_row - left_out end);
        return null;
end
$$;
comment on function orch.state_keep() is 'Trigger: writes the new version of a row; its arguments are the columns of the key';

do $$
declare
        t record;
begin
        for t in select * from (values
                ('task', '{id}'::text[]), ('job', '{id}'), ('transition_lease', '{task_id}'), ('merge_lease', '{repo_id}'), ('repo_freeze', '{id}'),
                ('task_dependency', '{task_id,waits_for}'), ('deploy_record', '{id}'), ('setting_row', '{key}'),
                ('capacity_limit', '{scope,name}'), ('provider_circuit', '{provider}')) v (name, key)
        loop
                execute format('create trigger state_keep after insert or update or delete on orch.%I for each row execute function orch.state_keep(%s)',
                        t.name, (select string_agg(quote_literal(c), ', ') from unnest(t.key) c));
                -- rows that are there already: what they were before is not known
                execute format('insert into orch.state_change (entity, key, state) select %L, concat_ws(''>'', %s), to_jsonb(r) - ''{description,input,next_input,token,about,standard}''::text[] from orch.%I r',
                        t.name, (select string_agg(format('r.%I', c), ', ') from unnest(t.key) c), t.name);
        end loop;
end
$$;
