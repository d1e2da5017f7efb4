-- 22_leases: what a job must own besides its claim (T-1, M-1), and the axis of it. The claim takes the leases itself, or does
-- not start the job, so that it does not depend on this view; both go by the same words.

create function orch.needs_transition_lease(j orch.job, p_repo text) returns boolean
language plpgsql stable as $$ -- as setting_text() is, and for its reason
begin
        return (select o.side_effects from orch.role o where o.key = j.role) and orch.setting_bool('transition_lease_enabled') and orch.in_scope('transition_lease_repos', p_repo);
end
$$;
comment on function orch.needs_transition_lease(orch.job, text) is 'T-1, S-12: whether a job of that repo must own the transition lease of its task';

create function orch.needs_merge_lease(j orch.job) returns boolean
language sql stable
return j.kind in ('integrate', 'merge');
comment on function orch.needs_merge_lease(orch.job) is 'M-1: whether a job must own the merge lease of its repo';

create function orch.has_living_owner(l orch.transition_lease) returns boolean
language sql stable
return exists (select from orch.process p where p.id = l.process_id and p.ended_at is null);
comment on function orch.has_living_owner(orch.transition_lease) is 'T-1: whether the owner of a transition lease lives; of one that is gone the next claim takes it';

create view orch.axis_lease as
select j.id as job_id, format('%s has the merge lease of repo %s since %s, and is in %s', h.work_item, r.name,
               to_char(m.taken_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), h.stage) as reason,
       format('%1$s is merged, sent back or cancelled, or: orchctl lease release %1$s', h.work_item) as ends_when
from orch.job j join orch.merge_lease m on m.repo_id = j.repo_id and m.task_id <> j.task_id
join orch.task h on h.id = m.task_id join orch.repo r on r.id = j.repo_id
where j.status = 'queued' and orch.needs_merge_lease(j)
union all
select j.id, format('a worker of %s still has the transition lease of %s, for the %s', o.name, t.work_item, l.purpose),
       format('the worker gives it back or is gone, or: orchctl lease release %s', t.work_item)
from orch.job j join orch.transition_lease l on l.task_id = j.task_id and orch.has_living_owner(l)
join orch.process p on p.id = l.process_id join orch.host o on o.id = p.host_id
join orch.task t on t.id = j.task_id join orch.repo r on r.id = j.repo_id
where j.status = 'queued' and orch.needs_transition_lease(j, r.name);
comment on view orch.axis_lease is 'T-1, M-1: blocks jobs that must own what another owns';
comment on column orch.axis_lease.job_id is 'The queued job';
comment on column orch.axis_lease.reason is 'Why it is blocked';
comment on column orch.axis_lease.ends_when is 'What would unblock it';
