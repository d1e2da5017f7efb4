-- 47_usage: what runs of agents used, and what that cost (J-7). A run's figures only grow: while it runs its worker tells
-- what has been used so far, its end tells the rest. The agent's own sum counts where it says one; a run that was killed
-- before is priced by its tokens.

create function orch.usage_cost(p_usage jsonb, p_day date, out usd numeric, out source text)
language plpgsql stable as $$
declare
        m record;
        p orch.model_price;
begin
        usd := (p_usage ->> 'cost_micro_usd')::numeric / 1000000;
        source := 'agent';
        if usd is not null then
                return;
        end if;
        source := 'prices';
        for m in select key as name, value as tokens from jsonb_each(p_usage -> 'models') loop
                select * into p from orch.model_price k where starts_with(m.name, k.model) and k.since <= p_day order by length(k.model) desc, k.since desc limit 1;
                if not found then -- a budget is not to be fooled by a new name
                        source := 'dearest';
                        select null, null, max(k.input), max(k.output), max(k.cache_read), max(k.cache_write) into p from orch.model_price k;
                end if;
                usd := coalesce(usd, 0) + ((m.tokens ->> 'input')::numeric * p.input + (m.tokens ->> 'output')::numeric * p.output
                        + (m.tokens ->> 'cache_read')::numeric * p.cache_read + (m.tokens ->> 'cache_write')::numeric * p.cache_write) / 1000000;
        end loop;
end
$$;
comment on function orch.usage_cost(jsonb, date) is 'J-7: what was used, in dollars, and who says so; null when nothing is known';

create function orch.run_note(p_run bigint, p_report jsonb) returns void
language plpgsql as $$
declare
        used jsonb := case when jsonb_typeof(p_report -> 'usage') = 'object' then p_report -> 'usage' end;
        cost record;
begin
        if not p_report ?| array['usage', 'model', 'agent_version', 'session_id', 'session_retired'] then
                return; -- most runs are no agent's
        end if;
        select case when c.usd > 999999 then 999999 else c.usd end as usd, c.source into cost -- not least(), which makes 999999 of a null
        from orch.run r cross join lateral orch.usage_cost(used, (r.started_at at time zone 'UTC')::date) c where r.id = p_run;
        update orch.run r set usage = coalesce(used, r.usage),
                cost_usd = greatest(r.cost_usd, cost.usd), -- null: the other one
                cost_source = case when cost.usd is null or cost.usd < r.cost_usd then r.cost_source else cost.source end,
                model = coalesce(left(p_report ->> 'model', 200), r.model), agent_version = coalesce(left(p_report ->> 'agent_version', 200), r.agent_version),
                session_id = case when p_report ->> 'session_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (p_report ->> 'session_id')::uuid else r.session_id end
        where r.id = p_run;
        if p_report ->> 'session_retired' is not null then -- all of them: no older one may revive it
                update orch.run r set session_retired = left(p_report ->> 'session_retired', 200)
                where r.job_id = (select k.job_id from orch.run k where k.id = p_run) and r.session_id is not null and r.session_retired is null;
        end if;
end
$$;
comment on function orch.run_note(bigint, jsonb) is 'J-2, J-7: stores what an agent said of itself: model, session, use; nothing gets less by it';

create function orch.run_usage(p_job bigint, p_epoch bigint, p_token uuid, p_usage jsonb) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        run bigint := (select r.id from orch.run r join orch.job j on j.id = r.job_id and j.epoch = r.epoch and j.token = r.token and j.status = 'running'
                       where r.job_id = p_job and r.epoch = p_epoch and r.token = p_token and r.ended_at is null for no key update of r);
begin
        if run is not null then
                perform orch.run_note(run, jsonb_build_object('usage', p_usage));
        end if;
        return run is not null;
end
$$;
comment on function orch.run_usage(bigint, bigint, uuid, jsonb) is 'J-7: what a run has used so far, so that it is known should the run be lost; false: fenced';

create function orch.former_sessions(p_job bigint, p_epoch bigint, p_host bigint) returns text
language sql stable
return (select string_agg(format('%s:%s', s.epoch, s.session_id), ' ' order by s.epoch desc)
        from (select r.epoch, r.session_id from orch.run r join orch.process p on p.id = r.process_id
              where r.job_id = p_job and r.epoch < p_epoch and r.session_id is not null and r.session_retired is null and p.host_id = p_host
              order by r.epoch desc limit 5) s);
