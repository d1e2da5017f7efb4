-- 52_finish: what a run reports, and what follows from it, in one transaction.

create function orch.evidence_store(j orch.job, p_run bigint, p_report jsonb) returns void
language plpgsql as $$
begin
        if p_report ? 'evidence' then
                insert into orch.evidence (task_id, gate, stage_version, run_id, value, sha, code_tree, file, blob, source, patch_id, base_sha, detail)
                select j.task_id, e.gate, j.stage_version, p_run, e.value, coalesce(e.sha, p_report ->> 'head_sha', t.head_sha),
                        coalesce(p_report ->> 'code_tree', t.code_tree), e.file, e.blob, coalesce(e.source, 'run'), t.patch_id, coalesce(p_report ->> 'base_sha', p_report ->> 'patch_base'),
                        coalesce(e.detail::jsonb, '{}') || case when j.kind in ('integrate', 'merge') then jsonb_build_object('reason', p_report ->> 'reason') else '{}' end -- an object, or the text of one
                from jsonb_to_recordset(p_report -> 'evidence')
                        as e (gate text, value text, sha text, file text, blob text, source text, detail text)
                join orch.stage_step s on s.gate = e.gate and s.stage = j.stage and s.role = j.role
                join orch.task t on t.id = j.task_id;
        end if;
        if p_report -> 'check' ->> 'state' is not null then
                insert into orch.evidence (task_id, gate, stage_version, run_id, value, sha, code_tree, source, patch_id, detail)
                select j.task_id, s.gate, j.stage_version, p_run, p_report -> 'check' ->> 'state', t.head_sha, t.code_tree, 'command', t.patch_id,
                        jsonb_build_object('reason', p_report ->> 'reason')
                from orch.task t join orch.stage_step s on s.stage = j.stage and s.role = j.role where t.id = j.task_id and j.kind = 'check';
        end if;
        if p_report -> 'ci' ->> 'state' is not null then
                insert into orch.commit_status (repo_id, sha, context, state, description, run_id)
                select t.repo_id, t.head_sha, 'orchestrator/ci', p_report -> 'ci' ->> 'state', coalesce(p_report ->> 'reason', ''), p_run
                from orch.task t where t.id = j.task_id;
        end if;
end
$$;
comment on function orch.evidence_store(orch.job, bigint, jsonb) is 'P-4: stores what a run found; a role speaks only to the gates of its own step';

create function orch.job_fail_attempt(j orch.job, p_actor text, p_outcome text, p_reason text) returns void
language plpgsql as $$
declare
        refusal text;
begin
        if p_outcome = 'transient' then
                update orch.job set transients = transients + 1 where id = j.id returning * into j;
                if j.transients <= orch.setting_int('job_max_transient') then
                        perform orch.job_requeue(j, p_actor, p_outcome, p_reason, true, orch.backoff(j.transients, orch.setting_int('job_backoff_s')));
                        return;
                end if;
        else
                refusal := orch.attempt_failed(j, p_outcome, p_reason);
                if refusal is null and j.attempts < j.max_attempts then
                        perform orch.job_requeue(j, p_actor, p_outcome, p_reason, false, orch.backoff(j.attempts, orch.setting_int('job_backoff_s')));
                        return;
                end if;
        end if;
        perform orch.job_give_up(j, p_actor, p_outcome, coalesce(refusal, p_reason));
end
$$;
comment on function orch.job_fail_attempt(orch.job, text, text, text) is 'J-4: another attempt while there are any, and the cause is not always the same (P-5); a transient failure burns none up to its own bound';

create function orch.head_store(j orch.job, p_run bigint, p_outcome text, p_report jsonb) returns void
language plpgsql as $$
declare
        before orch.task;
begin
        if p_outcome <> 'success' and j.kind <> 'integrate' then
                return; -- what a failed run has left is kept in the mirror, and moves nothing; a rebased head is pushed whatever comes of it
        end if;
        select * into before from orch.task where id = j.task_id;
        if p_report ->> 'head_sha' <> coalesce(before.head_sha, '') or p_report ->> 'code_tree' <> coalesce(before.code_tree, '') or before.pushing <> '{}' then
                update orch.task set head_sha = coalesce(p_report ->> 'head_sha', head_sha), code_tree = coalesce(p_report ->> 'code_tree', code_tree),
                        patch_id = case when p_report ? 'code_tree' then p_report ->> 'patch_id' else patch_id end,
                        pushing = case when p_report ? 'head_sha' then '{}' else pushing end
                where id = j.task_id;
        end if;
        perform orch.pull_ensure(before, j.task_id);
        if p_outcome = 'success' then
                perform orch.evidence_store(j, p_run, p_report);
                if p_report ? 'deploy' then
                        perform orch.deploy_ended(j, format('process %s', j.process_id), p_report);
                end if;
                perform orch.question_store(j, p_run, p_report);
        end if;
        perform orch.merge_store(before, j, p_run, p_report);
