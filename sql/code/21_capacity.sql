-- 21_capacity: the axes of what there is to run a job with: slots, providers, hosts (S-7, J-4, J-5) and money (J-7).
-- Limits, circuits and budgets hold a job wherever it would run. What a host must have holds it only when no living
-- worker has it; the claim asks for the one that claims. That a limit is kept does not depend on these views: the
-- claim takes a row of orch.slot for each limit, or does not start the job.

create view orch.capacity_use as
select l.scope, l.name, l.slots, u.used, u.used >= l.slots as full
from orch.capacity_limit l
cross join lateral (select count(*)::integer as used from orch.slot s join orch.job j on j.id = s.job_id and j.epoch = s.epoch and j.status = 'running'
                    where s.scope = l.scope and s.name = l.name) u;
comment on view orch.capacity_use is 'S-7: each limit and how much of it is used';
comment on column orch.capacity_use.scope is 'global, repo, role or host';
comment on column orch.capacity_use.name is 'Name of the repo, role or host';
comment on column orch.capacity_use.slots is 'The limit';
comment on column orch.capacity_use.used is 'Jobs that run under it; may be more when the limit was lowered';
comment on column orch.capacity_use.full is 'Whether no more may start';

create view orch.worker as
select p.id as process_id, p.epoch, h.name as host, h.labels, p.preflight, p.kinds,
       coalesce((select u.full from orch.capacity_use u where u.scope = 'host' and u.name = h.name), false) as full
from orch.process p join orch.host h on h.id = p.host_id
where p.ended_at is null and p.daemon = 'workerd' and not p.draining;
comment on view orch.worker is 'The living workers that take jobs, and what they have to run them with';
comment on column orch.worker.process_id is 'Process';
comment on column orch.worker.epoch is 'Its epoch';
comment on column orch.worker.host is 'Its host';
comment on column orch.worker.labels is 'Labels of the host';
comment on column orch.worker.preflight is 'J-5: roles whose agent cannot be started there, and why';
comment on column orch.worker.kinds is 'Kinds of jobs that its release knows';
comment on column orch.worker.full is 'Whether the limit of the host is reached';

create function orch.worker_miss(w orch.worker, o orch.role, p_requires text[]) returns text
language sql stable
return case when w.full then format('host %s: all its slots are taken', w.host)
            when w.preflight ? '*' then format('host %s: %s', w.host, w.preflight ->> '*')
            when w.preflight ? o.key then format('host %s: %s', w.host, w.preflight ->> o.key)
            when not p_requires <@ w.labels then format('host %s has not all of the labels %s', w.host, array_to_string(p_requires, ', '))
            when o.kind <> all (w.kinds) then format('host %s: its release knows no jobs of kind %s; upgrade it', w.host, o.kind) end;
comment on function orch.worker_miss(orch.worker, orch.role, text[]) is
        'S-7, J-5, B-5: why a worker cannot take a job of a role that requires these labels; null: it can. The likeliest to pass is named first. SQL, to be part of the plan that asks: ask it of a row that is there already, since with the view''s own query in it it would be planned for each call.';

create view orch.circuit_block as
select c.provider, c.reason, c.state,
       case when c.state = 'open' then format('it is %s, or: orchctl circuit close %s', to_char(c.open_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), c.provider)
            else 'the job that tries has an answer' end as ends_when
from orch.provider_circuit c
where (c.state = 'open' and c.open_until > clock_timestamp())
   or (c.state = 'half-open' and exists (select from orch.job j where j.id = c.probe_job and j.epoch = c.probe_epoch and j.status = 'running'));
comment on view orch.circuit_block is 'J-4: the providers that no job may ask now; once its time is over one job may, to try';
comment on column orch.circuit_block.provider is 'Provider';
comment on column orch.circuit_block.reason is 'What it said';
comment on column orch.circuit_block.state is 'open, or half-open: a job tries';
comment on column orch.circuit_block.ends_when is 'What ends it';

create view orch.axis_capacity as
select j.id as job_id,
       format('%s: %s of %s slots are taken', case u.scope when 'global' then 'everything' else u.scope || ' ' || u.name end, u.used, u.slots) as reason,
       format('a job of it ends, or the limit is raised: orchctl limit set %s', concat_ws(' ', u.scope, nullif(u.name, ''))) as ends_when
from orch.job j join orch.repo r on r.id = j.repo_id
join orch.capacity_use u on (u.scope, u.name) in (('global', ''), ('repo', r.name), ('role', j.role)) and u.full
where j.status = 'queued'
union all
select j.id, format('the provider %s cannot be asked: %s', c.provider, c.reason), c.ends_when
from orch.job j join orch.role o on o.key = j.role join orch.circuit_block c on c.provider = o.provider
where j.status = 'queued'
union all
select j.id, w.miss, case when j.host is null then 'a host can run it' else format('a worker of host %s can take it', j.host) end
from orch.job j join orch.role o on o.key = j.role join orch.task t on t.id = j.task_id join orch.project p on p.id = t.project_id
cross join lateral (select case when j.host <> w.host then format('only a worker of host %s can do it', j.host)
                                else orch.worker_miss(w, o, o.requires || p.requires) end as miss from (select k.* from orch.worker k offset 0) w
                    order by 1 nulls first limit 1) w
where j.status = 'queued' and w.miss is not null;
comment on view orch.axis_capacity is 'S-7, J-4, J-5: blocks jobs that a limit, a provider that cannot be asked, or the lack of a fitting host keeps from starting';
comment on column orch.axis_capacity.job_id is 'The queued job';
comment on column orch.axis_capacity.reason is 'Why it is blocked';
comment on column orch.axis_capacity.ends_when is 'What would unblock it';

