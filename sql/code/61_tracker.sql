-- 61_tracker: what an event of the tracker does, and the local tracker itself.

create function orch.qg0_refusal(p_title text) returns text
language sql stable
return case when btrim(coalesce(p_title, '')) = '' then 'the title is empty'
            when length(p_title) > orch.setting_int('qg0_title_max')
            then format('the title has %s characters; at most %s are allowed', length(p_title), orch.setting_int('qg0_title_max')) end;
comment on function orch.qg0_refusal(text) is 'P-6: why a title is refused at intake, or null';

create function orch.intake(p orch.project, i orch.seen_item, p_actor text) returns text
language plpgsql as $$
declare
        refusal text := orch.qg0_refusal(i.title);
        new_id bigint;
begin
        if refusal is null and not p.active then
                refusal := format('project %s takes no new work items', p.name);
        end if;
        if refusal is not null then
                perform orch.effect_store(p.id, null, 'tracker', 'comment', 'tracker:' || i.work_item, format('comment:qg0:%s:%s', i.tracker_id, md5(refusal)),
                        jsonb_build_object('work_item', i.work_item, 'marker', 'qg0:' || md5(refusal), 'text', 'Not taken in: ' || refusal));
                return 'refused: ' || refusal;
        end if;
        -- also the lanes of what it waits for, in the one order of all who lock several
        perform from orch.repo where id = p.repo_id or id in (select (orch.task_of(b)).repo_id from unnest(i.blocked_by) b) order by id for no key update;
        insert into orch.task (project_id, repo_id, tracker_id, work_item, title, description, labels, labelled_by, priority)
        values (p.id, p.repo_id, i.tracker_id, i.work_item, i.title, i.description, i.labels, i.labelled_by, i.priority)
        on conflict do nothing returning id into new_id;
        if not found then
                return format('ignored: %s has a task already', i.work_item);
        end if;
        perform orch.record('intake', p_actor, new_id, null, null, jsonb_build_object('title', i.title));
        perform orch.tracker_blocked_by(new_id, coalesce(i.blocked_by, '{}'), p_actor);
        perform orch.advance(new_id, p_actor);
        return format('taken in as task %s', new_id);
end
$$;
comment on function orch.intake(orch.project, orch.seen_item, text) is
        'P-6, R-5: makes the task of a work item under the repo''s lane lock, once; what fails QG-0 gets a comment and no task';

create function orch.cancel_task(p_task bigint, p_actor text) returns text
language plpgsql as $$
declare
        t orch.task;
        stop text;
begin
        perform from orch.repo r where r.id = (select repo_id from orch.task where id = p_task) for no key update;
        select * into t from orch.task where id = p_task for no key update;
        if t.terminal then
                return format('nothing to cancel: %s is %s', orch.item_name(t), t.stage);
        end if;
        stop := orch.stop_window(t);
        if t.cancel_requested_at is null then
                update orch.task set cancel_requested_at = clock_timestamp(), cancel_requested_by = p_actor where id = t.id returning * into t;
                perform orch.record('cancel', p_actor, t.id, null, null, jsonb_build_object('requested', true, 'deferred', stop <> 'none'));
                if stop <> 'none' then
                        perform orch.comment_on(t, 'cancel-deferred:' || t.stage_version, 'Cancellation is deferred: the deploy has begun. It is applied when that has ended.');
                end if;
        end if;
        if stop <> 'none' then
                -- but not a job that ends the step itself: it would never end honestly
                update orch.job set status = 'cancelled', outcome = 'cancelled', ended_at = clock_timestamp()
                where task_id = t.id and status = 'queued' and not orch.ends_window(kind);
                return format('the cancellation of %s is deferred until its deploy has ended', t.work_item);
        end if;
        update orch.job set status = 'cancelled', outcome = 'cancelled', ended_at = clock_timestamp() where task_id = t.id and status = 'queued';
        update orch.job set stop_requested_at = coalesce(stop_requested_at, clock_timestamp()) where task_id = t.id and status = 'running';
        if orch.advance(t.id, p_actor) > 0 then
                return format('%s is cancelled', t.work_item);
        end if;
        perform orch.wake();
        return format('%s is cancelled as soon as its running agent has been stopped', t.work_item);
