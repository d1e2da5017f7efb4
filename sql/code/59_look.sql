-- 59_look: questions to the services outside (I-3, I-4, R-2). Events, sweeps and gates say look_want(); workers claim,
-- ask and hand the answer to look_finish(), and look_result() has it do what follows. A question reads and changes
-- nothing, so its claim is a lease: who has not answered within look_lease() may have died, and it is asked again.

create function orch.look_lease() returns interval
language sql immutable
return interval '90 seconds';
comment on function orch.look_lease() is 'For how long a look that is under way is left to who claimed it; a worker gives up its question before';

create function orch.look_port(p_kind text) returns text
language sql immutable
return case when p_kind in ('item', 'items', 'states') then 'tracker' else 'forge' end;
comment on function orch.look_port(text) is 'Port that a kind of look asks, as the column port of orch.look says for those that there are';

create function orch.look_want(p_project bigint, p_kind text, p_object text, p_parts integer default 0) returns void
language plpgsql as $$
begin
        -- the states first, as whoever wants both: in one order
        if p_kind = 'item' and orch.board_is_stale(p_project) and not exists (select from orch.look s where s.project_id = p_project and s.kind = 'states') then
                perform orch.look_want(p_project, 'states', '');
        end if;
        insert into orch.look as l (project_id, kind, object, parts)
        -- of an item that has a task the relations, too: nothing tells when they change
        select p.id, p_kind, p_object, p_parts | (p_kind = 'item' and exists (select from orch.task t where t.project_id = p.id and t.tracker_id = p_object and not t.terminal))::integer
        from orch.project p
        where p.id = p_project and orch.port_endpoint(p, orch.look_port(p_kind)) is not null
        -- under way, or failing: its time stays; whoever ends it sees that it was wanted again
        on conflict (project_id, kind, object) do update set wanted = l.wanted + 1, parts = l.parts | excluded.parts,
                run_at = case when l.token is null and l.attempts = 0 then least(l.run_at, excluded.run_at) else l.run_at end;
        perform orch.wake();
end
$$;
comment on function orch.look_want(bigint, text, text, integer) is
        'Have an object outside be looked at, soon and at least once from now on; the same said again meanwhile is the same look. p_parts: what of an item is asked besides. Of our own tracker and forge nothing is asked.';

create function orch.look_cost(p_kind text, p_parts integer) returns integer
language sql immutable
return 1 + bit_count((p_parts & 3)::bit(2))::integer + (p_kind = 'states')::integer;
comment on function orch.look_cost(text, integer) is 'I-7: how many requests a look is: each part of an item is one more, and the states come with who we are';

create function orch.look_heads(p_endpoint bigint, p_limit integer) returns table (project_id bigint, kind text, object text, parts smallint)
language sql stable
begin atomic
        select l.project_id, l.kind, l.object, l.parts
        from orch.project p cross join lateral (
                select k.* from orch.look k
                where k.project_id = p.id and k.run_at <= clock_timestamp()
                  and k.port = case p_endpoint when p.tracker_endpoint then 'tracker' when p.forge_endpoint then 'forge' end
                  -- what its state means is asked first
                  and not (k.kind = 'item' and exists (select from orch.look s where s.project_id = k.project_id and s.kind = 'states' and s.attempts = 0))
                order by k.run_at limit p_limit) l
        where p_endpoint in (p.tracker_endpoint, p.forge_endpoint) order by l.run_at limit p_limit;
end;
comment on function orch.look_heads(bigint, integer) is 'The looks of an endpoint that are due, the oldest first';

