-- 63_reconcile: F-1, the gate side: what a lost event should have done.

create view orch.idle_task as
select t.id as task_id, t.work_item, t.stage, greatest(t.stage_entered_at, (select max(j.ended_at) from orch.job j where j.task_id = t.id)) as idle_since,
       case when t.escalated_at is not null and t.cancel_requested_at is null then 'escalated'
            when exists (select from orch.transition_lease l where l.task_id = t.id) then 'lease' end as skip
from orch.task t
where not t.terminal and not exists (select from orch.job j where j.task_id = t.id and j.active);
comment on view orch.idle_task is 'R-1, R-3: live tasks with no active job: the reconciler looks at these, but for those to be skipped';
comment on column orch.idle_task.task_id is 'Task';
comment on column orch.idle_task.work_item is 'Its work item';
comment on column orch.idle_task.stage is 'Its stage';
comment on column orch.idle_task.idle_since is 'Since when nothing has happened to it';
comment on column orch.idle_task.skip is 'R-3: why the reconciler passes it over before it has looked: escalated, or lease: somebody owns its transition';

create function orch.reconcile_skip(t orch.task) returns text
language plpgsql stable as $$
declare
        s orch.stage_step := orch.waiting_step(t);
begin
        if t.terminal then
                return 'terminal';
        elsif t.cancel_requested_at is not null or s.gate is null or (orch.gate_result(t, s.gate)).result not in ('wait', 'inconclusive')
              or orch.passing_label(t, s.gate) is not null then
                return null;
        elsif orch.waits_for_person(t) or orch.waits_for_answer(t) then
                return 'human';
        elsif s.role is null or exists (select from orch.job j where j.task_id = t.id and j.stage_version = t.stage_version and j.role = s.role) then
                return 'red';
        end if;
        return null;
end
$$;
comment on function orch.reconcile_skip(orch.task) is
        'R-1, R-3: why the reconciler leaves an idle task alone: terminal; human: a person decides; red: its gate has no answer, and its job was there. Null: it is moved on.';

create function orch.unblocked_tell(was orch.task) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        select * into t from orch.task where id = was.id;
        if t.stage <> was.stage and t.stage <> 'cancelled' then
                perform orch.comment_on(t, 'unblocked:' || t.stage, format('Unblocked: it is in %s now. It stood still in %s, although nothing held it; what should have moved it on was lost.', t.stage, was.stage));
        end if;
end
$$;
comment on function orch.unblocked_tell(orch.task) is 'R-4: says that a task which stood still has moved, after it has, and once for each stage it came to';

create function orch.reconcile_gates(p_limit integer) returns table (examined integer, advanced integer, skipped integer,
        terminal integer, escalated integer, lease integer, human integer, busy integer, red integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        i bigint;
        t orch.task;
        due timestamptz := clock_timestamp() - make_interval(secs => orch.setting_int('stage_grace_s'));
        reasons text[] := '{}';
        reason text;
begin
        advanced := 0;
        if pg_try_advisory_xact_lock(hashtext('orch.reconcile_gates')) then
                perform orch.deploy_sweep(p_limit);
                reasons := array(select w.skip from orch.idle_task w where w.skip is not null and w.idle_since < due limit p_limit);
                for i in select w.task_id from orch.idle_task w where w.skip is null and w.idle_since < due
                         order by random() limit p_limit -- the longest idle wait for people: in order they would hide all others
                loop
                        select * into t from orch.task where id = i for no key update skip locked;
                        t := orch.labels_refresh(t);
                        reason := case when t.id is null then 'busy' else orch.reconcile_skip(t) end;
                        if reason is null then
                                perform orch.advance(t.id, 'reconciler');
                                perform orch.unblocked_tell(t);
                                advanced := advanced + 1;
                        else
                                reasons := reasons || reason;
                        end if;
                end loop;
        end if;
        skipped := cardinality(reasons);
        examined := advanced + skipped;
        select count(*) filter (where r = 'terminal'), count(*) filter (where r = 'escalated'), count(*) filter (where r = 'lease'),
               count(*) filter (where r = 'human'), count(*) filter (where r = 'busy'), count(*) filter (where r = 'red')
        into terminal, escalated, lease, human, busy, red from unnest(reasons) r;
        return next;
end
$$;
comment on function orch.reconcile_gates(integer) is
        'R-1 (F-1): tasks idle for longer than stage_grace_s whose gate has an answer, or whose job was never queued, go through the same door as ever. R-3: all others are skipped, counted by the reason, and left as they are; the cheap reasons are counted up to p_limit, and take nothing from those that are looked at. One at a time in the cluster, bounded per tick.';