end
$$;
comment on function orch.cancel_task(bigint, text) is
        'C-2, C-3, C-6: cancels at once, after the running agent was stopped, or - in the critical window, and in doubt - when the deploy has ended. Idempotent.';

create function orch.tracker_item_event(p orch.project, i orch.seen_item, e orch.event) returns text
language plpgsql as $$
declare
        t orch.task;
        verb text := e.facts ->> 'state';
        actor text := coalesce(e.facts ->> 'actor', e.source);
        note text := nullif(btrim(e.facts ->> 'comment'), '');
begin
        if i.tracker_id is null then
                return format('ignored: the tracker has no item %s', e.object);
        end if;
        select * into t from orch.task where project_id = p.id and tracker_id = i.tracker_id;
        if verb = 'stop' then
                if t.id is null or not orch.setting_bool('stop_status_enabled')
                   or not orch.in_scope('stop_status_repos', (select name from orch.repo where id = p.repo_id)) then
                        return 'ignored: nothing to stop';
                end if;
                return orch.cancel_task(t.id, actor);
        elsif t.id is null then
                return case verb when 'to_analyse' then orch.intake(p, i, actor) else 'ignored: no task, and only To Analyse makes one' end;
        end if;
        if verb = 'to_analyse' and t.cancel_requested_at is not null and orch.stop_window(t) = 'none' then
                return format('waits: %s is being cancelled, and begins anew when that is done', t.work_item);
        end if;
        if i.blocked_by is not null then
                perform orch.tracker_blocked_by(t.id, i.blocked_by, actor);
        end if;
        -- from here on it stays as it is looked at; a cancellation, above, locks the repo first
        select * into t from orch.task where id = t.id for no key update;
        if orch.task_labels_set(t.id, i.labels, i.labelled_by) then
                perform orch.advance(t.id, actor);
                select * into t from orch.task where id = t.id;
        end if;
        return case when verb is null then format('%s has the labels %s', t.work_item, t.labels) else orch.person_move(t, e, verb, note, actor) end;
end
$$;
comment on function orch.tracker_item_event(orch.project, orch.seen_item, orch.event) is 'I-2, C-1, P-11: what an event of a work item does, whatever tracker it is in: STOP is looked at before everything else, then dependencies and labels; the other verbs are in orch.person_move().';

create function orch.local_item_event(p orch.project, e orch.event) returns text
language plpgsql as $$
declare
        i orch.local_item;
begin
        select * into i from orch.local_item where project_id = p.id and work_item = e.object;
        return orch.tracker_item_event(p, case when found then orch.item_of(i) end, e);
end
$$;
comment on function orch.local_item_event(orch.project, orch.event) is 'The same of an item of our own tracker';

create function orch.local_event(i orch.local_item, p_state text, p_comment text) returns void
language sql
begin atomic
        insert into orch.event (source, body)
        select 'local', convert_to(jsonb_build_object('event', 'item', 'project', p.name, 'work_item', i.work_item, 'state', p_state,
                'comment', p_comment, 'actor', orch.actor())::text, 'UTF8')
        from orch.project p where p.id = i.project_id;
        select orch.wake();
end;
comment on function orch.local_event(orch.local_item, text, text) is 'The local tracker tells of a person''s move through the inbox, like any other tracker';

create function orch.local_item_set_state(p_work_item text, p_state text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        update orch.local_item set state = p_state, state_changed_at = clock_timestamp() where work_item = p_work_item and state <> p_state;
        return exists (select from orch.local_item where work_item = p_work_item);
end
$$;
comment on function orch.local_item_set_state(text, text) is 'Tracker port of the local tracker: shows a state; no event follows. False: no such item.';

create function orch.local_item_comment(p_work_item text, p_marker text, p_body text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        insert into orch.local_comment (item_id, marker, body)
        select id, p_marker, p_body from orch.local_item where work_item = p_work_item on conflict (item_id, marker) do nothing;
        return exists (select from orch.local_item where work_item = p_work_item);
end
$$;
comment on function orch.local_item_comment(text, text, text) is 'Tracker port of the local tracker: comments, once per marker. False: no such item.';
