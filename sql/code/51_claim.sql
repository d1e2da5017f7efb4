-- 51_claim: how a worker gets a job, in one round trip. By priority; of one priority flow jobs (of tasks under way) before
-- entry jobs, which are fair between repos (S-11).
--
-- Lock first, then look in a second statement: a snapshot is older than its lock. An entry claim locks the repo row
-- first, so that it is ordered with intake, freeze, pause and cancel; a flow claim locks the job, then asks the axes.
-- Locks are taken in the order lane, job, slots, leases; lanes and jobs are skipped when somebody has them, never awaited.

create function orch.branch_is_to_go(p_repo bigint, p_branch text) returns boolean
language plpgsql stable as $$
declare
        object text := format('branch:%s:%s', p_repo, p_branch);
begin
        -- twice, as there is an index for each: whoever says "not done" asks all effects that there ever were
        return exists (select from orch.effect f where f.object_key = object and f.status in ('pending', 'running'))
            or exists (select from orch.effect f where f.object_key = object and f.status = 'dead');
end
$$;
comment on function orch.branch_is_to_go(bigint, text) is 'P-8: whether a branch of that name will be deleted yet, or its deletion was given up';

create function orch.job_start(p_job bigint, p_process bigint) returns orch.job
language plpgsql as $$
declare
        j orch.job;
        t orch.task;
        name text;
begin
        update orch.job set status = 'running', attempts = attempts + 1, epoch = epoch + 1, token = gen_random_uuid(),
                process_id = p_process, claimed_at = clock_timestamp(), stop_requested_at = null
        where id = p_job returning * into j;
        insert into orch.run (job_id, epoch, token, attempt, process_id, reserved_usd, started_at)
                values (j.id, j.epoch, j.token, j.attempts, p_process, case when j.kind = 'agent' then orch.cost_estimate(j.role, j.repo_id) end, j.claimed_at); -- now() is when the claim began to wait for its locks
        select * into t from orch.task k where k.id = j.task_id;
        if t.branch is null then
                name := 'feature/' || t.work_item || coalesce('-' || nullif(trim(both '-' from left(regexp_replace(lower(t.title), '[^a-z0-9]+', '-', 'g'), 40)), ''), '');
                update orch.task set branch = name || case when orch.branch_is_to_go(t.repo_id, name) then '-' || t.id else '' end where id = t.id;
        end if;
        perform orch.record('claim', format('process %s', p_process), j.task_id, j.id, j.epoch,
                jsonb_build_object('role', j.role, 'attempt', j.attempts), j.repo_id);
        return j;
end
$$;
comment on function orch.job_start(bigint, bigint) is 'J-1: makes a locked, claimable job a running one: attempt, epoch, token, owner, time, run row; names the branch (P-8), apart from one whose deletion is still to come, or was given up';

create function orch.claim_leases_take(j orch.job, p_process bigint) returns boolean
language plpgsql as $$
begin
        if orch.needs_transition_lease(j, (select r.name from orch.repo r where r.id = j.repo_id)) then
                delete from orch.transition_lease l where l.task_id = j.task_id and not orch.has_living_owner(l);
                insert into orch.transition_lease (task_id, process_id, epoch, token, purpose)
                values (j.task_id, p_process, j.epoch + 1, gen_random_uuid(), j.role) on conflict (task_id) do nothing;
                if not found then
                        return false;
                end if;
        end if;
        if not orch.merge_lease_take(j, format('process %s', p_process)) then
                delete from orch.transition_lease where task_id = j.task_id;
                return false;
        end if;
        return true;
end
$$;
comment on function orch.claim_leases_take(orch.job, bigint) is
        'T-1, M-1: what a job must own besides its claim: the task''s transition lease if it has side effects, the repo''s merge lease if it rebases or merges. False: another owner has one, as orch.axis_lease says to people.';

create function orch.claim_leases_give(j orch.job) returns void
language plpgsql as $$
begin
        delete from orch.transition_lease where task_id = j.task_id and epoch = j.epoch;
end
$$;
comment on function orch.claim_leases_give(orch.job) is
        'Gives back the transition lease that claim_leases_take() took for this claim. The merge lease is its task''s, not the claim''s: 44_merge says when that is given back';

create function orch.claim_take(p_job bigint, w orch.worker) returns orch.job
language plpgsql as $$
declare
        j orch.job;
