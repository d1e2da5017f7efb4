-- 61_item: work items of trackers outside (I-2, I-3, R-2). Events and sweeps only have an item looked at; what the answer
-- says is compared with what was known, and what a person has done since becomes an event of the inbox, tracker.move. From
-- there on it is as with our own tracker: 61_tracker.

create function orch.item_of(i orch.tracker_item) returns orch.seen_item
language sql immutable
return (i.object, i.work_item, i.title, i.description, i.labels, '{}'::jsonb, i.priority, i.blocked_by)::orch.seen_item;
comment on function orch.item_of(orch.tracker_item) is 'A work item of a tracker outside, for intake and verbs; who gave its labels is not known';

create function orch.item_of(i orch.local_item) returns orch.seen_item
language sql immutable
return (i.id::text, i.work_item, i.title, i.description, i.labels, i.labelled_by, i.priority, i.blocked_by)::orch.seen_item;
comment on function orch.item_of(orch.local_item) is 'A work item of our own tracker, for intake and verbs';

create function orch.is_moved(i orch.tracker_item, p_state text) returns boolean
language sql immutable
return p_state is distinct from i.state_id and p_state is distinct from i.setting_id;
comment on function orch.is_moved(orch.tracker_item, text) is 'I-3: whether a state is news of an item: neither the one that was dealt with, nor the one that we are setting';

-- what events say ------------------------------------------------------------------------------------------------

create function orch.item_parts(p_key text) returns integer
language sql immutable
return case p_key when 'to_analyse' then 3 when 'rejected' then 2 when 'approved' then 2 when 'confirm_deploy' then 2 else 0 end;
comment on function orch.item_parts(text) is 'I-7: what has to be asked of an item in a state beside the item itself (orch.look.parts): relations to take it in, comments to hand them on';

create function orch.tracker_told(p orch.project, e orch.event) returns text
language plpgsql as $$
declare
        i orch.tracker_item;
        s orch.tracker_state_map;
        ours boolean := e.facts ->> 'actor' = (select v.account from orch.endpoint v where v.id = p.tracker_endpoint);
        has_task boolean := exists (select from orch.task t where t.project_id = p.id and t.tracker_id = e.object);
begin
        select * into i from orch.tracker_item where project_id = p.id and object = e.object;
        select * into s from orch.tracker_state_map where project_id = p.id and remote_id = e.facts ->> 'state';
        if e.kind = 'tracker.comment' and ours then
                return 'ignored: our own comment';
        elsif e.kind = 'tracker.item' and ours and e.facts ? 'state' and not orch.is_moved(i, e.facts ->> 'state') then
                return 'ignored: our own echo';
        elsif not has_task and i.object is null and (e.kind <> 'tracker.item' or s.key <> 'to_analyse' or (s.remote_id is not null and s.key is null)) then
                return 'ignored: no task, and only To Analyse makes one';
        end if;
        if not ours then
                update orch.tracker_item set actor = coalesce(e.facts ->> 'actor_name', e.facts ->> 'actor') where project_id = p.id and object = e.object;
        end if;
        perform orch.look_want(p.id, 'item', e.object, case when s.remote_id is distinct from i.state_id then orch.item_parts(s.key) else 0 end
                | case e.kind when 'tracker.comment' then 2 else 0 end);
        return 'looked at: ' || coalesce(i.work_item, e.object);
end
$$;
comment on function orch.tracker_told(orch.project, orch.event) is
        'I-3: what an event of a tracker outside is good for: a reason to look at its item. What we have done ourselves is heard and dropped.';

-- what a look shows ----------------------------------------------------------------------------------------------

create function orch.remote_priority(p_word text) returns smallint
language sql immutable
return case p_word when 'urgent' then 0 when 'high' then 1 when 'low' then 3 else 2 end;
comment on function orch.remote_priority(text) is 'S-11: 0 is most urgent, 4 least; what has none is as ours are when nothing is said';

