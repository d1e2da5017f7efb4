-- 84_usage: what agents used and cost, for people (J-7).

create function orch.usage(p_days integer default 7) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        since date := (clock_timestamp() at time zone 'UTC')::date - least(greatest(coalesce(p_days, 7), 1), 366) + 1;
begin
        return jsonb_build_object('since', since,
                'days', coalesce((select jsonb_agg(jsonb_build_object('day', d.day, 'repo', r.name, 'model', d.model, 'runs', d.runs, 'input', d.input, 'output', d.output,
                        'cache_read', d.cache_read, 'cache_write', d.cache_write, 'usd', round(d.usd, 2)::text, 'wasted_usd', round(coalesce(d.wasted_usd, 0), 2)::text)
                        order by d.day desc, d.usd desc nulls last, r.name, d.model)
                        from orch.day_usage d join orch.repo r on r.id = d.repo_id where d.day >= since), '[]'),
                'items', coalesce((select jsonb_agg(i.item order by i.usd desc nulls last) from (
                        select u.usd, jsonb_build_object('work_item', orch.item_name(t), 'runs', u.runs, 'input', u.input, 'output', u.output,
                                'usd', round(u.usd, 2)::text, 'wasted_usd', round(coalesce(u.wasted_usd, 0), 2)::text) as item
                        from orch.task_usage u join orch.task t on t.id = u.task_id
                        where u.task_id in (select s.task_id from orch.run_spent s where s.day >= since) order by u.usd desc nulls last limit 25) i), '[]'));
end
$$;
comment on function orch.usage(integer) is 'J-7: what agents used and cost in the last days (UTC), by day, repo and model, and the dearest work items of these days';