begin
        select k.* into j from orch.job k where k.id = p_job;
        if j.host <> w.host or exists (select from orch.task t join orch.project p on p.id = t.project_id where t.id = j.task_id and not p.requires <@ w.labels)
           or not orch.slots_take(j, w) then
                return null;
        elsif orch.forge_admit(j) then
                if orch.circuit_enter(j) and orch.claim_leases_take(j, w.process_id) then
                        return orch.job_start(j.id, w.process_id);
                end if;
                perform orch.forge_unasked(j);
        end if;
        perform orch.slots_give(j);
        return null;
end
$$;
comment on function orch.claim_take(bigint, orch.worker) is 'Starts a locked job that no axis blocks, with all that it needs on this worker; null when that cannot be had';

create function orch.flow_after(p_roles text[], p_priority smallint, p_priority_before smallint, p_id_before bigint, p_limit integer,
        out ids bigint[], out priority smallint)
language plpgsql
-- statistics may be old: then the whole backlog, sorted, must not seem as cheap as the index that has the order
set enable_sort = off set enable_incremental_sort = off as $$
begin
        select array_agg(c.id order by c.priority, c.id), max(c.priority) into ids, priority
        from (select k.id, k.priority from orch.job k
              where k.status = 'queued' and not k.entry and k.priority <= p_priority and k.role = any (p_roles) and k.run_at <= clock_timestamp()
                and (k.priority, k.id) > (p_priority_before, p_id_before)
              order by k.priority, k.id limit p_limit for no key update skip locked) c;
end
$$;
comment on function orch.flow_after(text[], smallint, smallint, bigint, integer) is
        'Locks the next jobs of tasks under way after a place in the order, whose time has come and that nobody else has, and says which priority the last of them has; nulls when there is none';

create function orch.claim_flow(w orch.worker, p_roles text[], p_priority smallint, p_limit integer) returns bigint[]
language plpgsql as $$
declare
        batch record; -- of flow_after()
        priority_before smallint := -1;
        id_before bigint := 0;
        i bigint;
        blocked bigint[];
        claimed bigint[] := '{}';
begin
        while cardinality(claimed) < p_limit loop
                batch := orch.flow_after(p_roles, p_priority, priority_before, id_before, p_limit - cardinality(claimed));
                exit when batch.ids is null;
                priority_before := batch.priority;
                id_before := batch.ids[cardinality(batch.ids)];
                blocked := array(select b.job_id from unnest(orch.job_blocks(batch.ids)) b);
                foreach i in array batch.ids loop
                        if i <> all (blocked) and (orch.claim_take(i, w)).id is not null then
                                claimed := claimed || i;
                        elsif claimed <> '{}' then
                                return claimed; -- the caller asks again with what limits have left of the roles
                        end if;
                end loop;
        end loop;
        return claimed;
end
$$;
comment on function orch.claim_flow(orch.worker, text[], smallint, integer) is
        'Claims the first claimable jobs of that priority, or more urgent ones, of tasks under way (S-9, S-11); none only when there is none. They are asked about together, so no axis has seen those that it starts: of what there is one at a time claim_take() takes a row for each';

create function orch.claim_entry(w orch.worker, p_roles text[], p_lane bigint) returns bigint[]
language plpgsql as $$
declare
        r orch.repo;
        v orch.lane_view;
        j orch.job;
        own smallint;
        flow bigint[];
begin
        select * into r from orch.repo where id = p_lane and entry_rank is not null for no key update skip locked;
        if not found then
                return '{}';
        end if;
        v := orch.lane_look(r);
        if v.job is null or v.rank > r.entry_rank then
                perform orch.lane_note(r, v, false); -- not as urgent as was thought: another lane may come first
                return '{}';
        end if;
        -- its age takes it past other new work, not past work in progress of its own priority
        select k.priority into own from orch.job k where k.id = v.job;
        if own > v.rank then
                flow := orch.claim_flow(w, p_roles, own, 1);
                if flow <> '{}' then
                        return flow;
                end if;
        end if;
        perform from orch.job k where k.id = v.job and k.status = 'queued' and k.role = any (p_roles) for no key update skip locked;
        if found then
                j := orch.claim_take(v.job, w);
        end if;
        if j.id is not null then -- gated: now its own task is the active one
                perform orch.lane_note(r, case when v.gated then orch.lane_doubt(null) else orch.lane_look(r) end, true);
                return array[j.id];
        end if;
        return '{}';
