-- 44_merge: the merge lease and the tries of the merge gate (M-1, P-5, R-7). ADR 19.
--
-- A task has the lease of its repo from the claim of its first integrator (claim_leases_take) until it enters a stage that does
-- not keep it (transition): whoever merges in between would make its test worthless. It gives it up earlier when it is held up
-- (paused, escalated, stepped aside), unless its deploy has begun: then production runs what is not merged yet.

create function orch.deploy_begun(t orch.task) returns boolean
language sql stable
return t.stage = 'deploy' and exists (select from orch.deploy_record d
        where d.task_id = t.id and d.stage_version = t.stage_version and d.kind = 'deploy' and d.initiated_at is not null);
comment on function orch.deploy_begun(orch.task) is 'M-3: whether this visit of the deploy stage has begun to deploy: production may run what is not merged yet';

create function orch.merge_lease_give(t orch.task, p_actor text, p_reason text) returns boolean
language plpgsql as $$
begin
        delete from orch.merge_lease where task_id = t.id;
        if found then
                perform orch.record('lease', p_actor, t.id, null, null, jsonb_build_object('merge', 'given back', 'reason', p_reason));
                perform orch.wake();
        end if;
        return found;
end
$$;
comment on function orch.merge_lease_give(orch.task, text, text) is 'Gives the merge lease of a task back, if it has one';

create function orch.merge_lease_yield(t orch.task, p_actor text, p_reason text) returns boolean
language plpgsql as $$
begin
        if orch.deploy_begun(t) or exists (select from orch.job j where j.task_id = t.id and j.kind in ('integrate', 'deploy', 'merge')
                        and (j.status = 'running' or (j.status = 'queued' and j.due_at is not null and j.run_at > clock_timestamp())))
           or not orch.merge_lease_give(t, p_actor, p_reason) then
                return false;
        end if;
        -- a deploy that was to begin comes after the integrator again: its gate is void now
        update orch.job set status = 'cancelled', outcome = 'cancelled', reason = 'the merge lease was given up', ended_at = clock_timestamp()
        where task_id = t.id and status = 'queued' and kind = 'deploy';
        if found then
                perform orch.advance(t.id, p_actor);
        end if;
        return true;
end
$$;
comment on function orch.merge_lease_yield(orch.task, text, text) is
        'Lets others merge while a task is held up, unless it is at it, may begin to deploy at any moment, or has begun; when it goes on its branch is brought up to date again (gate merge_ready) before anything is deployed';

create function orch.merge_lease_take(j orch.job, p_actor text) returns boolean
language plpgsql as $$
begin
        if not orch.needs_merge_lease(j) then
                return true;
        end if;
        insert into orch.merge_lease (repo_id, task_id) values (j.repo_id, j.task_id) on conflict (repo_id) do nothing;
        if found then
                perform orch.record('lease', p_actor, j.task_id, j.id, j.epoch, jsonb_build_object('merge', 'taken'));
                return true;
        end if;
        return exists (select from orch.merge_lease m where m.repo_id = j.repo_id and m.task_id = j.task_id);
end
$$;
comment on function orch.merge_lease_take(orch.job, text) is 'M-1: whether the task of a job has what the job needs of merge leases; false: another task has the repo''s';

create function orch.merge_lease_sweep() returns integer
language plpgsql as $$
declare
        t orch.task;
        n integer := 0;
begin
        for t in select k.* from orch.merge_lease m join orch.task k on k.id = m.task_id join orch.stage s on s.key = k.stage
                 where not s.keeps_merge_lease for no key update of k skip locked
        loop
                n := n + orch.merge_lease_give(t, session_user, format('%s is %s', orch.item_name(t), t.stage))::integer;
        end loop;
        return n;
end
$$;
comment on function orch.merge_lease_sweep() is 'R-7: gives back merge leases that are provably stale: of tasks that are in no stage that keeps it. A worker that died is no reason: its task still stands where it stood.';

create function orch.base_moved(j orch.job, p_actor text, p_reason text) returns void
language plpgsql as $$
declare
        t orch.task;
        cap integer := greatest(1, orch.setting_int('max_merge_attempts'));
        aside boolean;
begin
        update orch.task set merge_attempts = merge_attempts + 1 where id = j.task_id returning * into t;
        if t.merge_attempts >= 2 * cap then
                perform orch.job_give_up(j, p_actor, 'base-moved', format('the default branch has moved %s times while it was tested: %s', t.merge_attempts, p_reason));
                return;
        end if;
        aside := t.merge_attempts % cap = 0;
        perform orch.job_requeue(j, p_actor, 'base-moved', p_reason, true,
                make_interval(secs => case when aside then orch.setting_int('merge_step_aside_s') else 0 end));
        if aside then
                perform orch.merge_lease_yield(t, p_actor, format('stepped aside: the default branch has moved %s times while it was tested', t.merge_attempts));
        end if;
end
$$;
comment on function orch.base_moved(orch.job, text, text) is
        'M-1, P-5: the default branch moved while a branch was tested. Again, at once; after max_merge_attempts the task steps aside for a while, keeping its priority; after twice as many it is escalated';

create function orch.merge_tested(t orch.task) returns orch.evidence
language sql stable
return (select e from orch.evidence e where e.task_id = t.id and e.gate = 'merge_ready' and e.value = 'ready' and e.code_tree = t.code_tree order by e.id desc limit 1);
comment on function orch.merge_tested(orch.task) is 'M-4: the newest test of the code of a task''s head on a base, by the integrator or the merger; null when there is none';

