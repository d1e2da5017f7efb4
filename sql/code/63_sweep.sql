-- 63_sweep: F-2, the tracker side: what a lost webhook should have told (R-2); and whether webhooks come at all (I-3). The
-- reconciler only says when: lists and hooks are looks (59_look), so they are asked with everything else, within the
-- same limits, by workers.

create function orch.sweep_counted(p_kind text, p_results text[]) returns void
language sql
begin atomic
        -- in one order: lists of several projects are counted at once
        insert into orch.sweep_count as c (kind, result, n) select p_kind, r, count(*) from unnest(p_results) r group by r order by r
        on conflict (kind, result) do update set n = c.n + excluded.n;
end;
comment on function orch.sweep_counted(text, text[]) is 'R-3: counts what a sweep has made of what it saw';

create function orch.sweep_pause(p_kind text, p_endpoint bigint) returns interval
language sql stable
return make_interval(secs => case p_kind when 'hooks' then orch.setting_int('hook_check_s') else greatest(orch.setting_int('tracker_sweep_s'),
        -- a server gives some sixty answers a minute to all: lists take a fifth of them
        5 * (select count(*) from orch.project p where p.tracker_endpoint = p_endpoint and orch.watched(p))) end);
comment on function orch.sweep_pause(text, bigint) is 'R-10: how long a sweep waits for the next one';

create function orch.relations_want(p_project bigint, p_limit integer) returns void
language plpgsql as $$
begin
        perform orch.look_want(p_project, 'item', i.object, 1)
        from (select k.object from orch.project p join orch.job j on j.repo_id = p.repo_id and j.status = 'queued' and j.entry
              join orch.task t on t.id = j.task_id and t.project_id = p.id join orch.tracker_item k on k.project_id = p.id and k.object = t.tracker_id
              where p.id = p_project and k.gone_at is null
                and (k.related_at is null or k.related_at < clock_timestamp() - make_interval(secs => orch.setting_int('tracker_relations_s')))
              order by j.priority, j.id limit p_limit) i;
end
$$;
comment on function orch.relations_want(bigint, integer) is
        'S-15: has the relations be read again of items whose tasks have not begun, of those that begin next: nothing tells that they have changed, and no list shows it';

