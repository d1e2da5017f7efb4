-- 42_escalation: what happens when nothing automatic is left to do (P-5): one alert, repeated twice at most while nobody
-- acknowledges it, then silence. The ways back are acts: retry, approve, reject, answer, cancel.
--
-- task.escalated_at stops the engine; the row of orch.escalation is what people are told. Only escalate() and
-- escalation_end() write either, so they agree.

create function orch.escalate(t orch.task, p_actor text, p_reason text, p_severity text default null) returns void
language plpgsql as $$
declare
        e orch.escalation;
begin
        update orch.task set escalated_at = clock_timestamp(), escalation = p_reason where id = t.id and escalated_at is null;
        if not found then
                return;
        end if;
        insert into orch.escalation (task_id, reason, severity, raised_by)
        values (t.id, p_reason, coalesce(p_severity, case when orch.stop_window(t) <> 'none' then 'urgent' else 'normal' end), p_actor) returning * into e;
        perform orch.record('escalate', p_actor, t.id, null, null, jsonb_build_object('reason', p_reason, 'severity', e.severity));
        perform orch.merge_lease_yield(t, p_actor, 'escalated');
        perform orch.show_state(t, 'blocked');
        perform orch.alert(t, 'escalated:' || e.id, p_reason);
end
$$;
comment on function orch.escalate(orch.task, text, text, text) is 'P-5: Blocked, one alert, nothing automatic until a person acts. Urgent, when nothing else is said, is what was escalated in the critical window (C-5).';

create function orch.escalation_end(p_task bigint, p_actor text, p_how text) returns void
language plpgsql as $$
begin
        update orch.task set escalated_at = null, escalation = null where id = p_task and escalated_at is not null and not terminal;
        update orch.escalation set ended_at = clock_timestamp(), ended_by = p_actor, ended_how = p_how where task_id = p_task and ended_at is null;
end
$$;
comment on function orch.escalation_end(bigint, text, text) is 'P-5: a person has acted: the task goes on, or is over';

create function orch.ack_task(t orch.task, p_note text, p_actor text) returns text
language plpgsql as $$
declare
        e orch.escalation;
begin
        select * into e from orch.escalation where task_id = t.id and ended_at is null for no key update;
        if not found then
                return format('%s is not escalated: there is nothing to acknowledge', orch.item_name(t));
        elsif e.acked_at is not null then
                return format('%s looks after %s already', e.acked_by, orch.item_name(t));
        end if;
        update orch.escalation set acked_at = clock_timestamp(), acked_by = p_actor where id = e.id;
        perform orch.record('escalate', p_actor, t.id, null, null, jsonb_build_object('acknowledged', true, 'comment', p_note));
        return format('%s looks after %s: the alert is not repeated. It goes on with orchctl retry, approve, reject or cancel', p_actor, orch.item_name(t));
end
$$;
comment on function orch.ack_task(orch.task, text, text) is 'P-5: somebody looks after an escalation; nothing else changes';

create function orch.ack(p_work_item text, p_comment text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('ack', p_work_item, jsonb_build_object('note', p_comment));
end
$$;
comment on function orch.ack(text, text) is 'P-5: acknowledges the escalation of a task, so that its alert is not repeated; acknowledged once, it stays so';

create function orch.escalations_raise(p_limit integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        e orch.escalation;
        t orch.task;
        after_s integer := orch.setting_int('escalation_reraise_s');
        n integer := 0;
begin
        for e in select x.* from orch.escalation x
                 where x.ended_at is null and x.acked_at is null and x.raised_again < 2 and after_s > 0
                   and x.alerted_at < clock_timestamp() - make_interval(secs => after_s)
                 order by x.alerted_at limit p_limit for no key update skip locked
        loop
                update orch.escalation set raised_again = raised_again + 1, alerted_at = clock_timestamp() where id = e.id returning * into e;
                select * into t from orch.task where id = e.task_id;
                perform orch.alert(t, format('escalated:%s:%s', e.id, e.raised_again), format('%s (since %s, and nobody has acknowledged it%s: orchctl ack %s)', e.reason,
                        to_char(e.raised_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), case when e.raised_again = 2 then '; not repeated again' else '' end, orch.item_name(t)));
                n := n + 1;
        end loop;
        return n;
end
$$;
comment on function orch.escalations_raise(integer) is 'P-5: repeats the alerts that nobody has acknowledged for escalation_reraise_s, twice at most, by the database''s clock; at most p_limit at a time. Returns how many.';

create view orch.open_escalation as
select orch.item_name(t) as work_item, r.name as repo, t.stage, e.severity, e.reason, e.raised_at, e.raised_again, e.acked_by, e.acked_at
from orch.escalation e join orch.task t on t.id = e.task_id join orch.repo r on r.id = t.repo_id
where e.ended_at is null;
comment on view orch.open_escalation is 'P-5: the tasks that wait for a person because nothing automatic is left to do, and who looks after each';
comment on column orch.open_escalation.work_item is 'Work item';
comment on column orch.open_escalation.repo is 'Its repo';
comment on column orch.open_escalation.stage is 'Its stage';
comment on column orch.open_escalation.severity is 'normal or urgent';
comment on column orch.open_escalation.reason is 'Why';
comment on column orch.open_escalation.raised_at is 'Since when';
comment on column orch.open_escalation.raised_again is 'How often the alert was repeated';
comment on column orch.open_escalation.acked_by is 'Who looks after it';
comment on column orch.open_escalation.acked_at is 'Since when';

create function orch.escalation_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('escalations', coalesce(jsonb_agg(to_jsonb(e)), '[]'))
        from (select * from orch.open_escalation order by severity = 'urgent' desc, acked_at is not null, raised_at limit 200) e;
end;
comment on function orch.escalation_list() is 'P-5: the open escalations, at most 200: urgent ones first, then those that nobody looks after';
