-- 53_holds: claims whose answer was lost between the database and the worker.
--
-- A COMMIT that the worker never heard of leaves a running job, or effect, that nobody looks after. The worker knows that
-- this may have happened (a claim, or an adoption, without an answer) and then says what it does hold. An adopted job has
-- a shim that lives on, so it becomes an orphan again and is not queued.

create function orch.process_holds(p_process bigint, p_epoch bigint, p_jobs bigint[], p_effects bigint[]) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j record;
        actor text := format('process %s', p_process);
        reason text := 'the answer to its claim was lost';
        n integer := 0;
        m integer;
begin
        -- a claim may still be under way on a connection that is lost: it is waited for
        perform from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null for no key update;
        if not found then
                return 0;
        end if;
        for j in select k.id, r.log is not null as has_shim from orch.job k join orch.run r on r.job_id = k.id and r.epoch = k.epoch
                 where k.process_id = p_process and k.status = 'running' and k.id <> all (p_jobs) order by k.id
        loop
                if j.has_shim then
                        n := n + orch.job_orphan(j.id, actor, reason)::integer;
                else
                        n := n + orch.job_take_back(j.id, p_process, actor, 'released', reason)::integer;
                end if;
        end loop;
        update orch.effect set status = 'pending', process_id = null, token = null, epoch = epoch + 1, detail = reason
        where process_id = p_process and status = 'running' and id <> all (p_effects);
        get diagnostics m = row_count;
        if n + m > 0 then
                perform orch.wake();
        end if;
        return n + m;
end
$$;
comment on function orch.process_holds(bigint, bigint, bigint[], bigint[]) is
        'A process says which jobs and effects it knows to hold; all others that carry its name are given back, attempt refunded, or left to be adopted when a shim may live';
