-- 60_inbox: deliveries, stored before they are acknowledged and consumed in order per key (I-3).

create function orch.event_intake(p_source text, p_delivery text, p_dedup_key text, p_headers jsonb, p_body bytea)
returns table (event_id bigint, duplicate boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        since timestamptz := case p_source when 'plane'
                then clock_timestamp() - make_interval(secs => orch.setting_int('plane_dedup_s')) else '-infinity' end;
begin
        insert into orch.event_dedup as d (source, dedup_key) values (p_source, p_dedup_key)
        on conflict (source, dedup_key) do update set seen_at = clock_timestamp() where d.seen_at < since;
        if not found then
                duplicate := true;
                select d.event_id into event_id from orch.event_dedup d where d.source = p_source and d.dedup_key = p_dedup_key;
                return next;
                return;
        end if;
        duplicate := false;
        insert into orch.event (source, delivery, headers, body) values (p_source, p_delivery, p_headers, p_body) returning id into event_id;
        update orch.event_dedup d set event_id = event_intake.event_id where d.source = p_source and d.dedup_key = p_dedup_key;
        perform orch.wake();
        return next;
end
$$;
comment on function orch.event_intake(text, text, text, jsonb, bytea) is
        'Stores a delivery once: a Gitea delivery id counts for ever, an equal body from Plane for plane_dedup_s';

create function orch.event_unrouted(p_limit integer) returns table (event_id bigint, source text, headers jsonb, body bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select e.id, e.source, e.headers, e.body from orch.event e where e.status = 'received' and e.run_at <= clock_timestamp() order by e.id limit p_limit;
end;
comment on function orch.event_unrouted(integer) is 'The oldest deliveries that nobody has parsed yet, and whose time has come';

create function orch.event_route(p_event bigint, p_key text, p_kind text, p_project text, p_object text, p_facts jsonb) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        update orch.event set status = 'routed', key = p_key, kind = p_kind, project = p_project, object = p_object, facts = p_facts
        where id = p_event and status = 'received';
        if found then
                perform orch.wake();
        end if;
        return found;
end
$$;
comment on function orch.event_route(bigint, text, text, text, text, jsonb) is 'Notes what a delivery is about; the first router wins, another''s answer changes nothing';

create function orch.event_malformed(p_event bigint, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        update orch.event set status = 'malformed', outcome = p_reason, ended_at = clock_timestamp()
        where id = p_event and status = 'received';
        return found;
end
$$;
comment on function orch.event_malformed(bigint, text) is 'Quarantines a delivery that cannot be read, once; its body stays for people';

create function orch.event_route_failed(p_event bigint, p_sqlstate text, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        given_up boolean;
begin
        -- 22 and 23 are about the data: no later try can differ. Anything else may be ours, unless others can be routed.
        update orch.event e set attempts = e.attempts + 1, run_at = clock_timestamp() + orch.backoff(e.attempts + 1, 1), outcome = 'routing failed: ' || p_reason
        where e.id = p_event and e.status = 'received'
        returning left(p_sqlstate, 2) in ('22', '23') or (e.attempts >= orch.setting_int('event_max_attempts')
                and exists (select from orch.event f where f.id > e.id and f.key is not null)) into given_up;
        if given_up then
                update orch.event set status = 'malformed', ended_at = clock_timestamp() where id = p_event;
                perform orch.wake(); -- those behind it
        end if;
        return coalesce(given_up, false);
end
$$;
comment on function orch.event_route_failed(bigint, text, text) is
        'I-3: the database refused what routing made of a delivery: tried again later, or - when that cannot help - quarantined, so that it does not hold up the others of its source';

create function orch.event_handle_for(p orch.project, e orch.event) returns text
language plpgsql as $$
begin
        case
                when e.source = 'local' and e.kind = 'tracker.item' then return orch.local_item_event(p, e);
                when e.kind in ('tracker.item', 'tracker.comment', 'tracker.deleted') then return orch.tracker_told(p, e);
                when e.kind = 'tracker.move' then return orch.tracker_move(p, e);
                when e.kind = 'tracker.gone' then return orch.tracker_gone(p, e);
                when e.kind = 'forge.status' then return orch.status_told(p, e);
                else return 'ignored: nothing to do for ' || e.kind;
        end case;
end
$$;
comment on function orch.event_handle_for(orch.project, orch.event) is 'Does what an event asks for in a project that it names';

create function orch.event_handle_one(e orch.event) returns text
language plpgsql as $$
declare
        p orch.project;
        did text;
begin
        if e.kind not like 'tracker.%' and e.kind not like 'forge.%' then
                return 'ignored: nothing to do for ' || e.kind;
        end if;
        -- an item has one project; a repository may have several, and two servers one name
        for p in select * from orch.project
                 where case when e.source = 'gitea' then forge = 'gitea' and forge_name = e.project
                       when e.source = 'plane' then tracker = 'plane' and tracker_project = e.project
                       else tracker = 'local' and name = e.project end order by id
        loop
                did := orch.event_handle_for(p, e);
                exit when did not like 'ignored:%';
        end loop;
        return coalesce(did, format('ignored: no project is registered for %s', coalesce(e.project, 'it')));
end
$$;
comment on function orch.event_handle_one(orch.event) is 'Does what an event asks for; says what that was. Unknown projects and kinds are ignored, with the reason.';

create function orch.event_handle(p_limit integer) returns table (event_id bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        e orch.event;
        failure text;
begin
        for e in
                -- the first of each key, from key to key along the index: what waits behind it costs nothing
                with recursive head as (
                        (select w.key, w.id from orch.event w where w.status = 'routed' order by w.key, w.id limit 1)
                        union all
                        select n.key, n.id from head h cross join lateral (
                                select w.key, w.id from orch.event w where w.status = 'routed' and w.key > h.key
                                order by w.key, w.id limit 1) n
                )
                select v.* from head h join orch.event v on v.id = h.id
                where v.status = 'routed' and v.run_at <= clock_timestamp()
                  -- an earlier one that nobody has routed yet may turn out to have the same key
                  and not exists (select from orch.event w where w.status = 'received' and w.source = v.source and w.id < v.id)
                order by v.id limit p_limit for no key update of v skip locked
        loop
                event_id := e.id;
                begin
                        outcome := orch.event_handle_one(e);
                        if outcome like 'waits:%' then
                                update orch.event v set outcome = event_handle.outcome, run_at = clock_timestamp() + interval '1 second' where v.id = e.id;
                                continue; -- nothing was done, and nobody is told each time
                        end if;
                        update orch.event v set status = case when event_handle.outcome like 'ignored%' then 'ignored' else 'handled' end,
                                outcome = event_handle.outcome, ended_at = clock_timestamp() where v.id = e.id;
                exception when others then
                        get stacked diagnostics failure = message_text;
                        outcome := 'failed: ' || failure;
                        update orch.event v set attempts = v.attempts + 1, outcome = event_handle.outcome,
                                run_at = clock_timestamp() + orch.backoff(v.attempts + 1, 1),
                                status = case when v.attempts + 1 >= orch.setting_int('event_max_attempts') then 'dead' else 'routed' end,
                                ended_at = case when v.attempts + 1 >= orch.setting_int('event_max_attempts') then clock_timestamp() end
                        where v.id = e.id;
                end;
                return next;
        end loop;
end
$$;
comment on function orch.event_handle(integer) is 'Handles routed events, the oldest of each key first; one that fails is tried again and in the end a dead letter';
