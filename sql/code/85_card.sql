-- 85_card: the live card of a task: its text, and who sends it when (I-5). What the text says of waits is orch.task_wait.

-- text of people in Telegram's HTML ------------------------------------------------------------------------------

create function orch.utf16_units(p_text text) returns integer
language sql immutable
return char_length(p_text) + char_length(regexp_replace(p_text, '[^\U00010000-\U0010FFFF]', '', 'g'));
comment on function orch.utf16_units(text) is 'Length of a text as Telegram counts it: what is above U+FFFF counts two';

create function orch.html_escape(p_text text) returns text
language sql immutable
return replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
comment on function orch.html_escape(text) is 'A text that no part of can be markup; for attributes as well';

create function orch.html(p_text text, p_units integer) returns text
language plpgsql immutable as $$
declare
        -- one line; no controls, and none that turn the direction of what comes after it
        said text := btrim(regexp_replace(regexp_replace(coalesce(p_text, ''), '[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]', '', 'g'),
                '[\u0001-\u0020\u007F-\u00A0\u2028\u2029]+', ' ', 'g'));
        excess integer := orch.utf16_units(said) - p_units;
begin
        if excess > 0 then
                said := left(said, p_units - 1);
                while orch.utf16_units(said) > p_units - 1 loop
                        said := left(said, -((orch.utf16_units(said) - p_units + 2) / 2));
                end loop;
                said := said || '…';
        end if;
        if said ~ '[^\u0020-\u007E…–—]' then -- it may run from right to left: it does so by itself (U+2068 ... U+2069)
                said := E'\u2068' || said || E'\u2069';
        end if;
        return orch.html_escape(said);
end
$$;
comment on function orch.html(text, integer) is
        'I-5: what a person has typed, for a card: at most so many UTF-16 units, cut between characters before it is escaped, on one line, with no say over the direction of what follows. Two units more when it is not plain ASCII.';

create function orch.url_path(p_text text) returns text
language sql stable
return (select string_agg(case when chr(b) ~ '^[A-Za-z0-9._~/-]$' then chr(b) else '%' || upper(lpad(to_hex(b), 2, '0')) end, '' order by i)
        from (select i, get_byte(convert_to(p_text, 'UTF8'), i) as b from generate_series(0, octet_length(p_text) - 1) i) bytes);
comment on function orch.url_path(text) is 'A text as a path of a URL, its slashes kept';

create function orch.for_people(p_seconds numeric) returns text
language sql immutable
return case when p_seconds < 60 then round(p_seconds) || ' s' when p_seconds < 3600 then floor(p_seconds / 60) || ' min'
            when p_seconds < 86400 then floor(p_seconds / 3600) || ' h ' || floor(p_seconds % 3600 / 60) || ' min'
            else floor(p_seconds / 86400) || ' d ' || floor(p_seconds % 86400 / 3600) || ' h' end;
comment on function orch.for_people(numeric) is 'Seconds as people say them: 40 s, 5 min, 2 h 10 min, 3 d 4 h';