comment on function orch.former_sessions(bigint, bigint, bigint) is 'J-2: sessions of earlier runs of a job on a host, newest first, EPOCH:SESSION; one whose transcript is there is gone on with';

create view orch.run_spent as
select r.id as run, j.task_id, j.repo_id, j.role, (r.started_at at time zone 'UTC')::date as day, r.outcome, r.model,
       u.input, u.output, u.cache_read, u.cache_write, (r.usage ->> 'turns')::integer as turns, r.cost_usd as usd, r.cost_source
from orch.run r join orch.job j on j.id = r.job_id
cross join lateral (select sum((m.value ->> 'input')::bigint) as input, sum((m.value ->> 'output')::bigint) as output,
                           sum((m.value ->> 'cache_read')::bigint) as cache_read, sum((m.value ->> 'cache_write')::bigint) as cache_write
                    from jsonb_each(r.usage -> 'models') m) u
where r.usage is not null or r.cost_usd is not null;
comment on view orch.run_spent is 'J-7: what each run used, the killed ones and those under way among them';
comment on column orch.run_spent.run is 'Run';
comment on column orch.run_spent.task_id is 'Task';
comment on column orch.run_spent.repo_id is 'Repo';
comment on column orch.run_spent.role is 'Role';
comment on column orch.run_spent.day is 'Day it was started (UTC)';
comment on column orch.run_spent.outcome is 'How it ended; null while it runs';
comment on column orch.run_spent.model is 'Model it began with';
comment on column orch.run_spent.input is 'Tokens that were sent';
comment on column orch.run_spent.output is 'Tokens that were answered';
comment on column orch.run_spent.cache_read is 'Tokens that the provider remembered';
comment on column orch.run_spent.cache_write is 'Tokens that the provider was told to remember';
comment on column orch.run_spent.turns is 'Turns';
comment on column orch.run_spent.usd is 'Dollars';
comment on column orch.run_spent.cost_source is 'Who says so: agent, prices, dearest';

create view orch.task_usage as
select task_id, count(*) as runs, sum(input) as input, sum(output) as output, sum(cache_read) as cache_read, sum(cache_write) as cache_write, sum(usd) as usd,
       sum(usd) filter (where outcome <> 'success') as wasted_usd
from orch.run_spent group by task_id;
comment on view orch.task_usage is 'J-7: what the runs of each task used';
comment on column orch.task_usage.task_id is 'Task';
comment on column orch.task_usage.runs is 'Runs that used something';
comment on column orch.task_usage.input is 'Tokens that were sent';
comment on column orch.task_usage.output is 'Tokens that were answered';
comment on column orch.task_usage.cache_read is 'Tokens that the provider remembered';
comment on column orch.task_usage.cache_write is 'Tokens that the provider was told to remember';
comment on column orch.task_usage.usd is 'Dollars';
comment on column orch.task_usage.wasted_usd is 'Dollars of runs that did not succeed';

create view orch.day_usage as
select day, repo_id, model, count(*) as runs, sum(input) as input, sum(output) as output, sum(cache_read) as cache_read, sum(cache_write) as cache_write, sum(usd) as usd,
       sum(usd) filter (where outcome <> 'success') as wasted_usd
from orch.run_spent group by day, repo_id, model;
comment on view orch.day_usage is 'J-7: what the runs of each repo used in each day (UTC), by the model they began with';
comment on column orch.day_usage.day is 'Day';
comment on column orch.day_usage.repo_id is 'Repo';
comment on column orch.day_usage.model is 'Model; null: not known';
comment on column orch.day_usage.runs is 'Runs that used something';
comment on column orch.day_usage.input is 'Tokens that were sent';
comment on column orch.day_usage.output is 'Tokens that were answered';
comment on column orch.day_usage.cache_read is 'Tokens that the provider remembered';
comment on column orch.day_usage.cache_write is 'Tokens that the provider was told to remember';
comment on column orch.day_usage.usd is 'Dollars';
comment on column orch.day_usage.wasted_usd is 'Dollars of runs that did not succeed';
