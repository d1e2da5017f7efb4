-- 41_door: the one door for stages (P-12, T-6) and the level-triggered engine that walks the steps of a stage.

create function orch.transition(p_task bigint, p_expected_stage text, p_expected_version integer, p_to text, p_actor text,
        p_reason text default null, p_evidence bigint default null) returns boolean
language plpgsql as $$
declare
        t orch.task;
        s orch.stage;
begin
        update orch.task set
                stage = p_to,
                stage_version = stage_version + 1,
                stage_entered_at = clock_timestamp(),
                cancelled_at = case when p_to = 'cancelled' then clock_timestamp() end,
                cancel_requested_at = case when orch.is_terminal(p_to) then null else cancel_requested_at end
        where id = p_task and stage = p_expected_stage and stage_version = p_expected_version
        returning * into t;
        if not found then
                return false;
        end if;
        insert into orch.history (kind, actor, repo_id, task_id, from_stage, to_stage, stage_version, detail)
        values ('stage', p_actor, t.repo_id, t.id, p_expected_stage, p_to, t.stage_version,
                jsonb_strip_nulls(jsonb_build_object('reason', p_reason, 'evidence', p_evidence)));
        perform orch.human_wait_end(t.id, 'moved', p_actor);
        if p_to = 'deploy' then
                perform orch.deploy_await(t);
        end if;
        select * into s from orch.stage where key = p_to;
        perform orch.show_state(t, case when p_to = 'done' and orch.observe_begin(t) then 'monitoring' else s.shown end);
        if not s.keeps_merge_lease then
                perform orch.merge_lease_give(t, p_actor, format('%s is in %s', t.work_item, p_to));
        end if;
        perform orch.wake();
        return true;
end
$$;
comment on function orch.transition(bigint, text, integer, text, text, text, bigint) is
        'P-12: moves a task if it still is where the caller believes it to be; history, effects, and the end of its merge lease (M-1) in the same transaction. False: the race is lost and nothing has happened.';

create function orch.job_queue(t orch.task, p_role text) returns bigint
language plpgsql as $$
declare
        new_id bigint;
begin
        insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts, input, host)
        select t.id, t.repo_id, r.key, r.kind, r.entry, t.stage, t.stage_version, t.priority, orch.setting_int('job_max_attempts'), t.next_input,
                case r.kind when 'finalize' then (orch.deploy_of(t)).host end
        from orch.role r where r.key = p_role
        on conflict do nothing
        returning id into new_id;
        if not found and not exists (select from orch.job j where j.task_id = t.id and j.active) then
                -- the integrator is done anew in the same visit, because what it has found can be void without another stage; so is the releaser that waited for it
                update orch.job set status = 'queued', max_attempts = attempts + orch.setting_int('job_max_attempts'), run_at = clock_timestamp(),
                        outcome = null, reason = null, input = t.next_input, ended_at = null
                where task_id = t.id and stage_version = t.stage_version and role = p_role and (kind, status) in (('integrate', 'done'), ('deploy', 'cancelled')) returning id into new_id;
        end if;
        if new_id is not null then
                update orch.task set next_input = null where id = t.id and next_input is not null;
                perform orch.wake();
        end if;
        return new_id;
end
$$;
comment on function orch.job_queue(orch.task, text) is 'Queues the job of a role for the present stage version, once (R-5); the integrator''s again when its gate has opened again (gate merge_ready), and the releaser''s when it was cancelled for that';

create function orch.advance(p_task bigint, p_actor text) returns integer
language plpgsql as $$
declare
        t orch.task;
        look record; -- orch.gates_look()
        s orch.stage_step;
        a orch.gate_answer;
        moves integer := 0;
        stop text; -- orch.stop_window(), once it is stopped
