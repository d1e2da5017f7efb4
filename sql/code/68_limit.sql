-- 68_limit: acts on capacity (S-7), on the labels that hosts must have, and on the circuits of providers (J-4). What they hold up is said by the axes.

create function orch.limit_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('limits', coalesce(jsonb_agg(to_jsonb(l) - 'id' order by l.scope, l.name), '[]')) from orch.capacity_limit l;
end;
comment on function orch.limit_list() is 'S-7: the limits that were set';

create function orch.limit_check(p_scope text, p_name text) returns void
language plpgsql stable as $$
begin
        if p_scope is null or p_scope not in ('global', 'repo', 'role', 'host') then
                perform orch.refuse('OR003', format('there is no scope %s', orch.quoted(p_scope)), 'Use global, repo, role or host');
        elsif p_scope = 'global' and coalesce(p_name, '') <> '' then
                perform orch.refuse('OR003', 'the scope global has no name');
        elsif p_scope <> 'global' and coalesce(p_name, '') = '' then
                perform orch.refuse('OR003', format('the scope %s wants the name of a %s', p_scope, p_scope));
        elsif not (case p_scope when 'repo' then exists (select from orch.repo where name = p_name)
                               when 'role' then exists (select from orch.role where key = p_name)
                               when 'host' then exists (select from orch.host where name = p_name) else true end) then
                perform orch.refuse('OR001', format('there is no %s %s', p_scope, orch.quoted(p_name)));
        end if;
end
$$;
comment on function orch.limit_check(text, text) is 'Refuses a limit of something that there is not';

create function orch.limit_done(p_act text, p_scope text, p_name text, p_before jsonb, p_said text) returns jsonb
language plpgsql as $$
declare
        after jsonb := orch.limit_list();
        object text := concat_ws(' ', p_scope, nullif(p_name, ''));
begin
        if after <> p_before then
                perform orch.record('limit', orch.actor(), null, null, null, jsonb_build_object('scope', p_scope, 'name', nullif(p_name, ''), 'slots',
                        (select l.slots from orch.capacity_limit l where l.scope = p_scope and l.name = p_name)), (select id from orch.repo where p_scope = 'repo' and name = p_name));
                perform orch.wake();
        end if;
        perform orch.audit_act(p_act, object, '{}', p_before, after);
        return after || jsonb_build_object('message', p_said);
end
$$;
comment on function orch.limit_done(text, text, text, jsonb, text) is 'History, audit and answer of a limit that was set or removed';

create function orch.limit_set(p_scope text, p_name text, p_slots integer) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb;
        said text := concat_ws(' ', p_scope, nullif(p_name, ''));
begin
        perform orch.limit_check(p_scope, p_name);
        if p_slots is null or p_slots not between 0 and 10000 then
                perform orch.refuse('OR003', format('%s is no limit', coalesce(p_slots::text, '(none)')), 'Use 0 (none starts) to 10000; take a limit away with: orchctl limit remove');
        end if;
        lock table orch.capacity_limit in share row exclusive mode; -- before and after are of this act alone
        before := orch.limit_list();
        insert into orch.capacity_limit as l (scope, name, slots, changed_by) values (p_scope, coalesce(p_name, ''), p_slots, orch.actor())
        on conflict (scope, name) do update set slots = excluded.slots, changed_by = excluded.changed_by, changed_at = clock_timestamp() where l.slots <> excluded.slots;
        return orch.limit_done('limit_set', p_scope, coalesce(p_name, ''), before,
                format('%s: at most %s at once%s', said, p_slots, case when p_slots = 0 then ', so none starts' else '' end));
end
$$;
comment on function orch.limit_set(text, text, integer) is 'S-7: at most so many jobs at once, in all, of a repo, of a role, or on a host; below what runs now it only keeps new ones from starting';

