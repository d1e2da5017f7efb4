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
                                  and not (f.kind = 'state' and a.id <> 0 and not exists (select from orch.tracker_board b where b.project_id = f.project_id)) -- it cannot be said yet
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
declare
        f orch.effect;
        p orch.project;
        e orch.endpoint;
        n integer := 0;
        heads bigint[];
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        loop
                heads := orch.effect_heads(p_limit);
                for f in with claimed as (
                                update orch.effect v set status = 'running', attempts = v.attempts + 1, epoch = v.epoch + 1, token = gen_random_uuid(), process_id = p_process
                                where v.id = any (heads) returning v.*)
                         select * from claimed c order by c.id
                loop
                        select * into p from orch.project v where v.id = f.project_id;
                        select * into e from orch.endpoint v where v.id = f.endpoint_id;
                        payload := case when f.port = 'tracker' and e.id is not null then orch.remote_payload(f, p) else f.payload end;
                        if payload is null then
                                update orch.effect v set status = 'done', process_id = null, ended_at = clock_timestamp(), detail = 'not shown: the board has no state for it' where v.id = f.id;
                                perform orch.endpoint_unasked(f.endpoint_id);
                                continue;
                        end if;
                        effect_id := f.id;
                        epoch := f.epoch;
                        token := f.token;
                        port := f.port;
                        kind := f.kind;
                        object_key := f.object_key;
                        attempts := f.attempts;
                        adapter := coalesce(e.kind, case f.port when 'notifier' then 'log' else 'local' end);
                        location := p.forge_location;
                        default_branch := p.default_branch;
                        endpoint := orch.endpoint_json(e, p);
                        n := n + 1;
                        return next;
                end loop;
                exit when n > 0 or heads = '{}';
        end loop;
end
$$;
comment on function orch.effect_claim(bigint, bigint, integer) is 'Claims the oldest due effect of each of some objects for a live process; what has nothing to show any more is done without asking';

create function orch.effect_finish(p_effect bigint, p_epoch bigint, p_token uuid, p_outcome text, p_detail text, p_retry_after_s integer,
        p_said text default null, p_answer text default null) returns text
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
        if orch.show_failed(f, p_said) then
                p_outcome := 'retry';
        elsif p_outcome = 'done' and p_answer is not null and f.port = 'tracker' and f.kind = 'state' then
                perform orch.item_shown(f, p_answer::jsonb);
        end if;
        final := case when p_outcome = 'retry' and away then null
                      when p_outcome = 'retry' and f.attempts >= orch.setting_int('effect_max_attempts') then 'dead'
                      when p_outcome in ('done', 'dead') then p_outcome end;
        update orch.effect set status = coalesce(final, 'pending'), process_id = null, attempts = attempts - away::integer, detail = p_detail,
                ended_at = case when final is not null then clock_timestamp() end,
                endpoint_id = case when final is null then orch.effect_endpoint(f.project_id, f.port) else endpoint_id end,
                run_at = case when final is null then clock_timestamp() + coalesce(orch.said_wait(p_said, p_retry_after_s),
                        orch.backoff(f.attempts, orch.setting_int('effect_backoff_s'))) else run_at end
        where id = f.id;
        return 'recorded';
end
$$;
comment on function orch.effect_finish(bigint, bigint, uuid, text, text, integer, text, text) is
        'Records how an effect went: done, retry (after a wait, of at most an hour whatever the peer asks for; in the end a dead letter) or dead; p_said is the outcome in the words of the ports, p_answer what the service answered. I-7: what failed because its endpoint is away has used up no try. The same call again answers "recorded"; a claim that was taken back answers "fenced".';
