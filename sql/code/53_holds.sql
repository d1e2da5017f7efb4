-- 53_holds: claims whose answer was lost between the database and the worker.
--
-- A COMMIT that the worker never heard of leaves a running job, or effect, that nobody runs. The worker knows that this
-- may have happened (a claim without an answer) and then says what it does hold.

create function orch.process_holds(p_process bigint, p_epoch bigint, p_jobs bigint[], p_effects bigint[]) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        id_of_job bigint;
        n integer := 0;
        m integer;
begin
        -- a claim may still be under way on a connection that is lost: it is waited for
        perform from orch.process p where p.id = p_process and p.epoch = p_epoch and p.ended_at is null for no key update;
        if not found then
                return 0;
        end if;
        for id_of_job in select id from orch.job where process_id = p_process and status = 'running' and id <> all (p_jobs) order by id loop
                n := n + orch.job_take_back(id_of_job, p_process, format('process %s', p_process), 'released', 'the answer to its claim was lost')::integer;
        end loop;
        update orch.effect set status = 'pending', process_id = null, token = null, epoch = epoch + 1, detail = 'the answer to its claim was lost'
        where process_id = p_process and status = 'running' and id <> all (p_effects);
        get diagnostics m = row_count;
        if n + m > 0 then
                perform orch.wake();
        end if;
        return n + m;
end
$$;
comment on function orch.process_holds(bigint, bigint, bigint[], bigint[]) is
        'A process says which jobs and effects it knows to hold; all others that carry its name are given back, attempt refunded';
