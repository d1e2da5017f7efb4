-- 50_process: who is alive, and what happens to the work of those who are not.
--
-- What must hold, whoever dies, hangs, sleeps or is cut off (files 50 to 55; modelled in tests/model):
--
-- 1. A claim is (job, epoch, token). Every claim and every taking back moves the epoch, an adoption the token. A write that
--    names another one changes nothing (T-5).
-- 2. At any time at most one agent of a job acts (J-1). An agent acts only under a shim that was renewed within freeze_after, by its
--    host's own clock. It is renewed as of the time when a statement was SENT that has since found the claim standing, and never as of a
--    later time than that of its worker's newest beat that counted.
-- 3. So a claim may be given to another once its agent can act no more:
--      at once         its owner gives it back, or says that the agent is gone (job_release, job_finish, process_disown,
--                      process_handover); or it never had a shim; or its host was seen to have nothing left of it (orphan_lost)
--      after silence   the owner's beats, or the orphan, stood still for takeover_after on the clock of who watched (process_gone,
--                      orphan_stranded); one more beat, or another adoption, and it was no silence
--      after a promise it is taken back by force while its owner may be well (job_revoke: reap_overdue, lease_release). Then it is
--                      claimable when the promise that came with its announcement is over, or the former owner has said that the
--                      agent is gone. The owner's row is locked meanwhile (owner_hold): a beat names the claim before or not at all.
-- 4. A shim is announced before it exists (job_started), so an announced run is never taken for one without a shim.
-- 5. A claim whose owner has not heard of it is named by its next beat, and disowned by that name (53_disown).
-- 6. A process row is locked FOR SHARE by what claims under it, and for update by what ends it: a claim under way is not missed.
--    Who takes back locks process, task and job in this order.

create function orch.process_start(p_host text, p_boot_id text, p_daemon text, p_pid integer, p_pid_start bigint, p_version text,
        p_takeover_ms integer default 75000, p_up_ms bigint default null)