create function orch.reconcile_outside(p_limit integer) returns table (wanted integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        s record;
begin
        wanted := 0;
        if pg_try_advisory_xact_lock(hashtext('orch.reconcile_outside')) then
                insert into orch.sweep (project_id, kind)
                select p.id, 'items' from orch.project p where orch.watched(p) and p.tracker_endpoint is not null
                union all select p.id, 'hooks' from orch.project p join orch.endpoint e on e.id = p.forge_endpoint and e.hook_url is not null where orch.watched(p)
                on conflict do nothing;
                for s in select w.project_id, w.kind, e.id as endpoint_id from orch.sweep w join orch.project p on p.id = w.project_id and orch.watched(p)
                         join orch.endpoint e on e.id = orch.port_endpoint(p, orch.look_port(w.kind))
                         where w.due_at <= clock_timestamp() and (e.not_before is null or e.not_before <= clock_timestamp()) and (w.kind <> 'hooks' or e.hook_url is not null)
                           and not exists (select from orch.look l where l.project_id = w.project_id and l.kind = w.kind) -- it is under way
                         order by w.due_at limit p_limit for no key update of w
                loop
                        update orch.sweep w set due_at = clock_timestamp() + orch.sweep_pause(s.kind, s.endpoint_id),
                                whole = whole_at is null or whole_at < clock_timestamp() - make_interval(secs => orch.setting_int('tracker_sweep_whole_s')), reached = null, held = null
                        where w.project_id = s.project_id and w.kind = s.kind;
                        perform orch.look_want(s.project_id, s.kind, '');
                        if s.kind = 'items' then
                                perform orch.relations_want(s.project_id, 1); -- two requests with each list
                        end if;
                        wanted := wanted + 1;
                end loop;
        end if;
        return next;
end
$$;
comment on function orch.reconcile_outside(integer) is
        'R-2 (F-2), I-3: wants the lists and webhooks of services outside looked at that are due; of endpoints that are away none. One process at a time, bounded: R-8, R-10. What follows is in orch.seen_items() and orch.seen_hooks().';

-- the list of a tracker's items --------------------------------------------------------------------------------------

create function orch.sweep_result(p orch.project, p_item jsonb) returns text
language plpgsql stable as $$
declare
        k orch.tracker_item; -- as it was known
        s record; -- its state
        t orch.task;
        verb boolean;
        moved boolean;
begin
        select * into k from orch.tracker_item i where i.project_id = p.id and i.object = p_item ->> 'id';
        moved := orch.is_moved(k, p_item ->> 'state');
        if not moved and k.updated_at >= orch.remote_time(p_item ->> 'updated_at') then
                return 'known';
        end if;
        select m.key, m.remote_group, coalesce(v.human and v.key <> 'needs_input', false) as verb into s
        from orch.tracker_state_map m left join orch.tracker_state v on v.key = m.key where m.project_id = p.id and m.remote_id = p_item ->> 'state';
        verb := moved and coalesce(s.verb, false);
        select * into t from orch.task where project_id = p.id and tracker_id = p_item ->> 'id';
        -- a verb of a person that nobody has dealt with is no revival; cheapest first
        return case when verb and s.key = 'to_analyse' then 'moved'
                    when t.id is null then 'other'
                    when t.terminal or (s.remote_group in ('completed', 'cancelled') and not verb) then 'terminal'
                    when verb and s.key = 'stop' then 'moved'
                    when t.escalated_at is not null and not verb then 'escalated'
                    when s.key in ('blocked', 'needs_input') then 'blocked'
                    when exists (select from orch.transition_lease l where l.task_id = t.id) then 'lease'
                    when verb then 'moved'
                    else 'changed' end;
end
$$;
comment on function orch.sweep_result(orch.project, jsonb) is
        'R-2, R-3: what is to be made of an item of the list: moved: a person has asked for something since it was last looked at; changed: somebody has changed it; known: nobody has; else why it is passed over: other (no task, and nothing asks for one), terminal, escalated, blocked, or lease: for now';

create function orch.sweep_page(p orch.project, p_items jsonb, p_floor timestamptz) returns table (seen integer, below boolean, newest timestamptz, held timestamptz, missed timestamptz)
language plpgsql as $$
declare
        i jsonb;
        at_time timestamptz;
        result text;
        results text[] := '{}';
begin
        seen := 0;
        below := false;
        for i in select v from jsonb_array_elements(p_items) v loop
                at_time := orch.remote_time(i ->> 'updated_at');
                if at_time < p_floor then
                        below := true;
                        exit;
                end if;
                seen := seen + 1;
                newest := greatest(newest, at_time);
                result := orch.sweep_result(p, i);
                results := results || result;
                if result = 'lease' then
                        held := least(held, at_time);
                elsif result in ('moved', 'changed') then
                        perform orch.look_want(p.id, 'item', i ->> 'id');
                        missed := case when result = 'moved' then greatest(missed, at_time) else missed end;
                end if;
        end loop;
        perform orch.sweep_counted('items', results);
        return next;
end
$$;
comment on function orch.sweep_page(orch.project, jsonb, timestamptz) is 'R-2: wants those items of a page looked at that somebody has changed, down to the watermark; missed: when the newest of the moves was';

create function orch.seen_items(p orch.project, p_object text, p_answer jsonb) returns text
language plpgsql as $$
declare
        s orch.sweep;
        page record;
        more boolean;
begin
        select * into s from orch.sweep where project_id = p.id and kind = 'items' for no key update;
        if not found or p_answer is null then
                return 'ignored: there is no such list any more';
        elsif jsonb_typeof(p_answer -> 'items') is distinct from 'array' then
                raise exception 'that is no list of items';
        end if;
        select * into page from orch.sweep_page(p, p_answer -> 'items',
                case when not s.whole then s.watermark - interval '2 min' end); -- servers' clocks, and rows that move between pages
        more := not page.below and coalesce(p_answer ->> 'next', '') <> '' and length(p_answer ->> 'next') < 100 and p_answer ->> 'next' <> p_object;
        if more then
                perform orch.look_want(p.id, 'items', p_answer ->> 'next');
        end if;
        update orch.sweep set reached = greatest(s.reached, page.newest), held = least(s.held, page.held),
                watermark = case when more then watermark else least(greatest(s.watermark, s.reached, page.newest), s.held, page.held) end,
                ended_at = case when more then ended_at else clock_timestamp() end,
                whole_at = case when s.whole and not more then clock_timestamp() else whole_at end
        where project_id = p.id and kind = 'items';
        perform orch.tracker_heard(p, page.missed);
        return format('%s items%s', page.seen, case when more then '; there are more' else '' end);
end
$$;
comment on function orch.seen_items(orch.project, text, jsonb) is 'R-2, R-10: a page of a tracker''s items, the last changed first: what somebody has changed is looked at; goes on with the next page until it comes to what was seen already';

create function orch.tracker_heard(p orch.project, p_moved timestamptz) returns void
language plpgsql as $$
declare
        s orch.sweep;
        heard timestamptz := (select max(e.received_at) from orch.event e where e.source = 'plane' and e.delivery is not null and e.project = p.tracker_project);
begin
        update orch.sweep set missed_at = case when coalesce(missed_at, p_moved) > coalesce(heard, '-infinity') + interval '1 min' then coalesce(missed_at, p_moved) end
        where project_id = p.id and kind = 'items' returning * into s;
        if s.fault is not null and heard > s.fault_since then
                perform orch.hook_fault(p, 'items', null, true, null);
        elsif s.missed_at < clock_timestamp() - make_interval(secs => orch.setting_int('tracker_silence_s')) then
                perform orch.hook_fault(p, 'items', coalesce(s.fault, format('people move items in its tracker, and no webhook comes from there%s', coalesce(' since ' || orch.at_utc(heard), ''))),
                        true, 'Look in Plane (settings of the workspace, Webhooks) whether it is active, and whether it may call our address (WEBHOOK_ALLOWED_IPS)');
        end if;
end
$$;
comment on function orch.tracker_heard(orch.project, timestamptz) is
        'I-3: Plane switches a webhook off that failed five times, and says so to nobody who listens. A move that only a list has shown, and nothing heard from the tracker since: people are told, once, and once when it is over.';

-- webhooks -------------------------------------------------------------------------------------------------------

create function orch.hook_fault(p orch.project, p_kind text, p_fault text, p_tell boolean, p_advice text) returns void
language plpgsql as $$
declare
        s orch.sweep;
        mark text;
begin
        select * into s from orch.sweep where project_id = p.id and kind = p_kind for no key update;
        if s.fault is not distinct from p_fault then
                return;
        end if;
        mark := format('hooks:%s:%s', p.id, p_kind);
        if p_fault is null and s.alerted then
                perform orch.alert_cluster(mark, format('%s:%s:ok', mark, extract(epoch from s.fault_since)), format('%s: webhooks come again', p.name));
        elsif p_tell and not s.alerted then
                perform orch.alert_cluster(mark, format('%s:%s', mark, extract(epoch from coalesce(s.fault_since, clock_timestamp()))),
                        format('%s: %s. Nothing is lost: what they should tell is found by looking, which is slower. %s', p.name, p_fault, p_advice));
        end if;
        update orch.sweep set fault = p_fault, fault_since = case when p_fault is not null then coalesce(fault_since, clock_timestamp()) end,
                alerted = p_fault is not null and (alerted or p_tell)
        where project_id = p.id and kind = p_kind;
        perform orch.record('project', 'reconciler', null, null, null, jsonb_build_object('project', p.name, 'webhooks', coalesce(p_fault, 'fine')), p.repo_id);
end
$$;
comment on function orch.hook_fault(orch.project, text, text, boolean, text) is 'I-3: notes what is wrong with the webhooks of a project; one alert when it begins, and one when it is over';

create function orch.hook_repair(p orch.project, p_url text, p_hooks jsonb) returns void
language plpgsql as $$
declare
        hour text := to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDDHH24'); -- once in it: what does not help is not done again and again
        h record;
begin
        if not p.repair_hooks or exists (select from orch.effect f where f.idempotency_key = format('make_hook:%s:%s', p.id, hour)) then
                return;
        end if;
        for h in select k.id from jsonb_to_recordset(p_hooks) as k (id bigint, url text) where rtrim(k.url, '/') = rtrim(p_url, '/') and k.id is not null loop
                perform orch.effect_store(p.id, null, 'forge', 'delete_hook', 'hooks:' || p.id, format('delete_hook:%s:%s', p.id, h.id), jsonb_build_object('hook', h.id));
        end loop;
        perform orch.effect_store(p.id, null, 'forge', 'make_hook', 'hooks:' || p.id, format('make_hook:%s:%s', p.id, hour), jsonb_build_object('url', p_url));
end
$$;
comment on function orch.hook_repair(orch.project, text, jsonb) is 'I-3: has the webhook made anew, of a project that allows it, once in an hour; wrong ones to us go first: their secret cannot be known, nor changed';

create function orch.seen_hooks(p orch.project, p_object text, p_answer jsonb) returns text
language plpgsql as $$
declare
        wanted text := (select e.hook_url from orch.endpoint e where e.id = p.forge_endpoint);
        fault text;
begin
        if wanted is null then
                return 'ignored: nobody says where the webhooks go';
        elsif p_answer is null then
                perform orch.hook_fault(p, 'hooks', 'our token may not look at its webhooks', false, null);
                return 'not allowed: our token may not look at its webhooks';
        end if;
        -- of two to us, the one that works
        select x.fault into fault from (
                select case when h.active is not true then format('its webhook to %s is switched off', wanted)
                            when h.content_type is distinct from 'json' then format('its webhook to %s sends forms and no JSON', wanted)
                            when not coalesce(h.events, '[]') ?& array['push', 'delete', 'pull_request', 'status'] then format('its webhook to %s is not told of all of push, delete, pull_request and status', wanted) end as fault
                from jsonb_to_recordset(coalesce(p_answer -> 'hooks', '[]')) as h (url text, active boolean, content_type text, events jsonb)
                where rtrim(h.url, '/') = rtrim(wanted, '/')) x
        order by x.fault nulls first limit 1;
        if not found then
                fault := format('it has no webhook to %s', wanted);
        end if;
        if fault is not null then
                perform orch.hook_repair(p, wanted, p_answer -> 'hooks');
        end if;
        perform orch.hook_fault(p, 'hooks', fault, true, case when p.repair_hooks then 'It is made anew: repair_hooks is on' else format('orchctl project add makes a webhook; one that is wrong is deleted first, in the settings of %s', p.forge_name) end);
        update orch.sweep set ended_at = clock_timestamp() where project_id = p.id and kind = 'hooks';
        return coalesce(fault, 'fine: its webhook comes to us');
end
$$;
comment on function orch.seen_hooks(orch.project, text, jsonb) is 'I-3: whether a webhook of the repository exists, is active and points at us; null: we may not look, which is not wrong, and is nobody''s alert';

create view orch.sweep_status as
select p.name as project, s.kind, s.due_at, s.ended_at, s.whole_at, s.watermark, s.fault, s.fault_since
from orch.sweep s join orch.project p on p.id = s.project_id;
comment on view orch.sweep_status is 'R-2, I-3: what is asked of the services outside from time to time, and what is wrong with their webhooks';
comment on column orch.sweep_status.project is 'Project';
comment on column orch.sweep_status.kind is 'items: the list of the tracker''s items; hooks: the webhooks of the forge';
comment on column orch.sweep_status.due_at is 'When it is asked next';
comment on column orch.sweep_status.ended_at is 'When it was last through';
comment on column orch.sweep_status.whole_at is 'items: when all of them, and not only the changed ones, were last seen';
comment on column orch.sweep_status.watermark is 'items: what changed before this was seen';
comment on column orch.sweep_status.fault is 'What is wrong with the webhooks; null: nothing that we know of';
comment on column orch.sweep_status.fault_since is 'Since when';