create view orch.run_cost as
select j.task_id, j.repo_id, (r.started_at at time zone 'UTC')::date as day, r.cost_usd as usd, 0::numeric as reserved
from orch.run r join orch.job j on j.id = r.job_id where r.cost_usd is not null
union all
select j.task_id, j.repo_id, (r.started_at at time zone 'UTC')::date, 0, r.reserved_usd - coalesce(r.cost_usd, 0)
from orch.job j join orch.run r on r.job_id = j.id and r.epoch = j.epoch
where j.status = 'running' and r.ended_at is null and r.reserved_usd > coalesce(r.cost_usd, 0);
comment on view orch.run_cost is 'J-7: what each run has cost, and, as long as it runs, what more was reserved for it';
comment on column orch.run_cost.task_id is 'Task';
comment on column orch.run_cost.repo_id is 'Repo';
comment on column orch.run_cost.day is 'Day (UTC) in which it began';
comment on column orch.run_cost.usd is 'Dollars that it has cost, so far if it runs';
comment on column orch.run_cost.reserved is 'Dollars that it is expected to cost beyond that';

create view orch.task_cost as
select c.task_id, sum(c.usd) as usd, sum(c.reserved) as reserved from orch.run_cost c group by c.task_id;
comment on view orch.task_cost is 'J-7: what the runs of each task have cost';
comment on column orch.task_cost.task_id is 'Task';
comment on column orch.task_cost.usd is 'Dollars';
comment on column orch.task_cost.reserved is 'Dollars reserved for what runs';

create view orch.day_cost as
select c.day, c.repo_id, sum(c.usd) as usd, sum(c.reserved) as reserved from orch.run_cost c group by c.day, c.repo_id;
comment on view orch.day_cost is 'J-7: what the runs of each repo have cost in each day (UTC)';
comment on column orch.day_cost.day is 'Day';
comment on column orch.day_cost.repo_id is 'Repo';
comment on column orch.day_cost.usd is 'Dollars';
comment on column orch.day_cost.reserved is 'Dollars reserved for what runs';

create function orch.cost_estimate(p_role text, p_repo bigint) returns numeric
language plpgsql stable as $$
begin
        return coalesce((select avg(c.usd) from (select (select r.cost_usd from orch.run r where r.job_id = j.id and r.outcome = 'success') as usd
                                from orch.job j where j.repo_id = p_repo and j.role = p_role and j.status = 'done' and j.kind = 'agent'
                                order by j.id desc limit 10) c),
                        orch.setting_int('budget_estimate_usd'));
end
$$;
comment on function orch.cost_estimate(text, bigint) is 'J-7: what a run of a role is expected to cost: the mean of the last ten in that repo that ended well and said what they cost, or the setting budget_estimate_usd';

create function orch.budget_applies() returns boolean
language plpgsql stable as $$
begin
        return orch.setting_int('budget_task_usd') > 0 or orch.setting_int('budget_repo_day_usd') > 0 or orch.setting_int('budget_day_usd') > 0;
end
$$;
comment on function orch.budget_applies() is 'J-7: whether there is any budget';

create function orch.budget_spent(p_task bigint, p_repo bigint) returns table (what text, usd numeric, reserved numeric, budget integer, ends_when text)
language plpgsql stable as $$
declare
        today date := (clock_timestamp() at time zone 'UTC')::date;
begin
        -- asked only when there is a budget: the sum of a day is not for nothing
        budget := orch.setting_int('budget_task_usd');
        if budget > 0 then
                what := 'the task';
                select c.usd, c.reserved into usd, reserved from orch.task_cost c where c.task_id = p_task;
                ends_when := 'the budget is raised: orchctl config set budget_task_usd';
                return next;
        end if;
        budget := orch.setting_int('budget_repo_day_usd');
        if budget > 0 then
                what := 'the repo, today';
                select c.usd, c.reserved into usd, reserved from orch.day_cost c where c.day = today and c.repo_id = p_repo;
                ends_when := format('it is %s 00:00Z, or: orchctl config set budget_repo_day_usd', today + 1);
                return next;
        end if;
        budget := orch.setting_int('budget_day_usd');
        if budget > 0 then
                what := 'all agents, today';
                select sum(c.usd), sum(c.reserved) into usd, reserved from orch.day_cost c where c.day = today;
                ends_when := format('it is %s 00:00Z, or: orchctl config set budget_day_usd', today + 1);
                return next;
        end if;
end
$$;
comment on function orch.budget_spent(bigint, bigint) is 'J-7: the budgets that apply to a task, what was spent of each, and what is reserved';

create view orch.axis_budget as
select j.id as job_id, format('%s has cost %s of %s dollars', b.what, round(coalesce(b.usd, 0), 2), b.budget)
               || case when b.reserved > 0 then format(', %s are reserved for what runs', round(b.reserved, 2)) else '' end
               || case when b.usd >= b.budget then '' else format(', and the %s is expected to cost %s', j.role, round(e.usd, 2)) end as reason,
       case when b.reserved > 0 then 'what runs has cost less than is reserved, or ' else '' end || b.ends_when as ends_when
from orch.job j cross join lateral orch.budget_spent(j.task_id, j.repo_id) b
cross join lateral (select orch.cost_estimate(j.role, j.repo_id) as usd) e
where j.status = 'queued' and j.kind = 'agent' and (b.usd >= b.budget or coalesce(b.usd, 0) + coalesce(b.reserved, 0) + e.usd > b.budget);
comment on view orch.axis_budget is 'J-7: blocks agents when the budget of their task, of their repo for the day, or of the day is spent, or would be with what is reserved for what runs and expected of them';
comment on column orch.axis_budget.job_id is 'The queued job';
comment on column orch.axis_budget.reason is 'Why it is blocked';
comment on column orch.axis_budget.ends_when is 'What would unblock it';
