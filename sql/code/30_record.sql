-- 30_record: small words that everything else is said with: history, wake-ups, effects, locks, errors.

create function orch.wake() returns void
language sql
begin atomic
        select pg_notify('orch_work', '');
end;
comment on function orch.wake() is 'Hints that there is work. One constant channel, no payload: equal hints of a transaction become one; polling finds all work without it.';

create function orch.actor() returns text
language sql stable
return case session_user when 'orch_operatord' then coalesce(nullif(current_setting('orch.actor', true), ''), session_user) else session_user end;
comment on function orch.actor() is
        'O-2: who acts: whom orch.http_act() names to the transaction of the operator port, which has checked the token; of anybody else the database user. The setting orch.actor of any other session means nothing.';

create function orch.refuse(p_code text, p_message text, p_hint text default null) returns void
language plpgsql as $$
begin
        raise exception using errcode = p_code, message = p_message, hint = coalesce(p_hint, '');
end
$$;
comment on function orch.refuse(text, text, text) is 'Raises OR001 (not found), OR002 (refused in this state) or OR003 (bad input); the hint says what to do';

create function orch.quoted(p_text text) returns text
language sql immutable
return '"' || left(coalesce(p_text, ''), 80) || '"';
comment on function orch.quoted(text) is 'What somebody has typed, for a refusal: its beginning, in quotes';

create function orch.record(p_kind text, p_actor text, p_task bigint, p_job bigint default null, p_epoch bigint default null,
        p_detail jsonb default '{}', p_repo bigint default null) returns void
language plpgsql as $$ -- not SQL: its plan would be made anew for each call, and every claim calls it
begin
        insert into orch.history (kind, actor, repo_id, task_id, job_id, epoch, detail)
        values (p_kind, p_actor, coalesce(p_repo, (select t.repo_id from orch.task t where t.id = p_task)), p_task, p_job, p_epoch, jsonb_strip_nulls(p_detail));
end
$$;
comment on function orch.record(text, text, bigint, bigint, bigint, jsonb, bigint) is 'O-4: adds to the history of a task, or of a repo';

create function orch.audit_act(p_act text, p_object text, p_arguments jsonb, p_before jsonb, p_after jsonb) returns void
language sql
begin atomic
        insert into orch.audit (actor, act, object, arguments, before, after)
        values (orch.actor(), p_act, p_object, jsonb_strip_nulls(p_arguments), p_before, p_after);
end;
comment on function orch.audit_act(text, text, jsonb, jsonb, jsonb) is 'O-2: leaves the audit row of an operator''s act';

create function orch.port_endpoint(p orch.project, p_port text) returns bigint
language sql immutable
return case p_port when 'tracker' then p.tracker_endpoint when 'forge' then p.forge_endpoint else p.notifier_endpoint end;
comment on function orch.port_endpoint(orch.project, text) is 'I-1: the service outside that a project is connected to by a port; null: ours';

create function orch.effect_endpoint(p_project bigint, p_port text) returns bigint
language plpgsql stable as $$ -- as setting_text() is, and for its reason; so are all here that each step of a task calls
begin
        return coalesce((select orch.port_endpoint(p, p_port) from orch.project p where p.id = p_project),
                case when p_port = 'notifier' then (select e.id from orch.endpoint e where e.alerts) end);
end
$$;
comment on function orch.effect_endpoint(bigint, text) is 'I-1: the service outside that effects of a port go to, of a project or of none; null: ours';

create function orch.effect_store(p_project bigint, p_task bigint, p_port text, p_kind text, p_object text, p_idempotency_key text, p_payload jsonb) returns void
language plpgsql as $$
begin
        insert into orch.effect (project_id, task_id, port, kind, object_key, idempotency_key, payload, endpoint_id)
        values (p_project, p_task, p_port, p_kind, p_object, p_idempotency_key, p_payload, orch.effect_endpoint(p_project, p_port))
        on conflict (idempotency_key) do nothing;
        if not found then
                return;
        end if;
        if p_kind = 'state' and p_port = 'tracker' then
                -- nobody is led through all that happened while a board was away
                update orch.effect f set status = 'done', ended_at = clock_timestamp(), detail = 'not shown: a later state was to be shown already'
                where f.object_key = p_object and f.kind = 'state' and f.port = 'tracker' and f.status = 'pending' and f.endpoint_id is not null
                  and f.idempotency_key <> p_idempotency_key;
        end if;
        perform orch.wake();
