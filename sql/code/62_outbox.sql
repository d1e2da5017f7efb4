-- 62_outbox: effects, executed in order per object until done or a dead letter.

create view orch.effect_of_endpoint as
select f.id as effect_id, f.port, p.id as project_id,
       case f.port when 'tracker' then p.tracker_endpoint when 'forge' then p.forge_endpoint
            else coalesce(p.notifier_endpoint, (select e.id from orch.endpoint e where e.alerts)) end as endpoint_id
from orch.effect f left join orch.project p on p.id = f.project_id
where f.status in ('pending', 'running');
comment on view orch.effect_of_endpoint is 'I-1: the endpoint that each open effect goes to; null: ours';
comment on column orch.effect_of_endpoint.effect_id is 'Effect';
comment on column orch.effect_of_endpoint.port is 'tracker, forge or notifier';
comment on column orch.effect_of_endpoint.project_id is 'Project; null: of none';
comment on column orch.effect_of_endpoint.endpoint_id is 'Endpoint';

create function orch.effect_heads(p_limit integer) returns bigint[]
language plpgsql as $$
declare
        h record;
        heads bigint[] := '{}';
begin
        -- of each endpoint as many as may be asked now: those of one that is away hold up nobody
        for h in
                with head as materialized (
                        select f.id, o.endpoint_id from orch.effect f join orch.effect_of_endpoint o on o.effect_id = f.id
                        left join orch.endpoint e on e.id = o.endpoint_id
                        where f.status = 'pending' and f.run_at <= clock_timestamp() and (e.not_before is null or e.not_before <= clock_timestamp())
                          and not exists (select from orch.effect g where g.object_key = f.object_key and g.id < f.id and g.status in ('pending', 'running'))
                        order by f.id limit p_limit for no key update of f skip locked
                )
                select endpoint_id, array_agg(id order by id) as ids from head group by endpoint_id
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
                from claimed c join orch.effect_of_endpoint o on o.effect_id = c.id
                left join orch.project p on p.id = c.project_id left join orch.endpoint e on e.id = o.endpoint_id order by c.id;
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
        away := orch.endpoint_note((select o.endpoint_id from orch.effect_of_endpoint o where o.effect_id = f.id), p_said, p_detail, p_retry_after_s);
        final := case when p_outcome = 'retry' and away then null
                      when p_outcome = 'retry' and f.attempts >= orch.setting_int('effect_max_attempts') then 'dead'
                      when p_outcome in ('done', 'dead') then p_outcome end;
        -- not least(), which makes 3600 of a null
        p_retry_after_s := case when p_retry_after_s > 3600 then 3600 else p_retry_after_s end;
        update orch.effect set status = coalesce(final, 'pending'), process_id = null, attempts = attempts - away::integer, detail = p_detail,
                ended_at = case when final is not null then clock_timestamp() end,
                run_at = case when final is null then clock_timestamp() + coalesce(make_interval(secs => p_retry_after_s),
                        orch.backoff(f.attempts, orch.setting_int('effect_backoff_s'))) else run_at end
        where id = f.id;
        return 'recorded';
end
$$;
comment on function orch.effect_finish(bigint, bigint, uuid, text, text, integer, text) is
        'Records how an effect went: done, retry (after a wait, of at most an hour whatever the peer asks for; in the end a dead letter) or dead; p_said is the outcome in the words of the ports. I-7: what failed because its endpoint is away has used up no try. The same call again answers "recorded"; a claim that was taken back answers "fenced".';
