-- 46_slots: what a job takes at its claim besides itself: a slot of each limit that applies (S-7), and, of a provider
-- that has failed, the right to try (J-4). Rows are skipped when somebody has them, never awaited; an order that is
-- the same for all (global, repo, role, host) keeps claims from taking half each.

create function orch.slot_take(l orch.capacity_limit, j orch.job) returns boolean
language plpgsql as $$
declare
        candidate bigint;
begin
        -- taken before the limit was lowered, or set: then numbers do not say how many, and takers count one at a time
        if exists (select from orch.slot s join orch.job k on k.id = s.job_id and k.epoch = s.epoch and k.status = 'running'
                   where s.scope = l.scope and s.name = l.name and s.n > l.slots) then
                perform from orch.capacity_limit c where c.id = l.id for no key update skip locked;
                if not found or (select u.full from orch.capacity_use u where u.scope = l.scope and u.name = l.name) then
                        return false;
                end if;
        end if;
        for candidate in select s.id from orch.slot s
                         where s.scope = l.scope and s.name = l.name and s.n <= l.slots
                           and not exists (select from orch.job k where k.id = s.job_id and k.epoch = s.epoch and k.status = 'running') order by s.n
        loop
                perform from orch.slot s where s.id = candidate for no key update skip locked;
                if found then
                        -- looked at again, by a statement that began after the lock: it may have been taken meanwhile
                        update orch.slot s set job_id = j.id, epoch = j.epoch + 1
                        where s.id = candidate and not exists (select from orch.job k where k.id = s.job_id and k.epoch = s.epoch and k.status = 'running')
                          and (s.job_id, s.epoch) is distinct from (j.id, j.epoch + 1);
                        if found then
                                return true;
                        end if;
                end if;
        end loop;
        return false;
end
$$;
comment on function orch.slot_take(orch.capacity_limit, orch.job) is 'S-7: stamps a free slot of a limit with the claim that is about to be; false when there is none';

create function orch.slots_give(j orch.job) returns void
language plpgsql as $$
begin
        update orch.slot set job_id = null, epoch = null where job_id = j.id and epoch = j.epoch + 1;
end
$$;
comment on function orch.slots_give(orch.job) is 'Gives back what slots_take() took for a claim that did not come about: a blocked job occupies no slot';

create function orch.slots_take(j orch.job, w orch.worker) returns boolean
language plpgsql as $$
declare
        l orch.capacity_limit;
begin
        for l in select c.* from orch.capacity_limit c
                 where (c.scope, c.name) in (('global', ''), ('repo', (select r.name from orch.repo r where r.id = j.repo_id)), ('role', j.role), ('host', w.host))
                 order by array_position(array['global', 'repo', 'role', 'host'], c.scope)
        loop
                if not orch.slot_take(l, j) then
                        perform orch.slots_give(j);
                        return false;
                end if;
        end loop;
        return true;
end
$$;
comment on function orch.slots_take(orch.job, orch.worker) is 'S-7: takes a slot of each limit that applies to a job on a worker, or none';

create function orch.circuit_enter(j orch.job) returns boolean
language plpgsql as $$
declare
        c orch.provider_circuit;
begin
        select k.* into c from orch.role o join orch.provider_circuit k on k.provider = o.provider where o.key = j.role;
        if not found or c.state = 'closed' then
                return true;
        end if;
        perform from orch.provider_circuit k where k.provider = c.provider for no key update skip locked;
        if not found or exists (select from orch.circuit_block b where b.provider = c.provider) then
                return false;
        end if;
        update orch.provider_circuit set state = 'half-open', probe_job = j.id, probe_epoch = j.epoch + 1, changed_at = clock_timestamp()
        where provider = c.provider and state <> 'closed';
        return true;
end
$$;
comment on function orch.circuit_enter(orch.job) is 'J-4: whether a job may ask its provider now; of one that has failed the first job after the wait may, and tries for the others';