create function orch.limit_remove(p_scope text, p_name text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb;
        said text := concat_ws(' ', p_scope, nullif(p_name, ''));
begin
        if p_scope is null or p_scope not in ('global', 'repo', 'role', 'host') then
                perform orch.limit_check(p_scope, p_name);
        end if;
        lock table orch.capacity_limit in share row exclusive mode;
        before := orch.limit_list();
        delete from orch.capacity_limit where scope = p_scope and name = coalesce(p_name, '');
        return orch.limit_done('limit_remove', p_scope, coalesce(p_name, ''), before,
                format(case when found then '%s: no limit any more' else '%s has no limit' end, said));
end
$$;
comment on function orch.limit_remove(text, text) is 'S-7: takes a limit away, also one of something that is gone';

create function orch.label_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('labels', coalesce(jsonb_agg(jsonb_build_object('scope', x.scope, 'name', x.name, 'requires', x.requires) order by x.scope desc, x.name), '[]'),
                'hosts', (select coalesce(jsonb_agg(jsonb_build_object('host', h.name, 'labels', h.labels) order by h.name), '[]') from orch.host h
                          where exists (select from orch.worker w where w.host = h.name)))
        from (select 'role' as scope, o.key as name, o.requires from orch.role o union all select 'project', p.name, p.requires from orch.project p) x
        where x.requires <> '{}';
end;
comment on function orch.label_list() is 'S-7: the labels that a host must have to run jobs of a role or of a project, and those that the hosts of living workers have';

create function orch.label_set(p_scope text, p_name text, p_labels text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        wanted text[] := array(select distinct w from regexp_split_to_table(btrim(coalesce(p_labels, ''), E' ,\t\n'), E'[\\s,]+') w where w <> '' order by w);
        before jsonb;
        r bigint;
begin
        if p_scope is null or p_scope not in ('role', 'project') then
                perform orch.refuse('OR003', format('labels are not required by a %s', orch.quoted(p_scope)), 'Use role or project; the labels of a host are its option host_labels');
        elsif exists (select from unnest(wanted) w where w !~ '^[A-Za-z0-9._-]{1,64}$') or cardinality(wanted) > 32 then
                perform orch.refuse('OR003', format('%s is no list of labels', orch.quoted(p_labels)), 'At most 32, of letters, digits, dot, dash and underscore, separated by commas');
        end if;
        if p_scope = 'role' then
                select to_jsonb(o.requires) into before from orch.role o where o.key = p_name for no key update;
        else
                select to_jsonb(p.requires), p.repo_id into before, r from orch.project p where p.name = p_name for no key update;
        end if;
        if before is null then
                perform orch.refuse('OR001', format('there is no %s %s', p_scope, orch.quoted(p_name)));
        elsif before <> to_jsonb(wanted) then
                update orch.role set requires = wanted where p_scope = 'role' and key = p_name;
                update orch.project set requires = wanted where p_scope = 'project' and name = p_name;
                insert into orch.lane_touch (repo_id) select id from orch.repo;
                perform orch.record('limit', orch.actor(), null, null, null, jsonb_build_object('scope', p_scope, 'name', p_name, 'requires', wanted), r);
                perform orch.wake();
        end if;
        perform orch.audit_act('label_set', p_scope || ' ' || p_name, jsonb_build_object('labels', p_labels), before, to_jsonb(wanted));
        return orch.label_list() || jsonb_build_object('message', format('%s %s: %s', p_scope, p_name,
                case when wanted = '{}' then 'any host may run its jobs' else 'only hosts with the labels ' || array_to_string(wanted, ', ') || ' run its jobs' end));
end
$$;
comment on function orch.label_set(text, text, text) is 'S-7: the labels that a host must have to run jobs of a role or of a project, instead of those before; none: any host may. What runs goes on';

create function orch.circuit_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('providers', coalesce(jsonb_agg(to_jsonb(c) order by c.provider), '[]')) from orch.provider_circuit c;
end;
comment on function orch.circuit_list() is 'J-4: the providers that were ever seen to fail, and whether they can be asked now';

create function orch.circuit_close(p_provider text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        c orch.provider_circuit;
        said text := format('the circuit of %s is closed already', p_provider);
begin
        select * into c from orch.provider_circuit where provider = p_provider for no key update;
        if not found then
                perform orch.refuse('OR001', format('there is no provider %s', orch.quoted(p_provider)), 'List them with: orchctl circuit list');
        elsif c.state <> 'closed' then
                update orch.provider_circuit set state = 'closed', open_until = null, reason = null, changed_at = clock_timestamp() where provider = p_provider;
                perform orch.record('circuit', orch.actor(), null, null, null, jsonb_build_object('provider', p_provider, 'from', c.state, 'to', 'closed'));
                perform orch.wake();
                said := format('the circuit of %s is closed: its jobs go on', p_provider);
        end if;
        perform orch.audit_act('circuit_close', p_provider, '{}', to_jsonb(c), (select to_jsonb(k) from orch.provider_circuit k where k.provider = p_provider));
        return orch.circuit_list() || jsonb_build_object('message', said);
end
$$;
comment on function orch.circuit_close(text) is 'J-4: lets the jobs of a provider go on at once, without a probe';