create function orch.at_utc(p_at timestamptz) returns text
language sql stable
return to_char(p_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC';
comment on function orch.at_utc(timestamptz) is 'An instant to the minute, for people';

-- the card --------------------------------------------------------------------------------------------------------

create function orch.item_url(t orch.task) returns text
language sql stable
return (select format('%s/%s/projects/%s/issues/%s', e.url, e.workspace, orch.url_path(p.tracker_project), orch.url_path(regexp_replace(t.tracker_id, '#cancelled-[0-9]+$', '')))
        from orch.project p join orch.endpoint e on e.id = p.tracker_endpoint where p.id = t.project_id and e.kind = 'plane');
comment on function orch.item_url(orch.task) is 'Page of a work item in its tracker; null: it has none';

create function orch.branch_url(t orch.task) returns text
language sql stable
return (select format('%s/%s/src/branch/%s', e.url, orch.url_path(p.forge_name), orch.url_path(t.branch))
        from orch.project p join orch.endpoint e on e.id = p.forge_endpoint where p.id = t.project_id and e.kind = 'gitea' and t.branch is not null and t.stage <> 'cancelled');
comment on function orch.branch_url(orch.task) is 'Page of the branch of a task in its forge; null: it has none, or no more';

create function orch.card_lines_state(t orch.task) returns text[]
language plpgsql stable as $$
declare
        o jsonb := orch.observed_json(t);
begin
        return array_remove(array[
                case t.stage when 'done' then '✅ Done since ' || orch.at_utc(t.stage_entered_at)
                             when 'cancelled' then '⛔ Cancelled at ' || orch.at_utc(t.cancelled_at)
                             else '<i>' || t.stage || '</i>' || case when t.developer_rounds > 0 then format(', sent back to development %s', case t.developer_rounds when 1 then 'once' else t.developer_rounds || ' times' end) else '' end end,
                case when t.cancel_requested_at is not null then '⛔ To be cancelled once the step under way has ended' end,
                case when t.paused_at is not null and not t.terminal then '⏸ Paused by ' || orch.html(coalesce(t.paused_by, 'somebody'), 60) || ' at ' || orch.at_utc(t.paused_at) end,
                case when o ->> 'state' = 'watching' then '🔭 Watched in production'
                     when o ->> 'state' is not null then format('%s Production: %s', case o ->> 'state' when 'HEALTHY' then '💚' else '💔' end, o ->> 'state') || coalesce(' (' || orch.html(o ->> 'reason', 200) || ')', '') end
                ], null);
end
$$;
comment on function orch.card_lines_state(orch.task) is 'I-5: where a task is';

create function orch.card_lines_wait(t orch.task) returns text[]
language plpgsql stable as $$ -- not SQL: planning costs more than asking
begin
        return (select array_agg(case w.axis when 'escalated' then '🚨 ' when 'person' then '🙋 ' when 'running' then '⚙️ ' else '⏳ ' end || orch.html(w.reason, 300)
                        || case when w.axis in ('person', 'escalated') then E'\n      ' || orch.html(w.ends_when, 200)
                                when w.axis = 'running' then coalesce((select ', since ' || orch.at_utc(j.claimed_at) from orch.job j where j.task_id = t.id and j.status = 'running'), '')
                                else '' end order by w.precedence, w.axis, w.reason)
                from (select * from orch.task_wait k where k.task_id = t.id order by k.precedence, k.axis, k.reason limit 3) w);
end
$$;
comment on function orch.card_lines_wait(orch.task) is 'I-5, S-14: who works on a task, or who and what it waits for: the first three reasons of orch.task_wait; of people and what they can do both';

create function orch.card_lines_spent(t orch.task) returns text[]
language plpgsql stable as $$
begin
        return array_remove(array[
                (select format('🤖 %s in %s', orch.for_people(sum(extract(epoch from r.ended_at - r.started_at))), case count(*) when 1 then 'one run' else count(*) || ' runs' end)
                        || coalesce(', $' || round(sum(r.cost_usd), 2), '')
                 from orch.run r join orch.job j on j.id = r.job_id where j.task_id = t.id and j.kind = 'agent' and r.ended_at is not null having count(*) > 0),
                (select '👤 ' || string_agg(s.line, ', ' order by s.position)
                 from (select k.position, k.label || ' ' || concat_ws(', then ', orch.for_people(sum(c.waited_s) filter (where c.ended_at is not null)),
                                      'since ' || orch.at_utc(max(c.since) filter (where c.ended_at is null))) as line
                       from orch.review_clock c join orch.tracker_state k on k.key = c.shown where c.task_id = t.id group by k.position, k.label) s)
                ], null);
end
$$;
comment on function orch.card_lines_spent(orch.task) is 'I-5, I-6, J-7: time and dollars of the agents'' runs that have ended, and the time for which people were waited for, by what the tracker showed. Instants, not ages: time alone changes no card.';

create function orch.card_lines_link(t orch.task) returns text[]
language plpgsql stable as $$
begin
        return array_remove(array[(select string_agg(format('<a href="%s">%s</a>', orch.html_escape(l.url), l.name), ' · ' order by l.name desc)
                from (values ('item', orch.item_url(t)), ('branch', orch.branch_url(t))) l (name, url) where l.url is not null)], null);
end
$$;
comment on function orch.card_lines_link(orch.task) is 'I-5: where to read more';

create function orch.card_html(t orch.task) returns text
language sql stable
return array_to_string(array[format('<b>%s</b> %s', orch.html(orch.item_name(t), 60), orch.html(t.title, 250))]
        || orch.card_lines_state(t) || orch.card_lines_wait(t) || orch.card_lines_spent(t) || orch.card_lines_link(t), E'\n');
comment on function orch.card_html(orch.task) is 'I-5: what the card of a task says, in Telegram''s HTML. Each part is bounded, and all of them together fit into a message.';

-- who sends it, when ------------------------------------------------------------------------------------------------

create function orch.card_claim_s() returns integer
language sql immutable
return 180;
comment on function orch.card_claim_s() is 'Seconds after which a claim of a card counts no more: its answer was lost. A call has four tries of half a minute.';

create view orch.card_due as
select c.task_id, orch.item_name(t) as work_item, c.endpoint_id, t.terminal, c.message, c.look_at,
       case when t.terminal then 0 when c.message is not null then 1 else 2 end as rank
from (select a.id from orch.endpoint a
      where a.kind = 'telegram' and orch.endpoint_room(a) >= 1
        -- what people must act on goes first
        and not exists (select from orch.effect f where f.status = 'pending' and coalesce(f.endpoint_id, 0) = a.id and f.run_at <= clock_timestamp())
      offset 0) e -- asked once, and not for each card
join orch.card c on c.endpoint_id = e.id join orch.task t on t.id = c.task_id
where c.look_at <= now() -- not clock_timestamp(), by which no index can be asked
  and (c.claimed_at is null or c.claimed_at < clock_timestamp() - make_interval(secs => orch.card_claim_s()))
  and (t.terminal or c.edited_at is null or c.edited_at <= clock_timestamp() - make_interval(secs => (select orch.setting_int('card_interval_s'))));
comment on view orch.card_due is 'I-5: the cards that are to be rendered, and sent if they differ: something has happened to their tasks, or it is time to look; not oftener than card_interval_s, but for a final state; only of endpoints that can be asked now, and have no alert to bring';
comment on column orch.card_due.task_id is 'Task';
comment on column orch.card_due.work_item is 'Its work item';
comment on column orch.card_due.endpoint_id is 'Where it is to be sent';
comment on column orch.card_due.terminal is 'Whether it is the final state';
comment on column orch.card_due.message is 'The message; null: the first';
comment on column orch.card_due.look_at is 'Since when it is due';
comment on column orch.card_due.rank is 'Order: final states, then edits, then first messages';

create function orch.cards_wanted() returns boolean
language plpgsql stable as $$ -- not SQL: its plan would be made anew for each beat
begin
        return exists (select from orch.card_touch) or exists (select from orch.card_due);
end
$$;
comment on function orch.cards_wanted() is 'Whether a worker is to ask for cards';

create function orch.card_next_look(p_terminal boolean) returns timestamptz
language sql volatile
return case when not p_terminal then clock_timestamp() + make_interval(secs => (orch.setting_int('card_refresh_s')
                + 0.05 * (select count(*) from (select from orch.card c where c.look_at is not null limit 20000) live)) * (0.75 + random() / 2)) end;
comment on function orch.card_next_look(boolean) is 'R-10: when a card is rendered again should nothing happen to its task: never once it is over; some twenty of them in a second at most, however many there are';

create function orch.cards_touch(p_limit integer) returns void
language plpgsql as $$
begin
        with touched as (
                delete from orch.card_touch where id in (select id from orch.card_touch order by id limit p_limit for update skip locked) returning task_id
        )
        insert into orch.card as c (task_id, endpoint_id, chat, look_at)
        select t.id, e.id, e.chat, now() from orch.task t join orch.project p on p.id = t.project_id join orch.endpoint e on e.id = orch.effect_endpoint(p.id, 'notifier')
        where t.id in (select task_id from touched) order by t.id
        on conflict (task_id) do update set look_at = now();
end
$$;
comment on function orch.cards_touch(integer) is 'I-5: the cards of tasks that something has happened to are to be looked at; a task that has none gets its card';

create function orch.cards_give_back(p_process bigint, p_task bigint default null) returns void
language sql
begin atomic
        update orch.card set claimed_at = null, token = null, shown = null, lost = lost or message is null, look_at = clock_timestamp()
        where claimed_at is not null and process_id = p_process and (p_task is null or task_id = p_task);
end;
comment on function orch.cards_give_back(bigint, bigint) is 'I-5: whoever claimed cards says nothing more: perhaps they were sent';

create function orch.card_take(p_process bigint, p_task bigint, out c orch.card, out html text, out denied boolean)
language plpgsql as $$
declare
        t orch.task;
        e orch.endpoint;
        said text;
        at_time timestamptz := clock_timestamp();
begin
        denied := false;
        select * into t from orch.task where id = p_task;
        select * into e from orch.endpoint where id = orch.effect_endpoint(t.project_id, 'notifier');
        select * into c from orch.card where task_id = p_task for no key update skip locked;
        if c is null then
                return;
        elsif e.id is null and not t.terminal then
                update orch.card set look_at = null where task_id = p_task; -- its project shows none any more
                return;
        elsif not t.terminal and (e.id, e.chat) is distinct from (c.endpoint_id, c.chat) then
                update orch.card set endpoint_id = e.id, chat = e.chat, message = null, lost = false, shown = null, failures = 0, claimed_at = null, token = null
                where task_id = p_task returning * into c; -- it moves: its number would be another message there
        elsif c.claimed_at is not null then
                perform orch.cards_give_back(c.process_id, p_task);
                select * into c from orch.card where task_id = p_task;
        end if;
        said := case when c.message is not null or not c.lost or t.terminal then orch.card_html(t) end;
        if said is null or md5(said) = c.shown then
                update orch.card set look_at = case when said is not null then orch.card_next_look(t.terminal) end where task_id = p_task;
        elsif orch.endpoint_admit(c.endpoint_id, 1) = 0 then
                denied := true;
        else
                html := said || case when c.lost and c.message is null then E'\n<i>An older card of this item may stand above: it is out of date.</i>' else '' end;
                update orch.card set process_id = p_process, token = gen_random_uuid(), claimed_at = at_time, sending = md5(said),
                        look_at = at_time + make_interval(secs => orch.card_claim_s())
                where task_id = p_task returning * into c;
        end if;
end
$$;
comment on function orch.card_take(bigint, bigint, out orch.card, out text, out boolean) is
        'I-5: renders a card and claims it if it differs from what its message says; a null text: there is nothing to send; denied: its endpoint takes no more now. A first message of which nobody knows whether it was sent is not sent again while the task runs.';

create function orch.card_claim(p_process bigint, p_epoch bigint, p_limit integer)
returns table (task_id bigint, token uuid, work_item text, message bigint, html text, endpoint jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        full_up bigint[] := '{}';
        d record;
        k record;
begin
        if not orch.process_hold(p_process, p_epoch) or not pg_try_advisory_xact_lock(hashtext('orch.card_claim')) then
                return;
        end if;
        perform orch.cards_touch(1000);
        for d in select * from orch.card_due c order by c.rank, c.look_at limit p_limit * 4 loop
                exit when p_limit = 0;
                continue when d.endpoint_id = any (full_up);
                select * into k from orch.card_take(p_process, d.task_id);
                if k.denied then
                        full_up := full_up || d.endpoint_id;
                end if;
                continue when k.html is null;
                p_limit := p_limit - 1;
                return query select d.task_id, (k.c).token, d.work_item, coalesce((k.c).message, 0), k.html, orch.endpoint_json(e, p)
                             from orch.endpoint e, orch.project p join orch.task t on t.project_id = p.id where e.id = (k.c).endpoint_id and t.id = d.task_id;
        end loop;
end
$$;
comment on function orch.card_claim(bigint, bigint, integer) is
        'I-5: claims cards that are to be sent or edited, for a live process. One claim at a time in the cluster, and bounded: R-10.';

create function orch.card_finish(p_task bigint, p_token uuid, p_said text, p_message bigint, p_detail text, p_retry_after_s integer) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        c orch.card;
        t orch.task;
        away boolean;
        gone boolean;
        next timestamptz;
begin
        select * into c from orch.card where task_id = p_task for no key update;
        p_message := coalesce(c.message, nullif(p_message, 0));
        if p_said = 'ok' and p_message is null then
                p_said := 'unknown';
        end if;
        if c.token is distinct from p_token then
                -- too late; but what it did may be what people see now
                update orch.card set message = p_message, shown = null, look_at = clock_timestamp() where task_id = p_task and p_said in ('ok', 'unknown');
                return 'fenced';
        elsif c.claimed_at is null then
                return 'recorded';
        end if;
        select * into t from orch.task where id = p_task;
        away := orch.endpoint_note(c.endpoint_id, p_said, p_detail, p_retry_after_s);
        gone := p_said = 'not-found' and c.message is not null;
        next := case when p_said = 'ok' then orch.card_next_look(t.terminal)
                     when away or gone then clock_timestamp() -- when its endpoint is asked again
                     when p_said = 'unknown' and c.message is null and not t.terminal then null
                     when t.terminal and c.failures + 1 >= orch.setting_int('effect_max_attempts') then null
                     else clock_timestamp() + orch.backoff(c.failures + 1, orch.setting_int('effect_backoff_s')) end;
        update orch.card set claimed_at = null,
                message = case when gone then null when p_said = 'ok' then p_message else message end,
                lost = case when p_said = 'ok' or gone then false else lost or (p_said = 'unknown' and message is null) end,
                shown = case when p_said = 'ok' then sending when gone or p_said = 'unknown' then null else shown end,
                edited_at = case when p_said in ('ok', 'unknown') then clock_timestamp() else edited_at end,
                failures = case when p_said = 'ok' or gone then 0 when away then failures else failures + 1 end,
                look_at = case when p_said = 'ok' and look_at < claimed_at + make_interval(secs => orch.card_claim_s()) then look_at -- touched meanwhile: it stays due
                               else next end
        where task_id = p_task;
        return 'recorded';
end
$$;
comment on function orch.card_finish(bigint, uuid, text, bigint, text, integer) is
        'I-5: stores what came of sending a card, in the words of the ports. The same call again answers "recorded"; one whose claim is over answers "fenced", and the card is then looked at again. A message that was deleted is answered by a new one.';

create view orch.card_status as
select orch.item_name(t) as work_item, e.name as endpoint, c.chat, c.message, c.edited_at, c.look_at, c.failures,
       case when c.claimed_at is not null then 'sending' when c.message is null and c.lost then 'lost' when c.message is null then 'new'
            when c.shown is null then 'stale' when c.look_at is null then 'final' else 'shown' end as state
from orch.card c join orch.task t on t.id = c.task_id join orch.endpoint e on e.id = c.endpoint_id;
comment on view orch.card_status is 'I-5: the live cards, and how they are';
comment on column orch.card_status.work_item is 'Work item';
comment on column orch.card_status.endpoint is 'Where its card is';
comment on column orch.card_status.chat is 'Chat';
comment on column orch.card_status.message is 'Message; null: none that we know of';
comment on column orch.card_status.edited_at is 'When it was last sent or edited';
comment on column orch.card_status.look_at is 'When it is looked at again; null: not before something happens to the task';
comment on column orch.card_status.failures is 'Failures since it was last shown';
comment on column orch.card_status.state is 'new; sending; shown; final: and over; stale: to be edited again; lost: a first message was sent whose answer is not known, and none is sent before the task is over';
