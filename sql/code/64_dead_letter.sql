-- 64_dead_letter: effects and events that were given up: people look at them, mend what was wrong, and try them again.

create view orch.dead_letter as
select 'effect-' || f.id as letter, 'effect' as what, f.id, f.port || '.' || f.kind as kind, f.object_key as object, f.detail, f.attempts, f.ended_at
from orch.effect f where f.status = 'dead' and f.dropped_at is null
union all
select 'event-' || e.id, 'event', e.id, coalesce(e.kind, e.source), coalesce(e.object, e.delivery), e.outcome, e.attempts, e.ended_at
from orch.event e where e.status in ('dead', 'malformed') and e.dropped_at is null;
comment on view orch.dead_letter is 'Effects and events that were given up, for people to look at. Try one again with: select orch.dead_letter_retry(letter)';
comment on column orch.dead_letter.letter is 'Its name: effect-ID or event-ID';
comment on column orch.dead_letter.what is 'effect or event';
comment on column orch.dead_letter.id is 'Its id';
comment on column orch.dead_letter.kind is 'What it was to do, or what it was about';
comment on column orch.dead_letter.object is 'What it concerns';
comment on column orch.dead_letter.detail is 'What the last try came to';
comment on column orch.dead_letter.attempts is 'Tries';
comment on column orch.dead_letter.ended_at is 'When it was given up';

create function orch.dead_letter_list(p_limit integer default null) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('count', (select count(*) from orch.dead_letter),
                'dead_letters', coalesce(jsonb_agg(to_jsonb(d) order by d.ended_at desc, d.letter), '[]'))
        from (select * from orch.dead_letter order by ended_at desc, letter limit least(greatest(coalesce(p_limit, 200), 0), 1000)) d;
end;
comment on function orch.dead_letter_list(integer) is 'The dead letters, the newest first: 200, or as many as asked for, up to 1000';

create function orch.effect_retry(p_id bigint) returns text
language plpgsql as $$
declare
        f orch.effect;
begin
        select * into f from orch.effect where id = p_id for no key update;
        if not found then
                return null;
        elsif f.status <> 'dead' then
                return format('effect-%s is no dead letter: it is %s', p_id, f.status);
        elsif f.kind = 'state' and exists (select from orch.effect g where g.object_key = f.object_key and g.kind = f.kind and g.id > f.id) then
                perform orch.refuse('OR002', format('effect-%s is out of date: a later state of %s followed it', p_id, f.object_key),
                        'The tracker would be turned back');
        end if;
        update orch.effect set status = 'pending', attempts = 0, run_at = clock_timestamp(), ended_at = null, dropped_at = null where id = f.id;
        perform orch.record('dead-letter', orch.actor(), f.task_id, null, null, jsonb_build_object('letter', 'effect-' || f.id, 'kind', f.port || '.' || f.kind));
        return format('effect-%s is tried again', p_id);
end
$$;
comment on function orch.effect_retry(bigint) is 'Makes a dead effect a pending one; null when there is no such effect. A state that another has followed stays dead.';

create function orch.event_retry(p_id bigint) returns text
language plpgsql as $$
declare
        e orch.event;
begin
        select * into e from orch.event where id = p_id for no key update;
        if not found then
                return null;
        elsif e.status not in ('dead', 'malformed') then
                return format('event-%s is no dead letter: it is %s', p_id, e.status);
        end if;
        update orch.event set status = case when e.key is null then 'received' else 'routed' end, attempts = 0, run_at = clock_timestamp(), ended_at = null, dropped_at = null
        where id = e.id;
        perform orch.record('dead-letter', orch.actor(), null, null, null, jsonb_build_object('letter', 'event-' || e.id, 'kind', coalesce(e.kind, e.source)));
        return format('event-%s is tried again', p_id);
end
$$;
comment on function orch.event_retry(bigint) is 'Makes a dead or malformed event one that is to be handled, or routed; null when there is no such event';

create function orch.dead_letter_name(p_letter text) returns text[]
language plpgsql immutable as $$
declare
        parts text[] := regexp_match(p_letter, '^(effect|event)-([0-9]{1,18})$');
begin
        if parts is null then
                perform orch.refuse('OR003', format('%s is no name of a dead letter', orch.quoted(p_letter)), 'Names are effect-ID and event-ID; list them with: orchctl dead-letter list');
        end if;
        return parts;
end
$$;
comment on function orch.dead_letter_name(text) is 'effect-12 as {effect,12}; refuses what is no name of a dead letter';

create function orch.dead_letter_retry(p_letter text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        parts text[] := orch.dead_letter_name(p_letter);
        before jsonb;
        said text;
begin
        select to_jsonb(d) into before from orch.dead_letter d where d.what = parts[1] and d.id = parts[2]::bigint;
        said := case parts[1] when 'effect' then orch.effect_retry(parts[2]::bigint) else orch.event_retry(parts[2]::bigint) end;
        if said is null then
                perform orch.refuse('OR001', format('there is no %s', p_letter), 'List them with: orchctl dead-letter list');
        elsif before is not null then
                perform orch.wake();
        end if;
        perform orch.audit_act('dead_letter_retry', p_letter, '{}', before, null);
        return jsonb_build_object('letter', p_letter, 'message', said);
end
$$;
comment on function orch.dead_letter_retry(text) is 'I-7: tries an effect or event that was given up again, from its first attempt; one that is none any more is left as it is';

create function orch.dead_letter_drop(p_letter text, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        parts text[] := orch.dead_letter_name(p_letter);
        before jsonb;
begin
        -- the row is locked before it is looked at: somebody may try it again at this moment
        if parts[1] = 'effect' then
                perform from orch.effect where id = parts[2]::bigint for no key update;
        else
                perform from orch.event where id = parts[2]::bigint for no key update;
        end if;
        if not found then
                perform orch.refuse('OR001', format('there is no %s', p_letter), 'List them with: orchctl dead-letter list');
        end if;
        select to_jsonb(d) into before from orch.dead_letter d where d.what = parts[1] and d.id = parts[2]::bigint;
        if before is not null then
                update orch.effect set dropped_at = clock_timestamp() where parts[1] = 'effect' and id = parts[2]::bigint;
                update orch.event set dropped_at = clock_timestamp() where parts[1] = 'event' and id = parts[2]::bigint;
                perform orch.record('dead-letter', orch.actor(), (select task_id from orch.effect where parts[1] = 'effect' and id = parts[2]::bigint), null, null,
                        jsonb_build_object('letter', p_letter, 'dropped', true, 'reason', p_reason));
        end if;
        perform orch.audit_act('dead_letter_drop', p_letter, jsonb_build_object('reason', p_reason), before, null);
        return jsonb_build_object('letter', p_letter, 'message',
                format(case when before is not null then '%s is put away' else '%s is no dead letter, or was put away already' end, p_letter));
end
$$;
comment on function orch.dead_letter_drop(text, text) is 'I-7: puts a dead letter away that nobody will try again; the row stays, and can still be tried by name';
