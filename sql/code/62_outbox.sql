-- 62_outbox: effects, executed in order per object until done or a dead letter.

create function orch.effect_claim(p_process bigint, p_epoch bigint, p_limit integer)
returns table (effect_id bigint, epoch bigint, token uuid, port text, kind text, object_key text, payload jsonb, attempts smallint,
        adapter text, location text, default_branch text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        return query
                with head as materialized (
                        select f.id from orch.effect f
                        where f.status = 'pending' and f.run_at <= clock_timestamp()
                          and not exists (select from orch.effect g where g.object_key = f.object_key and g.id < f.id and g.status in ('pending', 'running'))
                        order by f.id limit p_limit for no key update skip locked
                ), claimed as (
                        update orch.effect f set status = 'running', attempts = f.attempts + 1, epoch = f.epoch + 1,
                                token = gen_random_uuid(), process_id = p_process
                        from head where f.id = head.id returning f.*
                )
                select c.id, c.epoch, c.token, c.port, c.kind, c.object_key, c.payload, c.attempts,
                        case c.port when 'tracker' then p.tracker when 'forge' then p.forge else 'log' end,
                        p.forge_location, p.default_branch
                from claimed c left join orch.project p on p.id = c.project_id order by c.id;
end
$$;
comment on function orch.effect_claim(bigint, bigint, integer) is 'Claims the oldest due effect of each of some objects for a live process';

create function orch.effect_finish(p_effect bigint, p_epoch bigint, p_token uuid, p_outcome text, p_detail text, p_retry_after_s integer) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        f orch.effect;
        final text;
begin
        select * into f from orch.effect where id = p_effect and epoch = p_epoch and token = p_token for no key update;
        if not found then
                return 'fenced';
        elsif f.status <> 'running' then
                return 'recorded';
        end if;
        final := case when p_outcome = 'retry' and f.attempts >= orch.setting_int('effect_max_attempts') then 'dead'
                      when p_outcome in ('done', 'dead') then p_outcome end;
        -- not least(), which makes 3600 of a null
        p_retry_after_s := case when p_retry_after_s > 3600 then 3600 else p_retry_after_s end;
        update orch.effect set status = coalesce(final, 'pending'), process_id = null, detail = p_detail,
                ended_at = case when final is not null then clock_timestamp() end,
                run_at = case when final is null then clock_timestamp() + coalesce(make_interval(secs => p_retry_after_s),
                        orch.backoff(f.attempts, orch.setting_int('effect_backoff_s'))) else run_at end
        where id = f.id;
        return 'recorded';
end
$$;
comment on function orch.effect_finish(bigint, bigint, uuid, text, text, integer) is
        'Records how an effect went: done, retry (after a wait, of at most an hour whatever the peer asks for; in the end a dead letter) or dead. The same call again answers "recorded"; a claim that was taken back answers "fenced".';
