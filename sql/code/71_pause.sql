-- 71_pause: pause and resume (S-8), the order of tasks (S-11), and another try for one that is held up (P-5). Each
-- *_task() is called with the task under the lane lock (task_hold) and says what it did.

create function orch.pause_task(t orch.task, p_reason text, p_actor text) returns text
language plpgsql as $$
begin
        if not orch.setting_bool('serial_gate_pause_enabled') then
                perform orch.refuse('OR002', 'pausing is switched off', 'Switch it on with: orchctl config set serial_gate_pause_enabled on');
        elsif t.terminal then
                perform orch.refuse('OR002', format('%s is %s: there is nothing to pause', orch.item_name(t), t.stage));
        elsif t.paused_at is not null then
                return format('%s is paused already, by %s', t.work_item, coalesce(t.paused_by, 'somebody'));
        end if;
        update orch.task set paused_at = clock_timestamp(), paused_by = p_actor where id = t.id;
        perform orch.record('pause', p_actor, t.id, null, null, jsonb_build_object('reason', p_reason));
        perform orch.merge_lease_yield(t, p_actor, 'paused');
        perform orch.wake(); -- it may have been what its successors waited for
        return format('%s is paused%s', t.work_item, case when exists (select from orch.job j where j.task_id = t.id and j.status = 'running')
                then '; what runs is left to end, and the next job waits' else '' end);
end
$$;
comment on function orch.pause_task(orch.task, text, text) is 'S-8: takes a task out of the active set; a running job is left to end';

