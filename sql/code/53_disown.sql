-- 53_disown: claims that their owner does not know of.
--
-- A COMMIT that the worker never heard of leaves a running job, or effect, that nobody looks after; the statement may
-- even come to the server long after the worker has given it up. So every beat names the claims that carry the process's
-- name (process_beat), and what the process does not know it gives back by that name: a worker's statements are answered
-- in order, so what a beat names and no answer has told it, no answer will. The token in the name makes a call that comes late
-- change nothing: whoever has got the job since, by a claim or an adoption, has another one. An adopted job has a shim
-- that lives on, so it becomes an orphan again and is not queued.

create function orch.process_disown(p_process bigint, p_epoch bigint, p_jobs text[], p_effects text[]) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j record;
        actor text := format('process %s', p_process);
        reason text := 'the answer to its claim was lost';
        n integer := 0;
        m integer;
begin
        if not orch.process_hold(p_process, p_epoch) then
                return 0;
        end if;
        for j in select k.id, k.token, r.log is not null as has_shim from orch.job k join orch.run r on r.job_id = k.id and r.epoch = k.epoch
                 where k.process_id = p_process and k.status = 'running' and k.orphaned_at is null
                   and orch.claim_name(k.id, k.epoch, k.token) = any (p_jobs) order by k.id
        loop
                if j.has_shim then
                        n := n + orch.job_orphan(j.id, j.token, actor, reason)::integer;
                else
                        n := n + orch.job_take_back(j.id, j.token, actor, 'released', reason)::integer;
                end if;
        end loop;
        update orch.effect set status = 'pending', process_id = null, token = null, epoch = epoch + 1, detail = reason
        where process_id = p_process and status = 'running' and orch.claim_name(id, epoch, token) = any (p_effects);
        get diagnostics m = row_count;
        if n + m > 0 then
                perform orch.wake();
        end if;
        return n + m;
end
$$;
comment on function orch.process_disown(bigint, bigint, text[], text[]) is
        'J-1, T-5: a process gives back claims that a beat has named and that it does not know: attempt refunded, or left to be adopted when a shim may live. Nothing but these very claims is touched.';
