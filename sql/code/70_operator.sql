-- 70_operator: what people can do to a task (O-2): decide, cancel, and in 71_pause the rest. Every act answers with the
-- resulting state and leaves an audit row; called twice it changes nothing the second time.

create function orch.task_named(p_work_item text) returns orch.task
language plpgsql stable as $$
declare
        t orch.task := orch.task_of(p_work_item);
begin
        if t.id is null then
                perform orch.refuse('OR001', format('there is no work item %s in the pipeline', orch.quoted(p_work_item)),
                        case when exists (select from orch.local_item i where i.work_item = p_work_item) then format('It is not taken in: orchctl why %s', p_work_item)
                        else 'List them with: orchctl item list' end);
        end if;
        return t;
end
$$;
comment on function orch.task_named(text) is 'The newest task of a work item, also a cancelled one; OR001 when there is none';

create function orch.task_hold(p_work_item text) returns orch.task
language plpgsql as $$
declare
        t orch.task := orch.task_named(p_work_item);
begin
        perform from orch.repo where id = t.repo_id for no key update;
        select * into strict t from orch.task where id = t.id for no key update;
        return t;
end
$$;
comment on function orch.task_hold(text) is 'The task of a work item as it is under the lane lock and its own, in this order: acts, claims and intake of a repo are one after another';

create function orch.operator_act(p_act text, p_work_item text, p_arguments jsonb) returns jsonb
language plpgsql as $$
declare
        t orch.task := orch.task_hold(p_work_item);
        before jsonb := orch.task_json(t);
        note text := p_arguments ->> 'note';
        said text;
        after jsonb;
begin
        said := case p_act
                when 'approve' then orch.decide(t, 'approved', note, orch.actor())
                when 'reject' then orch.decide(t, 'rejected', note, orch.actor())
                when 'cancel' then orch.cancel_task(t.id, orch.actor())
                when 'pause' then orch.pause_task(t, note, orch.actor())
                when 'resume' then orch.resume_task(t, orch.actor())
                when 'priority_set' then orch.prioritise_task(t, (p_arguments ->> 'priority')::smallint, orch.actor())
                when 'answer' then orch.answer_task(t, note, orch.actor())
                when 'ack' then orch.ack_task(t, note, orch.actor())
                when 'retry' then orch.retry_task(t, note, orch.actor()) end;
        select * into t from orch.task where id = t.id;
        after := orch.task_json(t) || jsonb_build_object('message', said);
        perform orch.audit_act(p_act, p_work_item, p_arguments, before, after);
        return after;
end
$$;
comment on function orch.operator_act(text, text, jsonb) is 'An act on a task, under the lane lock: before, act, after, audit';

create function orch.approve(p_work_item text, p_comment text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('approve', p_work_item, jsonb_build_object('note', p_comment));
end
$$;
comment on function orch.approve(text, text) is 'P-9, M-3: passes the human gate the task waits at: the analysis, or the confirmation of the deploy';

create function orch.reject(p_work_item text, p_comment text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if btrim(coalesce(p_comment, '')) = '' then
                perform orch.refuse('OR003', 'a rejection needs a comment', 'The comment is what the next run is told');
        end if;
        return orch.operator_act('reject', p_work_item, jsonb_build_object('note', p_comment));
end
$$;
comment on function orch.reject(text, text) is 'P-9: the role works again with the comment as its input';

create function orch.cancel(p_work_item text, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('cancel', p_work_item, jsonb_build_object('note', p_reason));
end
$$;
comment on function orch.cancel(text, text) is 'C-1 to C-6: cancels a task; C-2: of one that was cancelled already it says so';