create function orch.pause(p_work_item text, p_reason text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('pause', p_work_item, jsonb_build_object('note', p_reason));
end
$$;
comment on function orch.pause(text, text) is 'S-3, S-8: the task''s next job waits, and does not hold up those behind it; a dependency on it, and a freeze, still do';

create function orch.resume_task(t orch.task, p_actor text) returns text
language plpgsql as $$
begin
        if t.terminal then
                return format('nothing to resume: %s is %s', orch.item_name(t), t.stage);
        elsif t.paused_at is null then
                return format('%s is not paused', t.work_item);
        end if;
        update orch.task set paused_at = null, paused_by = null where id = t.id;
        perform orch.record('resume', p_actor, t.id);
        perform orch.wake();
        return format('%s goes on', t.work_item);
end
$$;
comment on function orch.resume_task(orch.task, text) is 'S-8: the reverse of a pause';

create function orch.resume(p_work_item text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('resume', p_work_item, '{}');
end
$$;
comment on function orch.resume(text) is 'S-8: the task is active again; a successor that is past analysis keeps going. Also with pausing switched off.';

create function orch.prioritise_task(t orch.task, p_priority smallint, p_actor text) returns text
language plpgsql as $$
begin
        if t.terminal then
                perform orch.refuse('OR002', format('%s is %s: it waits for nothing', orch.item_name(t), t.stage));
        elsif t.priority = p_priority then
                return format('%s has priority %s already', t.work_item, p_priority);
        end if;
        update orch.task set priority = p_priority where id = t.id;
        update orch.job set priority = p_priority where task_id = t.id and status = 'queued';
        update orch.local_item set priority = p_priority where project_id = t.project_id and id::text = t.tracker_id;
        perform orch.record('priority', p_actor, t.id, null, null, jsonb_build_object('from', t.priority, 'to', p_priority));
        perform orch.wake();
        return format('%s has priority %s, it was %s', t.work_item, p_priority, t.priority);
end
$$;
comment on function orch.prioritise_task(orch.task, smallint, text) is 'S-11: changes the priority of a task and of its queued job';

create function orch.priority_set(p_work_item text, p_priority integer) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if p_priority is null or p_priority not between 0 and 4 then
                perform orch.refuse('OR003', format('priority %s is out of range', coalesce(p_priority::text, '(none)')), 'Use 0 (most urgent) to 4 (least)');
        end if;
        return orch.operator_act('priority_set', p_work_item, jsonb_build_object('priority', p_priority));
end
$$;
comment on function orch.priority_set(text, integer) is 'S-11: 0 is most urgent, 4 least; among equals work in progress comes first';

create function orch.retry_escalated(t orch.task, p_note text, p_actor text) returns text
language plpgsql as $$
declare
        s orch.stage_step := orch.waiting_step(t);
        a orch.gate_answer;
        note text := coalesce(nullif(btrim(p_note), ''), 'tried again');
begin
        if s.gate is not null then
                a := orch.gate_result(t, s.gate);
        end if;
        perform orch.escalation_end(t.id, p_actor, 'retry');
        update orch.task set developer_rounds = case when a.result = 'fail' and s.on_fail is not null then 0 else developer_rounds end,
                merge_attempts = case when s.gate in ('merge_ready', 'merge_verified') then 0 else merge_attempts end
        where id = t.id returning * into t;
        if a.result = 'fail' and s.on_fail is not null then
                perform orch.rework(t, s.on_fail, p_actor, concat_ws(E'\n', a.reason, p_note));
        elsif orch.deploy_under_way(t) then -- a stage that begins anew would deploy anew
                update orch.job set status = 'queued', ended_at = null, max_attempts = attempts + orch.setting_int('job_max_attempts'), run_at = clock_timestamp()
                where task_id = t.id and stage_version = t.stage_version and status = 'failed';
                perform orch.wake();
        elsif s.gate is not null and not exists (select from orch.job j where j.task_id = t.id and j.active) then
                update orch.task set next_input = nullif(btrim(p_note), '') where id = t.id;
                perform orch.transition(t.id, t.stage, t.stage_version, t.stage, p_actor, note);
        end if;
        perform orch.advance(t.id, p_actor);
        select * into t from orch.task where id = t.id;
        return format('%s is tried again, in %s', t.work_item, t.stage);
end
$$;
comment on function orch.retry_escalated(orch.task, text, text) is
        'P-5: an escalated task goes on. Sent back too often: it gets its rounds of development anew. A job that failed for good: the stage begins anew, with new attempts, and with its human gate; but once a deploy was initiated only the job that failed does.';

create function orch.retry_task(t orch.task, p_note text, p_actor text) returns text
language plpgsql as $$
declare
        j orch.job;
begin
        if t.terminal then
                perform orch.refuse('OR002', format('%s is %s: there is nothing to try again', orch.item_name(t), t.stage),
                        'Begin anew with: orchctl item move ' || orch.item_name(t) || ' to_analyse');
        elsif t.cancel_requested_at is not null and not (t.escalated_at is not null and orch.stop_window(t) = 'critical') then -- C-6: else it would wait for ever
                perform orch.refuse('OR002', format('%s is being cancelled', t.work_item));
        elsif t.escalated_at is not null then
                perform orch.record('retry', p_actor, t.id, null, null, jsonb_build_object('escalation', t.escalation, 'comment', p_note));
                return orch.retry_escalated(t, p_note, p_actor);
        end if;
        update orch.job set due_at = case when due_at is not null then clock_timestamp() end,
                run_at = case when due_at is not null then run_at else clock_timestamp() end
        where task_id = t.id and status = 'queued' and run_at > clock_timestamp() returning * into j;
        if found then
                perform orch.record('retry', p_actor, t.id, j.id, j.epoch, jsonb_build_object('role', j.role, 'comment', p_note));
                perform orch.wake();
                if j.due_at is not null then
                        return format('the %s of %s waits for nothing but that its former owner''s agent has surely stopped', j.role, t.work_item);
                end if;
                return format('the %s of %s does not wait for its next attempt any more', j.role, t.work_item);
        end if;
        return format('%s is not held up by a failure', t.work_item);
end
$$;
comment on function orch.retry_task(orch.task, text, text) is 'P-5, S-6: ends what keeps a task from its next attempt: an escalation, or the wait after a failure; never the wait for a former owner''s agent (J-1)';

create function orch.retry(p_work_item text, p_comment text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.operator_act('retry', p_work_item, jsonb_build_object('note', p_comment));
end
$$;
comment on function orch.retry(text, text) is 'P-5: an escalated task is tried again, with the comment as input; a job that backs off is tried now';