create function orch.remote_labels(p_answer jsonb) returns text[]
language sql immutable
return array(select distinct l from jsonb_array_elements_text(coalesce(p_answer -> 'labels', '[]')) l order by l limit 500);
comment on function orch.remote_labels(jsonb) is 'P-11, O-5: the labels of an item, sorted, at most 500 of them';

create function orch.remote_blockers(p orch.project, p_relations jsonb) returns text[]
language sql stable
begin atomic
        -- a name of an item that was never looked at is not known here: neither is it in the pipeline
        select array(select coalesce(k.work_item, r.item) from jsonb_to_recordset(p_relations) as r (project text, item text)
                left join lateral (select v.work_item from orch.tracker_item v join orch.project q on q.id = v.project_id
                        where v.object = r.item and q.tracker_endpoint = p.tracker_endpoint limit 1) k on true
                where r.item is not null order by 1 limit 100);
end;
comment on function orch.remote_blockers(orch.project, jsonb) is 'S-15: names of the items that must be over first, also of other projects of the tracker';

create function orch.remote_time(p_text text) returns timestamptz
language sql stable
return case when p_text ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$' then p_text::timestamptz end;
comment on function orch.remote_time(text) is 'O-5: a time as trackers write it, or null';

create function orch.people_said(i orch.tracker_item, p_comments jsonb) returns table (note text, note_id text)
language sql stable
begin atomic
        select n.text, n.id from (
                select c.text, c.id from jsonb_to_recordset(p_comments) as c (id text, actor text, text text, at text, ours boolean)
                where not coalesce(c.ours, false) and btrim(c.text) <> '' and (i.shown_at is null or orch.remote_time(c.at) >= i.shown_at)
                order by orch.remote_time(c.at) desc nulls last, c.id limit 1) n
        where n.id is distinct from i.note_id;
end;
comment on function orch.people_said(orch.tracker_item, jsonb) is 'P-9: the newest comment of a person since we last changed the state of an item, if it was not handed on already';

create function orch.sent_back_job(p_task bigint) returns bigint
language plpgsql stable as $$
begin
        return (select j.id from orch.job j where j.task_id = p_task and j.active and j.kind = 'agent'
                and exists (select from orch.decision d where d.task_id = p_task and d.stage_version = j.stage_version - 1 and d.verdict = 'rejected'));
end
$$;
comment on function orch.sent_back_job(bigint) is 'P-9: the job of an agent, not done yet, that works again because a person has rejected; what people say until it is done is meant for it';

create function orch.comment_add(t orch.task, p_text text, p_actor text) returns text
language plpgsql as $$
declare
        said text := format('%s has added: %s', p_actor, p_text);
        new_id bigint;
begin
        -- at the end of what a run is given of it: orch.running_job
        update orch.job set input = concat_ws(E'\n\n', left(input, 15900 - length(said)), said) where id = orch.sent_back_job(t.id) returning id into new_id;
        if not found then
                return 'the run that it was meant for is over';
        end if;
        perform orch.record('decision', p_actor, t.id, new_id, null, jsonb_build_object('verdict', 'rejected', 'comment', p_text, 'stage', t.stage));
        return 'the next run of its agent is told';
end
$$;
comment on function orch.comment_add(orch.task, text, text) is 'P-9: people drag a card first and write then: what is said after a rejection is input of the run that has not begun, or of its next try';

create function orch.move_tell(p orch.project, i orch.tracker_item, p_kind text, p_facts jsonb) returns void
language sql
begin atomic
        insert into orch.event (source, body, status, key, kind, project, object, facts)
        values ('plane', '', 'routed', format('plane:%s:%s', p.tracker_project, i.object), p_kind, p.tracker_project, i.object,
                jsonb_strip_nulls(p_facts || jsonb_build_object('actor', i.actor)));
        select orch.wake();
end;
comment on function orch.move_tell(orch.project, orch.tracker_item, text, jsonb) is 'I-3: what a look has found that people did, in order with what else is told of the item';

create function orch.item_gone(p orch.project, p_object text) returns text
language plpgsql as $$
declare
        i orch.tracker_item;
