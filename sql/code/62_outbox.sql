-- 62_outbox: effects, executed in order per object until done or a dead letter.

create function orch.effect_heads(p_limit integer) returns bigint[]
language plpgsql as $$
declare
        h record;
        heads bigint[] := '{}';
begin
        -- each endpoint by itself, and only as many as it may be asked now: nobody waits behind one that is away
        for h in
                with askable as (
                        select e.id, least(p_limit, orch.endpoint_room(e)) as room from orch.endpoint e
                        union all select 0, p_limit
                ), head as materialized (
                        select f.id, a.id as endpoint_id from askable a
                        cross join lateral (
                                select f.id from orch.effect f
                                where f.status = 'pending' and coalesce(f.endpoint_id, 0) = a.id and f.run_at <= clock_timestamp()
                                  and not exists (select from orch.effect g where g.object_key = f.object_key and g.id < f.id and g.status in ('pending', 'running'))
                                order by f.id limit a.room for no key update of f skip locked
                        ) f
                        where a.room > 0
                        order by f.id limit p_limit
                )
                select nullif(endpoint_id, 0) as endpoint_id, array_agg(id order by id) as ids from head group by 1
        loop
                heads := heads || h.ids[1:orch.endpoint_admit(h.endpoint_id, cardinality(h.ids))];
        end loop;
        return heads;
end
$$;
comment on function orch.effect_heads(integer) is 'The oldest due effect of each of some objects, locked, whose endpoints can be asked now';

create function orch.effect_claim(p_process bigint, p_epoch bigint, p_limit integer)
returns table (effect_id bigint, epoch bigint, token uuid, port text, kind text, object_key text, payload jsonb, attempts smallint,
        adapter text, location text, default_branch text, endpoint jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        return query
                with head as materialized (
                        select unnest(orch.effect_heads(p_limit)) as id
                ), claimed as (
                        update orch.effect f set status = 'running', attempts = f.attempts + 1, epoch = f.epoch + 1,
                                token = gen_random_uuid(), process_id = p_process
                        from head where f.id = head.id returning f.*
                )
                select c.id, c.epoch, c.token, c.port, c.kind, c.object_key, c.payload, c.attempts,
                        coalesce(e.kind, case c.port when 'notifier' then 'log' else 'local' end),
                        p.forge_location, p.default_branch, orch.endpoint_json(e, p)
                from claimed c left join orch.project p on p.id = c.project_id left join orch.endpoint e on e.id = c.endpoint_id order by c.id;
end
$$;
comment on function orch.effect_claim(bigint, bigint, integer) is 'Claims the oldest due effect of each of some objects for a live process';

create function orch.effect_finish(p_effect bigint, p_epoch bigint, p_token uuid, p_outcome text, p_detail text, p_retry_after_s integer,
        p_said text default null) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        f orch.effect;
        final text;
        away boolean;
begin
        select * into f from orch.effect where id = p_effect and epoch = p_epoch and token = p_token for no key update;
        if not found then
                return 'fenced';
        elsif f.status <> 'running' then
                return 'recorded';
        end if;
        away := orch.endpoint_note(f.endpoint_id, p_said, p_detail, p_retry_after_s);
        final := case when p_outcome = 'retry' and away then null
                      when p_outcome = 'retry' and f.attempts >= orch.setting_int('effect_max_attempts') then 'dead'
                      when p_outcome in ('done', 'dead') then p_outcome end;
        update orch.effect set status = coalesce(final, 'pending'), process_id = null, attempts = attempts - away::integer, detail = p_detail,
                ended_at = case when final is not null then clock_timestamp() end,
                endpoint_id = case when final is null then orch.effect_endpoint(f.project_id, f.port) else endpoint_id end,
                run_at = case when final is null then clock_timestamp() + coalesce(orch.told_wait(p_retry_after_s),
                        orch.backoff(f.attempts, orch.setting_int('effect_backoff_s'))) else run_at end
        where id = f.id;
        return 'recorded';
end
$$;
comment on function orch.effect_finish(bigint, bigint, uuid, text, text, integer, text) is
        'Records how an effect went: done, retry (after a wait, of at most an hour whatever the peer asks for; in the end a dead letter) or dead; p_said is the outcome in the words of the ports. I-7: what failed because its endpoint is away has used up no try. The same call again answers "recorded"; a claim that was taken back answers "fenced".';