create function orch.is_tested(t orch.task) returns boolean
language sql stable
return exists (select from orch.evidence e where e.task_id = t.id and (e.gate, e.value) in (('tests_passed', 'PASS'), ('merge_ready', 'ready')) and e.code_tree = t.code_tree);
comment on function orch.is_tested(orch.task) is 'M-1: whether the code of the task''s head has passed its tests as it is; a head that a rebase has made has not';

create function orch.job_intent(p_job bigint, p_epoch bigint, p_token uuid, p_what text, p_head text, p_base text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task;
        j orch.job;
        r orch.run;
        last orch.evidence;
begin
        select * into t from orch.task where id = (select task_id from orch.job where id = p_job) for no key update;
        select * into j from orch.job where id = p_job and epoch = p_epoch and token = p_token and status = 'running' and stop_requested_at is null for share;
        if not found then
                return false;
        end if;
        last := orch.merge_tested(t);
        if p_what = 'merge' and last.base_sha is distinct from p_base and last.id is not null then
                select * into r from orch.run where job_id = j.id and epoch = j.epoch;
                insert into orch.evidence (task_id, gate, stage_version, run_id, value, sha, code_tree, source, patch_id, base_sha, detail)
                values (t.id, 'merge_ready', t.stage_version, r.id, 'ready', p_head, t.code_tree, 'run', t.patch_id, p_base, '{"reason": "merged with a base that has moved, it was tested again"}');
        elsif p_what in ('push', 'test') then
                update orch.run set head_sha = p_head, base_sha = coalesce(nullif(p_base, ''), base_sha) where job_id = j.id and epoch = j.epoch;
                update orch.task set pushing = pushing || p_head where id = t.id and p_what = 'push' and j.kind = 'integrate' and p_head <> all (pushing);
        end if;
        return true;
end
$$;
comment on function orch.job_intent(bigint, bigint, uuid, text, text, text) is
        'P-4, M-1, M-4: says what a claim is about to do, before it does it: push a head (a commit on the branch that says it is of this job is believed only when a run has announced it), test one, or merge on a base that was tested. False: fenced or asked to stop - stop, write nothing else.';

create function orch.merge_mismatch(t orch.task, p_reason text, p_actor text) returns void
language plpgsql as $$
declare
        r orch.repo;
begin
        select * into r from orch.repo where id = t.repo_id;
        perform orch.freeze_repo(r, t, format('the merge of %s does not match: %s', orch.item_name(t), p_reason), p_actor);
end
$$;
comment on function orch.merge_mismatch(orch.task, text, text) is 'M-4: what landed is not what was tested: no new work starts in the repo until a person has looked; the gate, which is inconclusive, alerts';

create function orch.merge_store(p_before orch.task, j orch.job, p_run bigint, p_report jsonb) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        if j.kind not in ('integrate', 'merge') then
                return;
        end if;
        select * into t from orch.task where id = j.task_id;
        if exists (select from orch.evidence e where e.run_id = p_run and e.gate = 'merge_verified' and e.value = 'mismatch') then
                perform orch.merge_mismatch(t, p_report ->> 'reason', format('process %s', j.process_id));
        elsif t.code_tree is distinct from p_before.code_tree then
                insert into orch.evidence (task_id, gate, stage_version, run_id, value, sha, code_tree, file, blob, source, patch_id, base_sha, detail)
                select e.task_id, e.gate, e.stage_version, e.run_id, e.value, t.head_sha, t.code_tree, e.file, e.blob, e.source, t.patch_id, e.base_sha,
                        e.detail || jsonb_build_object('kept', format('from evidence %s: the branch was rebased', e.id))
                from orch.stage_step mine
                join orch.stage_step s on s.stage = mine.stage and s.seq < mine.seq
                join orch.gate g on g.key = s.gate and g.bound_to = 'tree'
                join orch.evidence e on e.task_id = t.id and e.gate = g.key and orch.evidence_standing(p_before, g, e) = 'counts'
                where mine.stage = j.stage and mine.role = j.role;
        end if;
end
$$;
comment on function orch.merge_store(orch.task, orch.job, bigint, jsonb) is
        'M-1, M-4: what follows from what integrator and merger found. What was found in this stage about the code before a rebase (staging, the image) is kept for what the rebase has made of it: another line of the ledger says so, and the gate merge_ready whether that has been tested. A mismatch freezes the repo.';

create function orch.review_is_void(t orch.task) returns boolean
language plpgsql stable as $$
begin
        return (orch.gate_evidence(t, 'merge_ready')).result = 'pass' and (orch.gate_evidence(t, 'review_approved')).result <> 'pass';
end
$$;
comment on function orch.review_is_void(orch.task) is 'P-4: whether the branch is ready to be merged, but is not what was reviewed: a rebase has changed the change';

create function orch.review_again(t orch.task, p_actor text, p_reason text) returns void
language plpgsql as $$
begin
        update orch.task set next_input = p_reason where id = t.id;
        perform orch.transition(t.id, t.stage, t.stage_version, 'review', p_actor, p_reason);
end
$$;
comment on function orch.review_again(orch.task, text, text) is 'P-4: back to review, with the reason; no round of development is counted, since nobody has to write anything';