begin
        update orch.tracker_item set gone_at = clock_timestamp(), seen_at = clock_timestamp() where project_id = p.id and object = p_object and gone_at is null returning * into i;
        if not found then
                return 'gone: the tracker has no such item';
        end if;
        perform orch.move_tell(p, i, 'tracker.gone', '{}');
        return format('gone: the tracker has no item %s any more', i.work_item);
end
$$;
comment on function orch.item_gone(orch.project, text) is 'I-3: an item that was there is not found';

create function orch.item_keep(p orch.project, p_object text, p_answer jsonb) returns orch.tracker_item
language plpgsql as $$
declare
        i orch.tracker_item;
begin
        if (p_answer ->> 'id') is distinct from p_object or jsonb_typeof(p_answer -> 'number') is distinct from 'number' or jsonb_typeof(p_answer -> 'name') is distinct from 'string'
           or jsonb_typeof(p_answer -> 'state') is distinct from 'string' then
                raise exception 'that is no work item: %', left(p_answer::text, 200);
        end if;
        insert into orch.tracker_item (project_id, object, work_item, title) values (p.id, p_object, format('%s-%s', p.work_item_prefix, p_answer ->> 'number'), p_answer ->> 'name')
        on conflict (project_id, object) do nothing;
        select * into i from orch.tracker_item where project_id = p.id and object = p_object for no key update;
        return i;
end
$$;
comment on function orch.item_keep(orch.project, text, jsonb) is 'O-5: the row of an item, locked, and made when it is seen for the first time; refused when the answer lacks what every item has';

create function orch.item_compare(i orch.tracker_item, p_answer jsonb, p_blocked_by text[]) returns jsonb
language sql stable
begin atomic
        select jsonb_strip_nulls(jsonb_build_object(
                'labels', case when i.labels <> orch.remote_labels(p_answer) then to_jsonb(orch.remote_labels(p_answer)) end,
                'blocked_by', case when p_blocked_by is distinct from i.blocked_by and p_blocked_by is not null then to_jsonb(p_blocked_by) end,
                'priority', case when i.priority <> orch.remote_priority(p_answer ->> 'priority') then orch.remote_priority(p_answer ->> 'priority') end,
                'back', case when i.gone_at is not null then true end));
end;
comment on function orch.item_compare(orch.tracker_item, jsonb, text[]) is 'What of an item has changed since it was last looked at, its state apart; {} when nothing has';

create function orch.seen_item(p orch.project, p_object text, p_answer jsonb) returns text
language plpgsql as $$
declare
        i orch.tracker_item;
        s orch.tracker_state_map;
        now_at timestamptz;
        wants integer;
        facts jsonb;
        moved boolean;
        task bigint := (select t.id from orch.task t where t.project_id = p.id and t.tracker_id = p_object);
        blockers text[];
        said record;