create function orch.look_claim(p_process bigint, p_epoch bigint, p_limit integer)
returns table (project_id bigint, kind text, object text, token uuid, parts smallint, adapter text, default_branch text, endpoint jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        e orch.endpoint;
        h record;
        p orch.project;
        n integer := 0;
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        -- endpoint by endpoint: one that is away, or has had its share of the minute, leaves the limit to the others
        for e in select v.* from orch.endpoint v where (v.not_before is null or v.not_before <= clock_timestamp()) and v.kind <> 'telegram' order by random()
        loop
                for h in select * from orch.look_heads(e.id, p_limit - n)
                loop
                        -- whoever has it now may wait for another of ours
                        select l.parts into parts from orch.look l
                        where l.project_id = h.project_id and l.kind = h.kind and l.object = h.object and l.run_at <= clock_timestamp() for no key update skip locked;
                        continue when not found;
                        exit when orch.endpoint_admit(e.id, 1, orch.look_cost(h.kind, parts)) < 1;
                        update orch.look l set token = gen_random_uuid(), process_id = p_process, asked = l.wanted,
                                asked_at = clock_timestamp(), run_at = clock_timestamp() + orch.look_lease()
                        where l.project_id = h.project_id and l.kind = h.kind and l.object = h.object
                        returning l.token into look_claim.token;
                        select * into p from orch.project v where v.id = h.project_id;
                        project_id := h.project_id;
                        kind := h.kind;
                        object := h.object;
                        adapter := e.kind;
                        default_branch := p.default_branch;
                        endpoint := orch.endpoint_json(e, p);
                        n := n + 1;
                        return next;
                end loop;
                exit when n >= p_limit;
        end loop;
end
$$;
comment on function orch.look_claim(bigint, bigint, integer) is 'Claims looks that are due for a live process, of each endpoint as many as may be asked now. default_branch is what workers of the release before ask for; to be taken away in the next';

create function orch.look_result(p orch.project, p_kind text, p_object text, p_answer jsonb) returns text
language plpgsql as $$
begin
        return case p_kind
                when 'item' then orch.seen_item(p, p_object, p_answer)
                when 'states' then orch.seen_states(p, p_object, p_answer)
                when 'items' then orch.seen_items(p, p_object, p_answer)
                when 'hooks' then orch.seen_hooks(p, p_object, p_answer)
                when 'status' then orch.seen_status(p, p_object, p_answer) end;
end
$$;
comment on function orch.look_result(orch.project, text, text, jsonb) is 'Does what follows from an answer, by its kind; null: there is no such object. Says what that was.';

create function orch.look_failed(l orch.look, p_reason text, p_away boolean, p_wait interval) returns text
language plpgsql as $$
begin
        if not p_away and l.attempts + 1 >= orch.setting_int('look_max_attempts') then
                delete from orch.look v where v.project_id = l.project_id and v.kind = l.kind and v.object = l.object and v.token = l.token;
                perform orch.record('look', 'orchestrator', null, null, null,
                        jsonb_build_object('given_up', l.kind, 'object', l.object, 'attempts', l.attempts + 1, 'reason', left(p_reason, 500)),
                        (select v.repo_id from orch.project v where v.id = l.project_id));
                return 'given up: ' || p_reason;
        end if;
        update orch.look v set token = null, process_id = null, attempts = v.attempts + (not p_away)::integer, detail = left(p_reason, 500),
                run_at = clock_timestamp() + coalesce(p_wait,
                        case when p_away then interval '1 second' else orch.backoff(v.attempts + 1, orch.setting_int('effect_backoff_s')) end)
        where v.project_id = l.project_id and v.kind = l.kind and v.object = l.object and v.token = l.token;
        return 'again: ' || p_reason;
end
$$;
comment on function orch.look_failed(orch.look, text, boolean, interval) is
        'I-7: a look that has no answer is asked again after a wait, and given up after look_max_attempts tries; what failed because the endpoint is away has used up none';

create function orch.look_finish(p_project bigint, p_kind text, p_object text, p_token uuid, p_said text, p_answer text,
        p_retry_after_s integer, p_detail text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        l orch.look;
        p orch.project;
        away boolean;
        did text;
        failure text;
begin
        select * into l from orch.look v where v.project_id = p_project and v.kind = p_kind and v.object = p_object and v.token = p_token;
        if not found then
                return 'fenced';
        end if;
        select * into p from orch.project where id = p_project;
        -- before the look is locked, as the claim does; and what follows from the answer locks tasks, from which others want looks
        away := orch.endpoint_note(orch.port_endpoint(p, l.port), p_said, p_detail, p_retry_after_s);
        if p_said = 'refused' and p_kind = 'hooks' then
                p_said := 'not-found'; -- that is for administrators, whom we need not be
        end if;
        if p_said not in ('ok', 'not-found') then
                return orch.look_failed(l, coalesce(p_detail, p_said), away, orch.said_wait(p_said, p_retry_after_s));
        end if;
        begin
                did := orch.look_result(p, p_kind, p_object, case when p_said = 'ok' then p_answer::jsonb end);
        exception when others then
                get stacked diagnostics failure = message_text;
                return orch.look_failed(l, failure, false, null);
        end;
        delete from orch.look v where v.project_id = p_project and v.kind = p_kind and v.object = p_object and v.token = p_token and v.wanted = l.asked;
        if not found then
                update orch.look v set token = null, process_id = null, attempts = 0, detail = null, run_at = clock_timestamp()
                where v.project_id = p_project and v.kind = p_kind and v.object = p_object and v.token = p_token;
                perform orch.wake();
        end if;
        return coalesce(did, 'done');
end
$$;
comment on function orch.look_finish(bigint, text, text, uuid, text, text, integer, text) is
        'Takes the answer to a look, or why there is none, in the words of the ports, and does what follows in the same transaction. Gone then, unless it was wanted again meanwhile. A claim that another has taken over answers "fenced".';

create view orch.look_open as
select p.name as project, l.kind, l.object, l.port, l.wanted, l.asked, l.run_at, l.attempts, l.token is not null as under_way, l.asked_at, l.detail
from orch.look l join orch.project p on p.id = l.project_id;
comment on view orch.look_open is 'I-3: what is still to be asked of the services outside';
comment on column orch.look_open.project is 'Project';
comment on column orch.look_open.kind is 'item, items, states, status or hooks';
comment on column orch.look_open.object is 'Which one';
comment on column orch.look_open.port is 'tracker or forge';
comment on column orch.look_open.wanted is 'How often it was wanted';
comment on column orch.look_open.asked is 'What that was when it was last asked';
comment on column orch.look_open.run_at is 'Not before';
comment on column orch.look_open.attempts is 'Failed tries';
comment on column orch.look_open.under_way is 'Whether somebody asks it now';
comment on column orch.look_open.asked_at is 'When it was last asked';
comment on column orch.look_open.detail is 'Why the last try failed';

-- What follows from an answer: of a forge 59_seen_forge, of a tracker 59_board and 61_item.
