-- 79_whatif: what would start next, in what order, if something were different (B-2). The real acts and the real claim run
-- in a subtransaction that always ends in an exception, so that nothing of it stays, whoever calls and whatever fails:
-- only what PL/pgSQL variables remember comes out of it. Rows that it looks at closely are locked for as long as it takes.

create function orch.whatif_allowed(p_act text) returns boolean
language sql immutable
return p_act in ('setting_set', 'freeze', 'unfreeze', 'pause', 'resume', 'priority_set', 'cancel', 'retry', 'dependency_add', 'dependency_remove',
        'limit_set', 'limit_remove', 'approve', 'item_create');
comment on function orch.whatif_allowed(text) is 'B-2: the acts that can be supposed: those whose whole effect is in the database';

create function orch.whatif_apply(p_changes jsonb) returns void
language plpgsql as $$
declare
        change jsonb;
        a orch.act;
        refusal text;
begin
        for change in select value from jsonb_array_elements(p_changes) loop
                select * into a from orch.act t where t.key = change ->> 'act' and orch.whatif_allowed(t.key);
                if not found then
                        perform orch.refuse('OR003', format('%s cannot be supposed', orch.quoted(change ->> 'act')), 'Such as: setting_set, freeze, unfreeze, pause, resume, priority_set, cancel');
                end if;
                refusal := orch.act_refusal(a, (select jsonb_object_agg(j ->> 'name', change -> (j ->> 'name')) from jsonb_array_elements(a.parameters) j
                                                where j ->> 'in' <> 'path')
                        || (change - 'act' - array(select j ->> 'name' from jsonb_array_elements(a.parameters) j)));
                if refusal is not null then
                        perform orch.refuse('OR003', format('%s: %s', a.key, refusal));
                end if;
                perform orch.act_call(a, change - 'act');
        end loop;
end
$$;
comment on function orch.whatif_apply(jsonb) is 'Does the acts of a supposition, [{"act", arguments...}], in their order';

create function orch.whatif_starts(p_changes jsonb, p_limit integer) returns jsonb
language plpgsql as $$
declare
        starts jsonb := '[]';
        me record;
        j record;
        hopes integer;
        hopes_before integer := -1;
begin
        begin
                perform set_config('lock_timeout', '2s', true);
                perform orch.whatif_apply(p_changes);
                select * into me from orch.process_start('what-if', 'what-if', 'workerd', 1, 1, 'what-if');
                update orch.host set labels = array(select distinct l from (select unnest(requires) as l from orch.role union all select unnest(requires) from orch.project) r)
                where name = 'what-if';
                perform orch.lanes_refresh(1000000); -- all that was touched, not some at a time: the order is to be right
                while jsonb_array_length(starts) < p_limit loop
                        select c.*, t.priority as task_priority into j from orch.job_claim(me.process_id, me.epoch) c join orch.task t on t.id = c.task_id;
                        if not found then
                                -- a claim looks at some lanes only; as long as it has found out something, there may be more
                                hopes := (select sum(5 - r.entry_rank) from orch.repo r where r.entry_rank is not null);
                                exit when hopes is not distinct from hopes_before;
                                hopes_before := hopes;
                                continue;
                        end if;
                        starts := starts || jsonb_build_object('place', jsonb_array_length(starts) + 1, 'work_item', j.work_item, 'title', j.title, 'repo', j.repo,
                                'stage', j.stage, 'role', j.role, 'priority', j.task_priority, 'job', j.job_id);
                end loop;
                raise exception 'nothing of this stays' using errcode = 'ORRBK';
        exception when sqlstate 'ORRBK' then
                return starts;
        end;
end
$$;
comment on function orch.whatif_starts(jsonb, integer) is 'The jobs that would start, in order, on a host with slots without end, if these acts were done first. Leaves nothing.';

create function orch.whatif(p_changes jsonb default '[]', p_limit integer default 20) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        changes jsonb := coalesce(p_changes, '[]');
        n integer := coalesce(p_limit, 20);
        as_is jsonb;
        supposed jsonb;
begin
        if jsonb_typeof(changes) <> 'array' or jsonb_array_length(changes) > 100 then
                perform orch.refuse('OR003', 'the changes must be a list of at most 100', 'Such as [{"act": "freeze", "repo": "demo", "reason": "what if"}]');
        elsif n not between 1 and 200 then
                perform orch.refuse('OR003', format('a limit of %s is out of range', n), 'Use 1 to 200');
        end if;
        as_is := orch.whatif_starts('[]', n);
        supposed := case when changes = '[]' then as_is else orch.whatif_starts(changes, n) end;
        return jsonb_build_object('changes', changes, 'starts', supposed, 'as_is', as_is,
                'only_now', (select coalesce(jsonb_agg(a ->> 'work_item'), '[]') from jsonb_array_elements(as_is) a
                             where not exists (select from jsonb_array_elements(supposed) s where s ->> 'job' = a ->> 'job')),
                'only_then', (select coalesce(jsonb_agg(s ->> 'work_item'), '[]') from jsonb_array_elements(supposed) s
                              where not exists (select from jsonb_array_elements(as_is) a where a ->> 'job' = s ->> 'job')));
end
$$;
comment on function orch.whatif(jsonb, integer) is
        'B-2: what would start next, in order, as things are and if these acts, [{"act", arguments...}], were done. Runs the real scheduler and rolls it back; nothing stays. Every start takes a slot, none ends.';