begin
        if p_answer is null then
                return orch.item_gone(p, p_object);
        end if;
        i := orch.item_keep(p, p_object, p_answer);
        now_at := orch.remote_time(p_answer ->> 'updated_at');
        if i.updated_at > now_at then
                return format('ignored: %s was seen newer already', i.work_item);
        end if;
        select * into s from orch.tracker_state_map where project_id = p.id and remote_id = p_answer ->> 'state';
        if not found and coalesce((select l.parts & 4 = 0 and b.refreshed_at < l.asked_at from orch.look l join orch.tracker_board b on b.project_id = l.project_id
                        where l.project_id = p.id and l.kind = 'item' and l.object = p_object), true) then
                if exists (select from orch.look l where l.project_id = p.id and l.kind = 'states' and l.attempts > 0) then
                        raise exception 'what its state means is not known, and cannot be asked now';
                end if;
                perform orch.look_want(p.id, 'states', '');
                perform orch.look_want(p.id, 'item', p_object, 4);
                return 'asked again: what its state means is not known yet';
        end if;
        moved := orch.is_moved(i, p_answer ->> 'state');
        -- STOP waits for nothing (C-1)
        wants := case when moved and (task is not null or s.key = 'to_analyse') then orch.item_parts(s.key) else 0 end
                & ~((p_answer ? 'blocked_by')::integer + 2 * (p_answer ? 'comments')::integer);
        if wants > 0 then
                perform orch.look_want(p.id, 'item', p_object, orch.item_parts(s.key));
                return 'asked again, with ' || case wants when 1 then 'its relations' when 2 then 'its comments' else 'its relations and comments' end;
        end if;
        select * into said from orch.people_said(i, coalesce(p_answer -> 'comments', '[]'));
        blockers := case when p_answer ? 'blocked_by' then orch.remote_blockers(p, p_answer -> 'blocked_by') end;
        facts := orch.item_compare(i, p_answer, blockers) || jsonb_strip_nulls(jsonb_build_object('state', case when moved then s.key end, 'comment', case when moved then left(said.note, 16384) end,
                'added', case when not moved and orch.sent_back_job(task) is not null then left(said.note, 4000) end));
        update orch.tracker_item set title = p_answer ->> 'name', description = left(coalesce(p_answer ->> 'description', ''), 65536), priority = orch.remote_priority(p_answer ->> 'priority'),
                labels = orch.remote_labels(p_answer),
                blocked_by = coalesce(blockers, blocked_by), related_at = case when blockers is not null then clock_timestamp() else related_at end,
                state_id = coalesce(s.remote_id, state_id), -- one that is not known is judged when it is
                updated_at = coalesce(now_at, updated_at),
                note_id = case when facts ?| '{comment,added}' then said.note_id else note_id end,
                setting_id = nullif(setting_id, p_answer ->> 'state'), gone_at = null, seen_at = clock_timestamp()
        where project_id = p.id and object = p_object returning * into i;
        if facts = '{}' or task is null and not coalesce(facts ->> 'state' in ('to_analyse', 'stop'), false) then
                return format('%s: nothing to do', i.work_item);
        end if;
        perform orch.move_tell(p, i, 'tracker.move', facts);
        return format('%s: %s', i.work_item, facts - '{blocked_by,labels,comment,added}'::text[]);
end
$$;
comment on function orch.seen_item(orch.project, text, jsonb) is
        'I-3: compares how an item is with how it was known, and tells what a person has done since. A state that we have set ourselves is no move; neither is one that was dealt with. For one that the board does not list the states are read again, once.';

create function orch.tracker_move(p orch.project, e orch.event) returns text
language plpgsql as $$
declare
        i orch.tracker_item;
        t orch.task;
        actor text := coalesce(e.facts ->> 'actor', e.source);
        did text;
begin
        select * into i from orch.tracker_item where project_id = p.id and object = e.object;
        did := orch.tracker_item_event(p, orch.item_of(i), e);
        if did like 'refused:%' then
                update orch.tracker_item set state_id = null where project_id = p.id and object = e.object; -- mended, it is taken in where it stands
        end if;
        select * into t from orch.task where project_id = p.id and tracker_id = e.object and not terminal;
        if found and e.facts ?| '{priority,added}' then
                t := orch.task_hold(t.work_item);
                did := concat_ws('; ', did, case when e.facts ? 'priority' then orch.prioritise_task(t, (e.facts ->> 'priority')::smallint, actor) end,
                        case when e.facts ? 'added' then orch.comment_add(t, e.facts ->> 'added', actor) end);
        end if;
        return did;
end
$$;
comment on function orch.tracker_move(orch.project, orch.event) is 'I-3: does what a person''s move in a tracker outside asks for';

create function orch.tracker_gone(p orch.project, e orch.event) returns text
language plpgsql as $$
declare
        i orch.tracker_item;
        t orch.task;
        held text := 'nothing is held: pausing is switched off';
begin
        select * into i from orch.tracker_item where project_id = p.id and object = e.object;
        select * into t from orch.task where project_id = p.id and tracker_id = e.object and not terminal;
        if t.id is null or i.gone_at is null then
                return 'ignored: no task of it is under way';
        end if;
        t := orch.task_hold(t.work_item);
        if not t.terminal and orch.setting_bool('serial_gate_pause_enabled') then
                held := orch.pause_task(t, 'it is gone from the tracker', e.source);
        end if;
        perform orch.alert(t, format('gone:%s', extract(epoch from i.gone_at)), format('%1$s is not to be found in the tracker any more (deleted, archived, or hidden from us); %2$s. Nothing is lost: orchctl resume %1$s goes on, orchctl cancel %1$s ends it.',
                t.work_item, held));
        return held;
