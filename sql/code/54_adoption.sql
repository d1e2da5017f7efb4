-- 54_adoption: runs that outlive their worker (J-8). An orphan is a running job whose owner is gone, or does not know of
-- it, while its shim may live. A worker of the same host and boot adopts it: same epoch, new token, so that the old owner
-- is fenced. A run has a log from the moment its shim may exist: job_started() is called before the shim is.

create function orch.orphan_of(p_process bigint) returns setof orch.job
language sql stable
begin atomic
        select j.* from orch.process me
        join orch.process owner on owner.host_id = me.host_id and owner.boot_id = me.boot_id
        join orch.job j on j.process_id = owner.id and j.orphaned_at is not null and j.kind = any (me.kinds)
        where me.id = p_process and me.daemon = 'workerd' and me.ended_at is null;
end;
comment on function orch.orphan_of(bigint) is 'The orphans that a worker may adopt: those of its own host and boot, of the kinds that it knows';

create function orch.orphans(p_process bigint, p_epoch bigint) returns table (job_id bigint, epoch bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select j.id, j.epoch from orch.orphan_of(p_process) j where orch.process_alive(p_process, p_epoch) order by j.id limit 200;
end;
comment on function orch.orphans(bigint, bigint) is 'J-8: jobs whose shim a worker should look for on its host';

create function orch.job_adopt(p_process bigint, p_epoch bigint, p_job bigint, p_job_epoch bigint) returns setof orch.running_job
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j orch.job;
        before bigint;
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        perform from orch.task t where t.id = (select task_id from orch.job where id = p_job) for no key update;
        perform from orch.job where id = p_job for no key update;
        if not exists (select from orch.orphan_of(p_process) o where o.id = p_job and o.epoch = p_job_epoch) then
                return;
        end if;
        select process_id into before from orch.job where id = p_job;
        update orch.job set process_id = p_process, token = gen_random_uuid(), orphaned_at = null where id = p_job returning * into j;
        update orch.run r set process_id = p_process, token = j.token, takeover_ms = greatest(r.takeover_ms, before_p.takeover_ms)
        from orch.process before_p where r.job_id = j.id and r.epoch = j.epoch and before_p.id = before;
        update orch.transition_lease set process_id = p_process where task_id = j.task_id and epoch = j.epoch;
        perform orch.record('adopt', format('process %s', p_process), j.task_id, j.id, j.epoch, jsonb_build_object('role', j.role, 'from_process', before));
        return query select * from orch.running_job where job_id = p_job;
end
$$;
comment on function orch.job_adopt(bigint, bigint, bigint, bigint) is
        'J-8, T-5: takes an orphan over: same epoch, new token. No row: somebody else was faster, or it is none any more.';

create function orch.orphan_lost(p_process bigint, p_epoch bigint, p_job bigint, p_job_epoch bigint, p_evidence text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        claim uuid;
begin
        if not orch.process_alive(p_process, p_epoch) then
                return false;
        end if;
        perform from orch.task t where t.id = (select task_id from orch.job where id = p_job) for no key update;
        select j.token into claim from orch.job j
        join orch.process o on o.id = j.process_id
        join orch.process me on me.id = p_process and me.host_id = o.host_id and me.boot_id = o.boot_id
        where j.id = p_job and j.epoch = p_job_epoch and j.orphaned_at is not null for no key update of j;
        return found and orch.job_take_back(p_job, claim, format('process %s', p_process), 'lost', p_evidence);
end
$$;
comment on function orch.orphan_lost(bigint, bigint, bigint, bigint, text) is
        'R-6: an orphan has neither a live shim nor a status on its host: the second signal, so the job is given back';

create function orch.orphan_list(p_limit integer) returns table (job_id bigint, epoch bigint, host text, boot_id text, stranded boolean, since_us bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select j.id, j.epoch, h.name, owner.boot_id, not exists (select from orch.process w
                where w.host_id = owner.host_id and w.boot_id = owner.boot_id and w.daemon = 'workerd' and w.ended_at is null),
                (extract(epoch from j.orphaned_at) * 1000000)::bigint
        from orch.job j join orch.process owner on owner.id = j.process_id join orch.host h on h.id = owner.host_id
        where j.orphaned_at is not null order by j.orphaned_at, j.id limit p_limit;
end;
comment on function orch.orphan_list(integer) is
        'J-8: the orphans of all hosts, and which of them are stranded: their host, in the boot they run in, has no living worker that could adopt them. since_us tells one orphanhood from the next: an heir that came and went in between has renewed the agent';

create function orch.orphan_stranded(p_job bigint, p_job_epoch bigint, p_evidence text, p_since_us bigint default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        claim uuid;
begin
        perform from orch.task t where t.id = (select task_id from orch.job where id = p_job) for no key update;
        select j.token into claim from orch.job j join orch.process o on o.id = j.process_id
        where j.id = p_job and j.epoch = p_job_epoch and j.orphaned_at is not null
          and (extract(epoch from j.orphaned_at) * 1000000)::bigint = coalesce(p_since_us, (extract(epoch from j.orphaned_at) * 1000000)::bigint) and not exists (select from orch.process w
                where w.host_id = o.host_id and w.boot_id = o.boot_id and w.daemon = 'workerd' and w.ended_at is null)
        for no key update of j;
        return found and orch.job_take_back(p_job, claim, session_user, 'lost', p_evidence);
end
$$;
comment on function orch.orphan_stranded(bigint, bigint, text, bigint) is
        'R-6: the host of an orphan has had no worker for so long that its shim has frozen the agent: the job is given back';

create function orch.runs_over(p_jobs bigint[], p_epochs bigint[]) returns table (job_id bigint, epoch bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select f.job_id, f.epoch from unnest(p_jobs, p_epochs) as f (job_id, epoch)
        where not exists (select from orch.job j where j.id = f.job_id and j.epoch = f.epoch and j.status = 'running');
end;
comment on function orch.runs_over(bigint[], bigint[]) is
        'J-9: which of these claims are over: their run folders may go, and a shim that still lives in one must die';