begin
        loop
                select * into t from orch.task where id = p_task for no key update;
                exit when not found or t.terminal or (t.escalated_at is not null and t.cancel_requested_at is null)
                        or exists (select from orch.job j where j.task_id = t.id and j.active);
                stop := case when t.cancel_requested_at is not null then orch.stop_window(t) end;
                exit when stop = 'doubt';
                if stop = 'none' then -- before any gate is asked
                        perform orch.cancel_apply(t, p_actor);
                        return moves + 1;
                end if;
                look := orch.gates_look(t);
                s := look.step;
                a := look.answer;
                if stop = 'critical' and s.gate is not null and a.result = 'fail' then
                        perform orch.cancel_apply(t, p_actor); -- it has ended, and what follows would be another round
                        return moves + 1;
                elsif t.escalated_at is not null then
                        exit;
                elsif s.gate is null then
                        exit when not orch.transition(t.id, t.stage, t.stage_version, (select next from orch.stage where key = t.stage), p_actor, look.passed);
                elsif a.result = 'fail' and s.gate = 'merge_ready' and orch.review_is_void(t) then
                        perform orch.review_again(t, p_actor, a.reason);
                elsif a.result = 'fail' and s.on_fail is not null then
                        perform orch.send_back(t, s.on_fail, p_actor, s.gate, a.reason);
                elsif a.result = 'inconclusive' then
                        perform orch.human_wait_begin(t, s.gate, 'blocked');
                        perform orch.alert(t, format('inconclusive:%s:%s', s.gate, t.stage_version), format('a person decides, because %s', a.reason));
                        exit;
                elsif orch.label_pass(t, s.gate) then
                        continue;
                else
                        if orch.ci_by_forge(t, s) then
                                perform orch.ci_await(t, p_actor);
                        elsif s.role is not null and not orch.question_ask(t, s) then
                                perform orch.job_queue(t, s.role);
                        elsif s.shown is not null then
                                perform orch.human_wait_begin(t, s.gate, s.shown);
                        end if;
                        exit;
                end if;
                moves := moves + 1;
        end loop;
        return moves;
end
$$;
comment on function orch.advance(bigint, text) is
        'The engine: looks at the present stage''s gates and does what follows - queues the missing job, sends back, moves on, asks a person, or applies a deferred cancellation. Level-triggered and idempotent: anybody may call it at any time. Returns how often the task moved.';

create function orch.stop_window(t orch.task) returns text
language plpgsql stable as $$
begin
        return case when orch.in_critical_window(t) then 'critical' else 'none' end;
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        return 'doubt';
end
$$;
comment on function orch.stop_window(orch.task) is
        'C-5: what a cancellation finds: none: it is applied at once; critical: an irreversible step is under way, it is deferred; doubt: nobody can tell, which counts as critical, and nothing new is begun either';

create function orch.ends_window(p_kind text) returns boolean
language sql immutable
return p_kind in ('deploy', 'finalize', 'merge');
comment on function orch.ends_window(text) is 'C-6: kinds of jobs that end an irreversible step: a deferred cancellation leaves them queued, or it would wait for ever';

create function orch.branch_delete(t orch.task) returns void
language plpgsql as $$
declare
        object text := 'branch:' || t.repo_id || ':' || t.branch;
        payload jsonb := jsonb_build_object('branch', t.branch, 'expected', t.head_sha);
begin
        if t.branch is null then
                return;
        end if;
        -- also before the first push was recorded: its answer may have been lost
        perform orch.effect_add(t.id, 'forge', 'delete_branch', object, 'delete_branch:' || t.id, payload);
        -- git may outlive the worker that started it, and the forge may outlive git
        if exists (select from orch.history h where h.task_id = t.id and h.kind in ('orphan', 'reap') and h.at > clock_timestamp() - make_interval(secs => orch.setting_int('late_push_s'))) then
                perform orch.effect_add(t.id, 'forge', 'delete_branch', object, 'delete_branch_late:' || t.id, payload);
                update orch.effect set run_at = clock_timestamp() + make_interval(secs => orch.setting_int('late_push_s')) where idempotency_key = 'delete_branch_late:' || t.id;
        end if;
end
$$;
comment on function orch.branch_delete(orch.task) is
        'C-3, C-4: has the branch of a task deleted; a forge that is down is asked again. When a worker of the task has died of late the forge is looked at once more after late_push_s: the push of a dead worker may arrive late';

create function orch.cancel_apply(t orch.task, p_actor text) returns void
language plpgsql as $$
begin
        update orch.job set status = 'cancelled', outcome = 'cancelled', ended_at = clock_timestamp()
        where task_id = t.id and status = 'queued';
        delete from orch.transition_lease where task_id = t.id;
        delete from orch.deploy_record where task_id = t.id and initiated_at is null;
        perform orch.branch_delete(t);
        if not orch.transition(t.id, t.stage, t.stage_version, 'cancelled', p_actor, 'cancelled by ' || coalesce(t.cancel_requested_by, p_actor)) then
                raise exception 'task % moved while it was locked', t.id;
        end if;
        perform orch.escalation_end(t.id, p_actor, 'cancel');
        update orch.task set tracker_id = tracker_id || '#cancelled-' || id, work_item = work_item || '#cancelled-' || id where id = t.id;
        perform orch.record('cancel', p_actor, t.id, null, null, jsonb_build_object('applied', true, 'from', t.stage));
end
$$;
comment on function orch.cancel_apply(orch.task, text) is
        'C-3: the full reset of a task with no running job: jobs, leases, deploy state, branch, then the stage and the tombstones, in one transaction';