end
$$;
comment on function orch.head_store(orch.job, bigint, text, jsonb) is 'P-4, P-7: with the task locked, notes where the branch is now, and what the run found about it';

create function orch.job_finish(p_job bigint, p_epoch bigint, p_token uuid, p_outcome text, p_report jsonb) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j orch.job;
        r orch.run;
        actor text;
        away boolean;
begin
        perform from orch.task t where t.id = (select k.task_id from orch.job k where k.id = p_job) for no key update;
        select * into r from orch.run where job_id = p_job and epoch = p_epoch and token = p_token;
        select * into j from orch.job where id = p_job for no key update;
        if r.ended_at is not null and r.outcome not in ('lost', 'released') then
                return 'recorded';
        elsif r.id is null or j.epoch <> p_epoch or j.token is distinct from p_token or j.status <> 'running' then
                perform orch.job_confirm_gone(p_job, p_epoch, p_token);
                return 'fenced';
        end if;
        actor := format('process %s', j.process_id);
        update orch.run set ended_at = clock_timestamp(), outcome = p_outcome, reason = p_report ->> 'reason',
                exit_code = (p_report ->> 'exit_code')::integer, signal = (p_report ->> 'signal')::integer,
                head_sha = coalesce(p_report ->> 'head_sha', head_sha), -- what was announced may be on the branch, whatever the report says
                code_tree = p_report ->> 'code_tree', log_excerpt = p_report ->> 'log_excerpt',
                refused = array(select jsonb_array_elements_text(coalesce(p_report -> 'refused', '[]')))
        where id = r.id;
        perform orch.record('outcome', actor, j.task_id, j.id, j.epoch, jsonb_build_object('role', j.role, 'outcome', p_outcome,
                'reason', p_report ->> 'reason', 'head_sha', p_report ->> 'head_sha', 'refused', nullif(p_report -> 'refused', '[]')));
        perform orch.run_note(r.id, p_report);
        perform orch.claim_leases_give(j);
        perform orch.circuit_note(j, p_outcome, p_report);
        away := orch.forge_says(j, p_report -> 'forge' ->> 'outcome', p_report ->> 'reason', (p_report -> 'forge' ->> 'retry_after_s')::integer);
        perform orch.head_store(j, r.id, p_outcome, p_report);
        if p_outcome = 'base-moved' then
                perform orch.base_moved(j, actor, p_report ->> 'reason');
                return 'recorded';
        elsif p_outcome = 'transient' and away then
                perform orch.job_requeue(j, actor, p_outcome, p_report ->> 'reason', true, coalesce(orch.said_wait(p_report -> 'forge' ->> 'outcome', null), interval '0'));
                return 'recorded';
        elsif p_outcome not in ('success', 'cancelled') and (p_report ->> 'final')::boolean then
                perform orch.job_give_up(j, actor, p_outcome, coalesce(p_report ->> 'reason', p_outcome));
                return 'recorded';
        elsif p_outcome not in ('success', 'cancelled') then
                perform orch.job_fail_attempt(j, actor, p_outcome, coalesce(p_report ->> 'reason', p_outcome));
                return 'recorded';
        end if;
        update orch.job set status = case p_outcome when 'success' then 'done' else 'cancelled' end, outcome = p_outcome,
                reason = p_report ->> 'reason', process_id = null, token = null, claimed_at = null, orphaned_at = null,
                ended_at = clock_timestamp() where id = j.id;
        perform orch.advance(j.task_id, actor);
        return 'recorded';
end
$$;
comment on function orch.job_finish(bigint, bigint, uuid, text, jsonb) is
        'T-5, T-6: records the outcome of a run and does all that follows - evidence, retry or failure, the next step or stage. The same call again answers "recorded"; a claim that was taken back answers "fenced" and changes nothing, but that nobody waits for its agent any more.';

create function orch.job_release(p_job bigint, p_epoch bigint, p_token uuid, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        owner bigint;
begin
        select process_id into owner from orch.job where id = p_job and epoch = p_epoch and token = p_token and status = 'running';
        if found and orch.job_take_back(p_job, p_token, format('process %s', owner), 'released', p_reason) then
                return true;
        end if;
        perform orch.job_confirm_gone(p_job, p_epoch, p_token);
        return false;
end
$$;
comment on function orch.job_release(bigint, bigint, uuid, text) is
        'Gives a job back unfinished, attempt refunded: a drain, or a start that did not come about. False: fenced; then it only says that nothing acts under the old claim any more.';