create function orch.provider_retry(p_report jsonb) returns timestamptz
language sql volatile
return (select t.at + make_interval(secs => 5 + 55 * random()) from (select to_timestamp(least((p_report ->> 'provider_retry_at')::numeric, 9999999999)::bigint) as at) t
        where t.at between clock_timestamp() and clock_timestamp() + interval '8 days');
comment on function orch.provider_retry(jsonb) is 'J-4: when a provider that has said so may be asked again, and a little later, so that not all come at once; null: it has not said, or what cannot be';

create function orch.circuit_note(j orch.job, p_outcome text, p_report jsonb) returns void
language plpgsql as $$
declare
        name text := (select o.provider from orch.role o where o.key = j.role);
        said text := left(p_report ->> 'provider_error', 500);
        retry timestamptz := orch.provider_retry(p_report);
begin
        if name is null then
                return;
        elsif said is not null and (p_outcome = 'transient' or (p_report ->> 'final')::boolean) then
                if orch.setting_int('circuit_open_s') = 0 then
                        return;
                end if;
                insert into orch.provider_circuit as k (provider, state, open_until, reason, failures)
                values (name, 'open', greatest(retry, clock_timestamp() + orch.backoff(1, orch.setting_int('circuit_open_s'))), said, 1)
                on conflict (provider) do update set state = 'open', reason = excluded.reason, failures = k.failures + (k.state <> 'open' or k.open_until <= clock_timestamp())::integer, changed_at = clock_timestamp(),
                        open_until = greatest(k.open_until, retry, clock_timestamp() + orch.backoff(k.failures + 1, orch.setting_int('circuit_open_s'))),
                        probe_job = null, probe_epoch = null
                        where k.state <> 'open' or k.open_until <= clock_timestamp() -- jobs that had begun before fail for the same reason
                           or k.open_until < retry - interval '2 min'; -- but one may know more
                if found then
                        perform orch.record('circuit', format('process %s', j.process_id), j.task_id, j.id, j.epoch, jsonb_build_object('provider', name, 'to', 'open', 'reason', said));
                end if;
        elsif p_outcome not in ('transient', 'cancelled') then
                update orch.provider_circuit set state = 'closed', open_until = null, reason = null, failures = 0, probe_job = null, probe_epoch = null,
                        changed_at = clock_timestamp()
                where provider = name and state = 'half-open' and probe_job = j.id and probe_epoch = j.epoch;
                if found then
                        perform orch.record('circuit', format('process %s', j.process_id), j.task_id, j.id, j.epoch, jsonb_build_object('provider', name, 'to', 'closed'));
                        insert into orch.lane_touch (repo_id) select id from orch.repo where look_for = 'poll' limit 1000;
                        perform orch.wake();
                end if;
        end if;
end
$$;
comment on function orch.circuit_note(orch.job, text, jsonb) is
        'J-4: what the end of a run says of its provider: a failure that names a provider_error opens the circuit, until the time that was said, if one was; the job that tried closes it, whatever else came of it';

create function orch.process_report(p_process bigint, p_epoch bigint, p_labels text[], p_preflight jsonb, p_kinds text[] default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        update orch.process p set preflight = p_preflight, kinds = coalesce(p_kinds, kinds) where p.id = p_process and p.epoch = p_epoch and p.ended_at is null
                and (p.preflight <> p_preflight or p.kinds <> p_kinds);
        update orch.host h set labels = p_labels where h.id = (select p.host_id from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null)
                and h.labels <> p_labels;
        insert into orch.lane_touch (repo_id) select id from orch.repo where look_for = 'poll' limit 1000;
        perform orch.wake();
        return orch.process_alive(p_process, p_epoch);
end
$$;
comment on function orch.process_report(bigint, bigint, text[], jsonb, text[]) is
        'S-7, J-5, B-5: a worker says which labels its host has, which roles'' agents cannot be started there, and why, and which kinds of jobs it knows (null: as before); before its first claim and when that changes';
