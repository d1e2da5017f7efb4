-- 63_reconcile: F-1, the gate side: what a lost event should have done.

create view orch.idle_task as
select t.id as task_id, t.work_item, t.stage, greatest(t.stage_entered_at,
        (select max(j.ended_at) from orch.job j where j.task_id = t.id)) as idle_since
from orch.task t
where not t.terminal and t.escalated_at is null
  and not exists (select from orch.job j where j.task_id = t.id and j.active)
  and not exists (select from orch.transition_lease l where l.task_id = t.id);
comment on view orch.idle_task is 'R-1, R-3: live tasks with no active job, not escalated, owned by nobody: the reconciler looks at these';
comment on column orch.idle_task.task_id is 'Task';
comment on column orch.idle_task.work_item is 'Its work item';
comment on column orch.idle_task.stage is 'Its stage';
comment on column orch.idle_task.idle_since is 'Since when nothing has happened to it';

create function orch.reconcile_gates(p_limit integer) returns table (examined integer, advanced integer, skipped integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        i orch.idle_task;
        t orch.task;
        s orch.stage_step;
begin
        examined := 0;
        advanced := 0;
        skipped := 0;
        if pg_try_advisory_xact_lock(hashtext('orch.reconcile_gates')) then
                for i in select * from orch.idle_task w
                         where w.idle_since < clock_timestamp() - make_interval(secs => orch.setting_int('stage_grace_s'))
                         order by random() limit p_limit -- the longest idle wait for people: in order they would hide all others
                loop
                        examined := examined + 1;
                        select * into t from orch.task where id = i.task_id for no key update skip locked;
                        s := orch.waiting_step(t);
                        if t.id is null or (t.cancel_requested_at is null and s.gate is not null and (orch.gate_result(t, s.gate)).result = 'wait'
                           and (s.role is null or exists (select from orch.job j where j.task_id = t.id and j.stage_version = t.stage_version and j.role = s.role))) then
                                skipped := skipped + 1;
                        else
                                perform orch.advance(t.id, 'reconciler');
                                advanced := advanced + 1;
                        end if;
                end loop;
        end if;
        return next;
end
$$;
comment on function orch.reconcile_gates(integer) is
        'R-1 (F-1): tasks idle for longer than stage_grace_s whose gate has an answer, or whose job was never queued, go through the same door as ever; red or waiting ones are left alone. One at a time in the cluster, bounded per tick.';