end
$$;
comment on function orch.claim_entry(orch.worker, text[], bigint) is
        'Claims the next entry job of a lane under the lane lock, or a job in progress that its age alone would take it past; none when somebody else has the lock, this worker cannot run it, or the look finds no job of the rank that was noted: then the better note is there';

create function orch.claim_roles(w orch.worker) returns text[]
language plpgsql as $$
begin
        if w.full or exists (select from orch.capacity_use u where u.scope = 'global' and u.full) then
                return '{}';
        end if;
        return array(select o.key from orch.role o
                     where orch.worker_miss(w, o, o.requires) is null
                       and not exists (select from orch.capacity_use u where u.scope = 'role' and u.name = o.key and u.full)
                       and not exists (select from orch.circuit_block c where c.provider = o.provider));
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        perform orch.axis_fault_note('capacity', sqlerrm);
        return array(select o.key from orch.role o where orch.worker_miss(w, o, o.requires) is null);
end
$$;
comment on function orch.claim_roles(orch.worker) is 'S-7: the roles whose jobs this worker may take now, by the views of the capacity axis: of the others no job has to be asked about';

create function orch.claim_next(w orch.worker, p_roles text[], p_limit integer) returns bigint[]
language plpgsql as $$
declare
        claimed bigint[] := '{}';
        lane record;
        lets_in boolean := exists (select from orch.role o where o.entry and o.key = any (p_roles));
        tried bigint[] := '{}';
        looks integer := 0;
        asked smallint := -1;
begin
        loop
                select r.id, r.entry_rank into lane from orch.repo r
                where lets_in and r.entry_rank is not null and r.id <> all (tried)
                order by r.entry_rank, r.last_started_at nulls first, r.id limit 1;
                if coalesce(lane.entry_rank, 4) > asked then
                        asked := coalesce(lane.entry_rank, 4);
                        claimed := orch.claim_flow(w, p_roles, asked, p_limit);
                end if;
                if claimed <> '{}' or lane.id is null then
                        return claimed;
                end if;
                claimed := orch.claim_entry(w, p_roles, lane.id);
                if claimed <> '{}' then
                        return claimed;
                elsif not exists (select from orch.repo r where r.id = lane.id and (r.entry_rank is null or r.entry_rank > lane.entry_rank)) then
                        tried := tried || lane.id; -- nothing was noted: somebody else has it, or this worker cannot run it
                end if;
                looks := looks + 1;
                if looks >= 64 then
                        perform orch.wake(); -- a change has made many lanes hope: their locks are let go before the others are looked at
                        return '{}';
                end if;
        end loop;
end
$$;
comment on function orch.claim_next(orch.worker, text[], integer) is 'S-11: claims what comes next, one job at least if there is one, and of jobs of tasks under way several: the most urgent; of equals one of a task under way; then of the repo whose last start is longest ago; then the oldest';

create view orch.running_job as
select j.id as job_id, j.epoch, j.token, t.id as task_id, t.work_item, t.title, t.description, j.role, j.kind, j.stage, j.stage_version,
       j.attempts as attempt, j.max_attempts, nullif(concat_ws(E'\n\n', left(j.input, 16000), case when j.attempts > 1 then left(j.reason, 4000) end), '') as input,
       orch.failed_log(j) as failed_log, orch.failure_digest(j) as earlier,
       t.branch, t.head_sha, t.code_tree, r.name as repo, p.forge, orch.git_url(p, e) as forge_location, p.default_branch,
       p.docs_root || '/' || t.work_item as docs_dir, p.test_command, coalesce(c.command, l.command) as command, array_to_string(p.test_globs, E'\n') as test_globs,
       array_to_string(p.gate_config_globs, E'\n') as gate_config_globs,
       (select string_agg(a.head_sha, ' ') from orch.run a where a.job_id = j.id) as announced, j.crashes > 0 as crashed, n.base_sha, j.process_id,
       n.session_id, n.resumes, case when j.epoch > 1 and j.kind = 'agent' then orch.former_sessions(j.id, j.epoch, (select p.host_id from orch.process p where p.id = j.process_id)) end
               as former_sessions,
       j.orphaned_at, floor(extract(epoch from clock_timestamp() - j.claimed_at))::integer as claimed_s,
       l.pushing, l.run_head, l.tested_base, l.tested, l.deployed_sha, l.integrity_markers, l.integrity, l.rebase_always,
       e.url as forge_url, e.token_file as forge_token_file, p.forge_name