returns table (process_id bigint, epoch bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        h bigint;
begin
        -- a hundredth less: two clocks may differ in rate
        if exists (select from orch.process p join orch.host k on k.id = p.host_id
                   where k.name = p_host and p.boot_id <> p_boot_id and p.ended_at is null
                     and p.beat_at > clock_timestamp() - make_interval(secs => p_up_ms * 0.00099)) then
                perform orch.refuse('OR002', format('another machine beats under the host name "%s"', p_host),
                        'Set host_name in the configuration of one of them: a name stands for one machine');
        end if;
        insert into orch.host as k (name, boot_id) values (p_host, p_boot_id)
        on conflict (name) do update set boot_id = excluded.boot_id, seen_at = clock_timestamp() returning k.id into h;
        return query insert into orch.process as p (host_id, boot_id, daemon, pid, pid_start, version, takeover_ms)
                values (h, p_boot_id, p_daemon, p_pid, p_pid_start, p_version, p_takeover_ms) returning p.id, p.epoch;
end
$$;
comment on function orch.process_start(text, text, text, integer, bigint, text, integer, bigint) is
        'Registers a daemon process with its promise; gives its id and fencing epoch (T-2). Refused while a process of the host name''s other boot beats: one that has since this machine was booted, p_up_ms ago, is another machine''s.';

create function orch.process_alive(p_process bigint, p_epoch bigint) returns boolean
language sql stable
return exists (select from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null);
comment on function orch.process_alive(bigint, bigint) is 'Whether a process is still the one it registered as: not ended, not declared dead';

create function orch.process_hold(p_process bigint, p_epoch bigint) returns boolean
language plpgsql as $$
begin
        perform from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null for share;
        return found;
end
$$;
comment on function orch.process_hold(bigint, bigint) is
        'As process_alive(), and keeps it so to the end of the transaction: who ends the process, or gives back what it does not know to hold, waits for the claim that is under way, and sees it.';

create function orch.claim_name(p_id bigint, p_epoch bigint, p_token uuid) returns text
language sql immutable
return p_id || '-' || p_epoch || '-' || p_token;
comment on function orch.claim_name(bigint, bigint, uuid) is 'A claim of a job or an effect as beats name it: ID-EPOCH-TOKEN. An adoption keeps the epoch, so the token belongs to the name.';

create function orch.process_beat(p_process bigint, p_epoch bigint, p_draining boolean)
returns table (alive boolean, jobs_wanted boolean, events_wanted boolean, effects_wanted boolean, orphans_wanted boolean, watch_wanted boolean, looks_wanted boolean, cards_wanted boolean, held_jobs bigint[], stop_jobs bigint[],
        held_claims text[], held_effects text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        at_time timestamptz := clock_timestamp();
begin
        update orch.process p set beat_at = clock_timestamp(), beat_count = beat_count + 1, draining = p_draining
        where p.id = p_process and p.epoch = p_epoch and p.ended_at is null;
        alive := found;
        if exists (select from orch.axis_fault f where f.cleared_at is null) then
                perform orch.axis_check();
        end if;
        jobs_wanted := exists (select from orch.job j where j.status = 'queued' and not j.entry and j.run_at <= clock_timestamp())
                or exists (select from orch.lane_touch) or exists (select from orch.repo r where r.entry_rank is not null)
                or exists (select from orch.repo r where r.look_at <= at_time);
        events_wanted := exists (select from orch.event e where e.status = 'received' and e.run_at <= clock_timestamp())
                or exists (select from orch.event e where e.status = 'routed' and e.run_at <= clock_timestamp());
        effects_wanted := exists (select from orch.effect f where f.status in ('pending', 'running') and f.run_at <= clock_timestamp());
        looks_wanted := exists (select from orch.look l where l.run_at <= clock_timestamp());
        orphans_wanted := exists (select from orch.orphan_of(p_process));
        cards_wanted := orch.cards_wanted();
        watch_wanted := orch.watch_wanted((select h.name from orch.process p join orch.host h on h.id = p.host_id where p.id = p_process));
        select coalesce(array_agg(j.id), '{}'), coalesce(array_agg(j.id) filter (where j.stop_requested_at is not null), '{}'),
                coalesce(array_agg(orch.claim_name(j.id, j.epoch, j.token)), '{}')
        into held_jobs, stop_jobs, held_claims from orch.job j where j.process_id = p_process and j.status = 'running' and j.orphaned_at is null;
        held_effects := array(select orch.claim_name(f.id, f.epoch, f.token) from orch.effect f where f.process_id = p_process and f.status = 'running');
        return next;
end
$$;
comment on function orch.process_beat(bigint, bigint, boolean) is
        'The heartbeat, which is the control channel and the poll as well: whether we still count, what work there is, which claims are still ours, which jobs to stop. Needs no NOTIFY.
Its update comes first: who takes a claim back by force holds our row meanwhile, so what a beat then names was ours when it was sent.';

create function orch.job_requeue(j orch.job, p_actor text, p_outcome text, p_reason text, p_refund boolean, p_delay interval,
        p_promise interval default null) returns void
language plpgsql as $$
declare
        t orch.task;
        stop text;
begin
        select * into t from orch.task where id = j.task_id for no key update;
        update orch.job set status = 'queued', outcome = p_outcome, reason = p_reason, process_id = null, token = null,
                claimed_at = null, stop_requested_at = null, orphaned_at = null, epoch = epoch + 1,
                run_at = clock_timestamp() + greatest(p_delay, p_promise),
                due_at = case when p_promise is not null then clock_timestamp() + p_delay end,
                attempts = attempts - case when p_refund then 1 else 0 end
        where id = j.id;
        -- asked after it has ended to run: as long as it ran it was itself what a cancellation waits for (C-6)
        stop := case when t.cancel_requested_at is not null then orch.stop_window(t) end;
        if t.terminal or stop = 'none' or (stop = 'doubt' and not orch.ends_window(j.kind)) then
                update orch.job set status = 'cancelled', outcome = 'cancelled', ended_at = clock_timestamp() where id = j.id;
                perform orch.advance(t.id, p_actor);
                return;
        end if;
        perform orch.wake();
end
$$;
comment on function orch.job_requeue(orch.job, text, text, text, boolean, interval, interval) is
        'J-6: the one way back into the queue; the task''s state decides: of a terminal or cancelled task the job becomes cancelled instead. Moves the epoch, so that the old claim is fenced. With a promise, not to be claimed before that is over, or job_confirm_gone().';

create function orch.job_give_up(j orch.job, p_actor text, p_outcome text, p_reason text) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        update orch.job set status = 'failed', outcome = p_outcome, reason = p_reason, process_id = null, token = null,
                claimed_at = null, orphaned_at = null, epoch = epoch + 1, ended_at = clock_timestamp() where id = j.id;
        select * into t from orch.task where id = j.task_id for no key update;
        if t.cancel_requested_at is not null then
                t.escalated_at := clock_timestamp(); -- as it would be: what was given up is not under way (C-5)
        end if;
        if t.cancel_requested_at is not null and orch.stop_window(t) = 'none' then
                perform orch.cancel_apply(t, p_actor);
        elsif not t.terminal then
                perform orch.escalate(t, p_actor, format('the %s failed: %s', j.role, p_reason));
        end if;
end
$$;
comment on function orch.job_give_up(orch.job, text, text, text) is 'J-4: the job has failed for good; the task is escalated, or its deferred cancellation applied';

create function orch.run_end(p_job bigint, p_epoch bigint, p_outcome text, p_reason text) returns void
language sql
begin atomic
        update orch.run set ended_at = clock_timestamp(), outcome = p_outcome, reason = p_reason
        where job_id = p_job and epoch = p_epoch and ended_at is null;
end;
comment on function orch.run_end(bigint, bigint, text, text) is 'Closes a run that did not report for itself';

create function orch.job_take_back(p_job bigint, p_token uuid, p_actor text, p_outcome text, p_reason text, p_promise interval default null) returns boolean
language plpgsql as $$
declare
        j orch.job;
begin
        perform from orch.task t where t.id = (select task_id from orch.job where id = p_job) for no key update;
        select * into j from orch.job where id = p_job and token = p_token and status = 'running' for no key update;
        if not found then
                return false;
        end if;
        perform orch.run_end(j.id, j.epoch, p_outcome, p_reason);
        perform orch.record(case p_outcome when 'lost' then 'reap' else 'release' end, p_actor, j.task_id, j.id, j.epoch,
                jsonb_build_object('role', j.role, 'reason', p_reason));
        perform orch.claim_leases_give(j);
        if p_outcome = 'lost' then
                update orch.job set crashes = crashes + 1 where id = j.id returning * into j;
                if j.crashes > orch.setting_int('job_max_crashes') then
                        perform orch.job_give_up(j, p_actor, 'lost', format('its worker was lost %s times', j.crashes));
                        return true;
                end if;
        end if;
        perform orch.job_requeue(j, p_actor, p_outcome, p_reason, true,
                case when j.crashes > 1 then orch.backoff(j.crashes, orch.setting_int('job_backoff_s')) else interval '0' end, p_promise);
        return true;
end
$$;
comment on function orch.job_take_back(bigint, uuid, text, text, text, interval) is
        'Takes a claim from a process that left, died, or gives it back: attempt refunded; a lost one counts a crash, and from the second on waits behind its peers. Without a promise nothing may act under the claim any more.';

create function orch.job_revoke(p_job bigint, p_token uuid, p_actor text, p_reason text) returns boolean
language plpgsql as $$
declare
        promise integer;
begin
        select greatest(r.takeover_ms, p.takeover_ms) into promise from orch.job j
        join orch.process p on p.id = j.process_id join orch.run r on r.job_id = j.id and r.epoch = j.epoch where j.id = p_job and j.token = p_token;
        return found and orch.job_take_back(p_job, p_token, p_actor, 'lost', p_reason, make_interval(secs => promise * 0.001));
end
$$;
comment on function orch.job_revoke(bigint, uuid, text, text) is
        'T-3, J-1: takes a claim back by force: its agent may act until the owner''s promise is over, and so long nobody runs the job again. The caller holds the owner''s row (owner_hold).';

create function orch.owner_hold(p_processes bigint[]) returns void
language plpgsql as $$
begin
        perform from orch.process p where p.id = any (p_processes) order by p.id for share;
end
$$;
comment on function orch.owner_hold(bigint[]) is
        'Before any task is locked: beats of these processes wait for this transaction, so that none names a claim which it takes back, and its clock_timestamp() is later than any beat that has named it was sent';

create function orch.job_confirm_gone(p_job bigint, p_epoch bigint, p_token uuid) returns void
language plpgsql as $$
declare
        j orch.job;
begin
        update orch.job set run_at = due_at, due_at = null
        where id = p_job and status = 'queued' and epoch = p_epoch + 1 and due_at is not null
          and exists (select from orch.run r where r.job_id = p_job and r.epoch = p_epoch and r.token = p_token)
        returning * into j;
        if found then
                perform orch.record('release', format('process %s', (select process_id from orch.run where job_id = p_job and epoch = p_epoch)), j.task_id, j.id, p_epoch,
                        jsonb_build_object('role', j.role, 'reason', 'its agent is gone'));
                perform orch.wake();
        end if;
end
$$;
comment on function orch.job_confirm_gone(bigint, bigint, uuid) is 'J-1: the former owner of a claim that was taken back by force says that nothing acts under it any more: its promise need not be waited for';

create function orch.job_orphan(p_job bigint, p_token uuid, p_actor text, p_reason text) returns boolean
language plpgsql as $$
declare
        j orch.job;
begin
        perform from orch.task t where t.id = (select task_id from orch.job where id = p_job) for no key update;
        update orch.job set orphaned_at = clock_timestamp() where id = p_job and token = p_token and status = 'running' and orphaned_at is null
        returning * into j;
        if found then
                perform orch.record('orphan', p_actor, j.task_id, j.id, j.epoch, jsonb_build_object('role', j.role, 'reason', p_reason));
        end if;
        return found;
end
$$;
comment on function orch.job_orphan(bigint, uuid, text, text) is
        'J-8: the owner of a running job is gone, its shim may live: the claim stands, and waits for a worker of the host';

create function orch.process_close(p_process bigint, p_actor text, p_end_reason text, p_outcome text, p_shims_live boolean) returns integer
language plpgsql as $$
declare
        j record;
        n integer := 0;
begin
        update orch.process set ended_at = clock_timestamp(), end_reason = p_end_reason where id = p_process and ended_at is null;
        if not found then
                return null;
        end if;
        for j in select k.id, k.token, p_shims_live and r.log is not null as has_shim
                 from orch.job k join orch.run r on r.job_id = k.id and r.epoch = k.epoch
                 where k.process_id = p_process and k.status = 'running' order by k.id
        loop
                if j.has_shim then
                        n := n + orch.job_orphan(j.id, j.token, p_actor, p_end_reason)::integer;
                else
                        n := n + orch.job_take_back(j.id, j.token, p_actor, p_outcome, p_end_reason)::integer;
                end if;
        end loop;
        update orch.effect set status = 'pending', process_id = null, token = null, epoch = epoch + 1, detail = p_end_reason
        where process_id = p_process and status = 'running';
        update orch.look set process_id = null, token = null, run_at = clock_timestamp(), detail = p_end_reason where process_id = p_process;
        perform orch.cards_give_back(p_process);
        delete from orch.transition_lease l where l.process_id = p_process
                and not exists (select from orch.job k where k.task_id = l.task_id and k.orphaned_at is not null);
        perform orch.wake();
        return n;
end
$$;
comment on function orch.process_close(bigint, text, text, text, boolean) is
        'Ends a process row, once: jobs whose shim may live become orphans, everything else it held is given back. Returns the number of jobs; null: it had ended already';

create function orch.process_handover(p_process bigint, p_epoch bigint) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if not orch.process_alive(p_process, p_epoch) then
                return 0;
        end if;
        return orch.process_close(p_process, format('process %s', p_process), 'handed over', 'released', true);
end
$$;
comment on function orch.process_handover(bigint, bigint) is
        'A process leaves in order. J-8: jobs whose shim may live become orphans, the rest is released with the attempt refunded. Returns the number of both.';

create function orch.process_gone(p_process bigint, p_evidence text, p_host_dead boolean, p_beats bigint default null) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        perform from orch.process where id = p_process and (p_beats is null or beat_count = p_beats) for no key update;
        if not found then
                return null;
        end if;
        return orch.process_close(p_process, session_user, p_evidence, 'lost', not p_host_dead);
end
$$;
comment on function orch.process_gone(bigint, text, boolean, bigint) is
        'R-6: a process was found dead. On a live host (tier 1) jobs whose shim may live become orphans; of a dead or rebooted host all jobs are given back (J-6). Who was silent is named with the beat_count it stood at: one more beat, and it is not dead. Returns the number of jobs; null: it lives, or had ended already, and nothing was done.';
