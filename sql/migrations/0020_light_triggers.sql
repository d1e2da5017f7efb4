-- 0020_light_triggers: what each change of a job or task costs besides the change itself.
set local role orch_owner;

create or replace function orch.state_keep() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        -- long texts, and half of a fence
        left_out constant text[] := '{description,input,next_input,token,about,standard}';
        is_now jsonb;
        was jsonb;
        its_key text;
begin
        if tg_op <> 'DELETE' then
                is_now := to_jsonb(new) - left_out;
        end if;
        if tg_op <> 'INSERT' then
                was := to_jsonb(old) - left_out;
        end if;
        if is_now = was then
                return null;
        end if;
        its_key := coalesce(is_now, was) ->> tg_argv[0];
        for i in 1..tg_nargs - 1 loop
                its_key := its_key || '>' || (coalesce(is_now, was) ->> tg_argv[i]);
        end loop;
        insert into orch.state_change (entity, key, state) values (tg_table_name, its_key, is_now);
        return null;
end
$$;

create index repo_polled on orch.repo (id) where look_for = 'poll';
comment on index orch.repo_polled is 'Lanes that wait for what announces no end: looked at when a job ends';

create or replace function orch.slot_freed() returns trigger language plpgsql as $$
begin
        if exists (select from orch.capacity_limit) then
                insert into orch.lane_touch (repo_id) select id from orch.repo where look_for = 'poll' limit 100;
                if found then
                        perform orch.wake();
                end if;
        end if;
        return null;
end
$$;

create index effect_dead_object on orch.effect (object_key) where status = 'dead';
comment on index orch.effect_dead_object is 'Effects that were given up, by what they were about: a claim asks whether its branch may still be deleted';