from orch.job j
join orch.run n on n.job_id = j.id and n.epoch = j.epoch
join orch.task t on t.id = j.task_id
join orch.project p on p.id = t.project_id
join orch.repo r on r.id = t.repo_id
left join orch.endpoint e on e.id = p.forge_endpoint
left join orch.stage_step s on s.stage = j.stage and s.role = j.role
left join orch.project_command c on c.project_id = p.id and c.kind = s.command
left join lateral (
        select coalesce((select k.command from orch.project_command k where k.project_id = p.id and k.kind = 'retest'), p.test_command) as command,
               t.pushing::text as pushing, n.head_sha as run_head, (orch.merge_tested(t)).base_sha as tested_base, orch.is_tested(t) as tested,
               (select d.sha from orch.deploy_record d where d.task_id = t.id and d.stage_version = t.stage_version and d.kind = 'deploy' and d.initiated_at is not null) as deployed_sha,
               array_to_string(p.integrity_markers, E'\n') as integrity_markers,
               (select k.command from orch.project_command k where k.project_id = p.id and k.kind = 'integrity') as integrity, orch.setting_bool('premerge_rebase_always') as rebase_always
        where j.kind in ('integrate', 'merge') offset 0) l on true -- offset: asked of these kinds only
where j.status = 'running';
comment on view orch.running_job is 'Every running job with all that a run of it needs to know';
comment on column orch.running_job.job_id is 'Job';
comment on column orch.running_job.epoch is 'Epoch of the claim';
comment on column orch.running_job.token is 'Token of the claim';
comment on column orch.running_job.task_id is 'Task';
comment on column orch.running_job.work_item is 'Work item';
comment on column orch.running_job.title is 'Title';
comment on column orch.running_job.description is 'Text';
comment on column orch.running_job.role is 'Role';
comment on column orch.running_job.kind is 'Kind of its role';
comment on column orch.running_job.stage is 'Stage';
comment on column orch.running_job.stage_version is 'Stage version';
comment on column orch.running_job.attempt is 'Number of the attempt';
comment on column orch.running_job.max_attempts is 'How many there are';
comment on column orch.running_job.input is 'What the run is told';
comment on column orch.running_job.failed_log is 'The last part of the log of what failed, if that is why it runs';
comment on column orch.running_job.earlier is 'The last failures of the task, for an agent';
comment on column orch.running_job.branch is 'Branch of the task';
comment on column orch.running_job.head_sha is 'Its head as we last pushed it';
comment on column orch.running_job.code_tree is 'Code of that head';
comment on column orch.running_job.repo is 'Repo';
comment on column orch.running_job.forge is 'Adapter of the forge';
comment on column orch.running_job.forge_location is 'What git fetches from and pushes to';
comment on column orch.running_job.forge_url is 'Server of the forge; null for the local one';
comment on column orch.running_job.forge_token_file is 'Where the host has the token for it';
comment on column orch.running_job.forge_name is 'OWNER/NAME of the repository there';
comment on column orch.running_job.default_branch is 'Default branch';
comment on column orch.running_job.docs_dir is 'Docs folder of the task';
comment on column orch.running_job.test_command is 'Test command of the project';
comment on column orch.running_job.command is 'M-6: the project''s command that the step is there for; of the integrator and the merger the one that tests (retest, or the test command)';
comment on column orch.running_job.test_globs is 'Which files are tests, one pattern per line';
comment on column orch.running_job.gate_config_globs is 'Which files decide what a gate demands, one pattern per line';
comment on column orch.running_job.announced is 'P-4: commits that runs of the job were about to push, separated by blanks';
comment on column orch.running_job.pushing is 'integrator: heads that it was about to push, and whose push is not recorded';
comment on column orch.running_job.run_head is 'integrator: what a run that was begun before is testing';
comment on column orch.running_job.tested_base is 'merger: what the head was tested on';
comment on column orch.running_job.tested is 'integrator: whether the code of the head has passed its tests';
comment on column orch.running_job.deployed_sha is 'merger: commit that was deployed in this visit of the stage';
comment on column orch.running_job.integrity_markers is 'merger: PATH:NEEDLE lines that must hold in the default branch';
comment on column orch.running_job.integrity is 'merger: the command that looks at what was merged; null: the project has none';
comment on column orch.running_job.rebase_always is 'integrator: the setting premerge_rebase_always';
comment on column orch.running_job.crashed is 'Whether an earlier claim was lost';
comment on column orch.running_job.base_sha is 'Commit the default branch was at when the run began';
comment on column orch.running_job.process_id is 'Owner';
comment on column orch.running_job.session_id is 'Session of its agent';
comment on column orch.running_job.resumes is 'Session that it goes on from';
comment on column orch.running_job.former_sessions is 'Sessions of earlier runs on the host, newest first: EPOCH:SESSION';
comment on column orch.running_job.orphaned_at is 'Since when the owner is gone';
comment on column orch.running_job.claimed_s is 'Seconds since the claim';