end
$$;
comment on function orch.effect_store(bigint, bigint, text, text, text, text, jsonb) is 'Stores a side effect with its cause; the same key stores it once';

create function orch.effect_add(p_task bigint, p_port text, p_kind text, p_object text, p_idempotency_key text, p_payload jsonb) returns void
language plpgsql as $$
begin
        perform orch.effect_store(t.project_id, t.id, p_port, p_kind, p_object, p_idempotency_key, p_payload) from orch.task t where t.id = p_task;
end
$$;
comment on function orch.effect_add(bigint, text, text, text, text, jsonb) is 'Stores a side effect of a task';

create function orch.item_name(t orch.task) returns text
language sql stable
return regexp_replace(t.work_item, '#cancelled-[0-9]+$', '');
comment on function orch.item_name(orch.task) is 'Name of the work item in the tracker, also of a cancelled task with its tombstone suffix';

create function orch.task_of(p_work_item text) returns orch.task
language sql stable
return (select t from orch.task t
        where regexp_replace(t.work_item, '#cancelled-[0-9]+$', '') = p_work_item -- item_name(), as the index has it
          and t.work_item in (p_work_item, p_work_item || '#cancelled-' || t.id) order by t.id desc limit 1);
comment on function orch.task_of(text) is 'The newest task of a work item, also a cancelled one; null when there is none';

create function orch.show_state(t orch.task, p_state text) returns void
language plpgsql as $$
begin
        perform orch.effect_store(t.project_id, t.id, 'tracker', 'state', 'tracker:' || orch.item_name(t),
                format('state:%s:%s:%s', t.id, t.stage_version, p_state),
                jsonb_build_object('work_item', orch.item_name(t), 'state', p_state));
end
$$;
comment on function orch.show_state(orch.task, text) is 'I-2: shows a state in the tracker, once per stage version';

create function orch.comment_on(t orch.task, p_marker text, p_body text) returns void
language sql
begin atomic
        select orch.effect_add(t.id, 'tracker', 'comment', 'tracker:' || orch.item_name(t), format('comment:%s:%s', t.id, p_marker),
                jsonb_build_object('work_item', orch.item_name(t), 'marker', format('%s:%s', t.id, p_marker), 'text', p_body));
end;
comment on function orch.comment_on(orch.task, text, text) is 'Comments on a work item, once per marker';

create function orch.alert(t orch.task, p_marker text, p_text text) returns void
language sql
begin atomic
        select orch.effect_add(t.id, 'notifier', 'alert', 'alert:' || t.id, format('alert:%s:%s', t.id, p_marker),
                jsonb_build_object('work_item', orch.item_name(t), 'text', p_text));
end;
comment on function orch.alert(orch.task, text, text) is 'Tells people that they must act, once per marker';

create function orch.alert_cluster(p_object text, p_marker text, p_text text) returns void
language sql
begin atomic
        select orch.effect_store(null, null, 'notifier', 'alert', 'alert:' || p_object, 'alert:' || p_marker, jsonb_build_object('text', p_text));
end;
comment on function orch.alert_cluster(text, text, text) is 'Tells people of something that is no task''s, once per marker';

create function orch.told_wait(p_s integer) returns interval
language sql immutable
return case when p_s > 3600 then interval '1 hour' else make_interval(secs => p_s) end; -- least() would make 3600 of a null
comment on function orch.told_wait(integer) is 'I-7: how long to wait for a peer that said so: at most an hour, whatever it says; null: it said nothing';

create function orch.backoff(p_failures integer, p_first_s integer) returns interval
language sql volatile
return make_interval(secs => least(300, p_first_s * power(2, least(greatest(p_failures, 1), 20) - 1)) * (0.5 + random() / 2));
comment on function orch.backoff(integer, integer) is 'Wait before the next try: doubles with each failure up to five minutes, with jitter';
