-- What the specs of isolationtester share: a small world per permutation, acts in words, and a verdict in the end.
create schema spec;

-- The tables that a migration leaves empty.
create table spec.emptied (name text);
do $$
declare
        t text;
        has_rows boolean;
begin
        for t in select tablename from pg_tables where schemaname = 'orch' loop
                execute format('select exists (select from orch.%I)', t) into has_rows;
                insert into spec.emptied select t where not has_rows;
        end loop;
end
$$;

-- Nothing of the permutation before is left.
create function spec.clear() returns void language plpgsql as $$
declare
        t text;
begin
        set local session_replication_role = replica; -- history is append-only, and this database is thrown away
        for t in select name from spec.emptied loop
                execute format('delete from orch.%I', t);
        end loop;
        update orch.setting_row set value = standard where value <> standard;
        set local session_replication_role = origin;
end
$$;

-- The world of one permutation: repos one and two, each with a local project, and two live workers.
create function spec.begin_world() returns void language plpgsql as $$
begin
        perform spec.clear();
        perform orch.project_add(r, r, 'local', '/nonexistent/' || r, 'main', upper(r), 'true') from unnest('{one,two}'::text[]) r;
        perform orch.process_start(h, 'boot-1', 'workerd', 1, 1, 'test') from unnest('{p1,p2}'::text[]) h;
end
$$;

create function spec.worker(p_name text, out id bigint, out epoch bigint) language sql as $$
        select p.id, p.epoch from orch.process p join orch.host h on h.id = p.host_id where h.name = p_name order by p.id desc limit 1
$$;

-- What workerd does with the events of the local tracker.
create function spec.take_events() returns text language plpgsql as $$
declare
        e record;
        body jsonb;
        said text;
begin
        for e in select * from orch.event_unrouted(100) loop
                body := (select convert_from(v.body, 'UTF8')::jsonb from orch.event v where v.id = e.event_id);
                perform orch.event_route(e.event_id, 'item:' || (body ->> 'work_item'), 'tracker.item', body ->> 'project', body ->> 'work_item', body);
        end loop;
        select string_agg(h.outcome, '; ') into said from orch.event_handle(100) h;
        return coalesce(said, 'nothing');
end
$$;

create function spec.item(p_repo text, p_title text default 'A thing', p_priority int default 2) returns text language plpgsql as $$
declare
        name text := orch.item_create(p_repo, p_title, '', p_priority) ->> 'work_item';
begin
        perform spec.take_events();
        return name;
end
$$;

-- Each step says one word or list of words: what was claimed, or what the act came to.
create function spec.claim(p_worker text, p_limit int default 1) returns text language plpgsql as $$
declare
        w record := spec.worker(p_worker);
        said text;
begin
        select string_agg(c.work_item || ':' || c.role, ' ') into said from orch.job_claim(w.id, w.epoch, p_limit) c;
        return coalesce(said, 'nothing');
end
$$;

create function spec.succeed(p_item text) returns text language sql as $$
        select orch.job_finish(j.id, j.epoch, j.token, 'success', jsonb_build_object('head_sha', repeat('a', 40), 'code_tree', repeat('b', 40),
                'evidence', jsonb_build_array(jsonb_build_object('gate', case j.role when 'analyst' then 'artefacts_analyst' else 'architecture_done' end, 'value', 'present'))))
        from orch.job j join orch.task t on t.id = j.task_id where t.work_item = p_item and j.status = 'running'
$$;

-- An item that is under way: its next job, the architect's, is queued.
create function spec.under_way(p_repo text) returns text language plpgsql as $$
declare
        name text := spec.item(p_repo);
begin
        perform spec.claim('p1', 1), spec.succeed(name), orch.approve(name, null);
        return name;
end
$$;

create function spec.act(p_statement text) returns text language plpgsql as $$
begin
        execute p_statement;
        return 'done';
exception when sqlstate 'OR002' then
        return 'refused';
end
$$;

-- What must hold whatever came before what; claims all that is left, so that nothing claimable may remain.
create function spec.verdict() returns text language plpgsql as $$
declare
        wrong text[] := '{}';
        claimed int;
begin
        wrong := wrong || array(select format('%s has %s running jobs', t.work_item, count(*)) from orch.task t join orch.job j on j.task_id = t.id
                where j.status = 'running' group by t.id having count(*) > 1);
        wrong := wrong || array(select format('job %s has %s open runs', r.job_id, count(*)) from orch.run r where r.ended_at is null group by r.job_id having count(*) > 1);
        wrong := wrong || array(select format('job %s runs without its run', j.id) from orch.job j where j.status = 'running'
                and not exists (select from orch.run r where r.job_id = j.id and r.epoch = j.epoch and r.token = j.token and r.ended_at is null));
        wrong := wrong || array(select format('job %s runs for a dead worker', j.id) from orch.job j join orch.process p on p.id = j.process_id
                where j.status = 'running' and p.ended_at is not null and j.orphaned_at is null);
        wrong := wrong || array(select format('%s is over, and its job %s', t.work_item, j.status) from orch.task t join orch.job j on j.task_id = t.id
                where t.terminal and j.active);
        wrong := wrong || array(select format('%s waits for itself', x.id) from (
                with recursive reach (id, holder) as (select d.task_id, d.waits_for from orch.task_dependency d
                        union select r.id, d.waits_for from reach r join orch.task_dependency d on d.task_id = r.holder)
                select id from reach where id = holder) x);
        wrong := wrong || array(select format('limit %s %s: %s run of %s', l.scope, l.name, n.running, l.slots) from orch.capacity_limit l
                cross join lateral (select count(*) as running from orch.job j join orch.repo r on r.id = j.repo_id where j.status = 'running'
                        and l.name = case l.scope when 'global' then '' when 'repo' then r.name when 'role' then j.role end) n where n.running > l.slots
                and exists (select from orch.job j where j.status = 'running' and j.claimed_at > l.changed_at));
        perform orch.process_start('p3', 'boot-1', 'workerd', 1, 1, 'test');
        loop
                select count(*) into claimed from spec.claim('p3', 100) c where c <> 'nothing';
                exit when claimed = 0;
        end loop;
        wrong := wrong || array(select format('job %s is claimable, and no claim finds it', c.id) from orch.claimable_job c);
        return case when wrong = '{}' then 'good' else array_to_string(wrong, '; ') end;
end
$$;

-- Takes one item in, as the event about it would.
create function spec.take_in(p_item text) returns text language sql as $$
        select orch.intake(p, orch.item_of(i), 'spec') from orch.local_item i join orch.project p on p.id = i.project_id where i.work_item = p_item
$$;