end
$$;
comment on function orch.tracker_gone(orch.project, orch.event) is 'S-3, I-7: an item that was deleted in the tracker: its task is held, and a person decides; whether it was meant as STOP, nobody can tell';

-- what we show ---------------------------------------------------------------------------------------------------

create function orch.remote_payload(f orch.effect, p orch.project) returns jsonb
language plpgsql as $$
declare
        i orch.tracker_item;
        remote text;
begin
        select * into i from orch.tracker_item where project_id = p.id and work_item = f.payload ->> 'work_item';
        -- an item that was never looked at: connected before there were looks
        i.object := coalesce(i.object, (select regexp_replace(t.tracker_id, '#cancelled-[0-9]+$', '') from orch.task t where t.id = f.task_id));
        if f.kind <> 'state' then
                return f.payload || jsonb_build_object('item', i.object);
        end if;
        remote := orch.state_remote(p.id, f.payload ->> 'state');
        if remote is null then
                return null;
        end if;
        update orch.tracker_item set setting_id = remote where project_id = p.id and object = i.object;
        update orch.endpoint set tokens = tokens - 1 where id = f.endpoint_id and per_minute is not null; -- it is read before it is written
        if orch.board_is_stale(p.id) then
                perform orch.look_want(p.id, 'states', '');
        end if;
        return f.payload || jsonb_build_object('item', i.object, 'remote', remote, 'keep', coalesce(
                (select string_agg(m.remote_id, ' ') from orch.tracker_state_map m join orch.tracker_state s on s.key = m.key and s.human
                 where m.project_id = p.id and m.remote_id not in (remote, coalesce(i.state_id, ''))), ''));
end
$$;
comment on function orch.remote_payload(orch.effect, orch.project) is
        'I-2: an effect in the words of the board as it is now: which item, which state, and the verbs of people that are not to be overwritten before they were heard. Null: the board has nothing to show it by.';

create function orch.item_shown(f orch.effect, p_answer jsonb) returns void
language sql
begin atomic
        update orch.tracker_item i set shown_at = case when orch.sent_back_job(f.task_id) is null then orch.remote_time(p_answer ->> 'updated_at') else i.shown_at end, updated_at = greatest(i.updated_at, orch.remote_time(p_answer ->> 'updated_at')),
                -- unless a look has seen what came after it
                state_id = case when i.updated_at > orch.remote_time(p_answer ->> 'updated_at') then i.state_id else p_answer ->> 'state' end,
                setting_id = case when i.updated_at > orch.remote_time(p_answer ->> 'updated_at') then i.setting_id end
        where i.project_id = f.project_id and i.work_item = f.payload ->> 'work_item';
end;
comment on function orch.item_shown(orch.effect, jsonb) is 'I-2: the tracker shows what we have set: seeing it is no move';

create function orch.show_failed(f orch.effect, p_said text) returns boolean
language plpgsql as $$
declare
        i orch.tracker_item;
begin
        select * into i from orch.tracker_item where project_id = f.project_id and work_item = f.payload ->> 'work_item';
        if f.port <> 'tracker' or f.endpoint_id is null or i.object is null or p_said not in ('conflict', 'refused', 'not-found') then
                return false;
        elsif p_said <> 'refused' then
                perform orch.look_want(f.project_id, 'item', i.object);
        elsif f.kind = 'state' then
                perform orch.look_want(f.project_id, 'states', '');
        end if;
        return f.kind = 'state' and p_said <> 'not-found';
end
$$;
comment on function orch.show_failed(orch.effect, text) is
        'I-2: whether a state that could not be shown is to be tried again: after a look at what a person has done meanwhile, or at which states the board has now';