create function orch.job_claim(p_process bigint, p_epoch bigint, p_limit integer default 1) returns setof orch.running_job
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
        w orch.worker;
        roles text[];
        limits boolean;
        together integer := p_limit;
        found_new integer := 0;
        next bigint[];
        claimed bigint[] := '{}';
begin
        lock table orch.capacity_limit in row exclusive mode; -- a limit is being set: it counts what runs, so nothing starts meanwhile
        if orch.budget_applies() then
                perform pg_advisory_xact_lock(hashtext('orch.budget')); -- what the claim before has reserved is seen by this one
                together := 1; -- and what each job reserves by the next
        end if;
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        select * into w from orch.worker k where k.process_id = p_process;
        roles := orch.claim_roles(w);
        if w.process_id is null or roles = '{}' then
                return; -- leaves, or can run nothing now
        end if;
        if exists (select from orch.role o where o.entry and o.key = any (roles)) then
                found_new := orch.lanes_refresh(16);
        end if;
        limits := exists (select from orch.capacity_limit);
        while cardinality(claimed) < p_limit loop
                next := orch.claim_next(w, roles, least(p_limit - cardinality(claimed), together));
                exit when next = '{}';
                claimed := claimed || next;
                if limits and cardinality(claimed) < p_limit then
                        select * into w from orch.worker k where k.process_id = p_process; -- a limit may be reached: nobody asks its jobs in vain
                        roles := orch.claim_roles(w);
                end if;
        end loop;
        if found_new > cardinality(claimed) then
                perform orch.wake(); -- others saw nothing, as long as this was not committed
        end if;
        return query select r.* from unnest(claimed) with ordinality c (id, n)
                cross join lateral (select * from orch.running_job k where k.job_id = c.id offset 0) r order by c.n;
end
$$;
comment on function orch.job_claim(bigint, bigint, integer) is
        'J-1: claims the next jobs for a live process, as many as it has free slots, and says all that a run of each needs; no row when nothing is claimable. Plans are made once: the statements name their states as constants.';

create function orch.job_pushing(p_job bigint, p_epoch bigint, p_token uuid, p_head text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        return orch.job_intent(p_job, p_epoch, p_token, 'push', p_head, '');
end
$$;
comment on function orch.job_pushing(bigint, bigint, uuid, text) is 'job_intent() as workers of the release before call it for what an agent has made; to be taken away in the next';

create function orch.job_started(p_job bigint, p_epoch bigint, p_token uuid, p_pid integer, p_log text, p_base_sha text, p_takeover_ms integer default null,
        p_session uuid default null, p_resumes uuid default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        task bigint;
begin
        update orch.run r set pid = coalesce(p_pid, r.pid), log = coalesce(p_log, r.log), base_sha = coalesce(p_base_sha, r.base_sha),
                takeover_ms = greatest(r.takeover_ms, p_takeover_ms), session_id = coalesce(p_session, r.session_id), resumes = coalesce(p_resumes, r.resumes)
        where r.job_id = p_job and r.epoch = p_epoch and r.token = p_token and r.ended_at is null
          and exists (select from orch.job j where j.id = p_job and j.epoch = p_epoch and j.token = p_token and j.status = 'running'
                      and j.stop_requested_at is null);
        if not found then
                return false;
        elsif p_base_sha is not null then -- it was fetched just now: the forge answers
                select j.task_id into task from orch.job j where j.id = p_job;
                perform orch.endpoint_note((orch.forge_of(task)).id, 'ok', null, null);
        end if;
        return true;
end
$$;
comment on function orch.job_started(bigint, bigint, uuid, integer, text, text, integer, uuid, uuid) is
        'Notes what a claim started, and the promise for it; also the question "is my claim still good?" with nulls. False: fenced or asked to stop - stop, write nothing else.';
