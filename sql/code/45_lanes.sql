-- 45_lanes: what the entry claim knows of each lane (ADR 13). A lane is a repo: its row is the lane lock, and says since the
-- last look how urgent the lane's next entry job is, or that no axis lets one start. What may change that leaves a row
-- in orch.lane_touch; the next claim then writes down what there is to hope for, and who comes to the lane by its turn
-- looks. The axes decide, at each look; these rows only say where to look, and hope for too much rather than too little.

create function orch.entry_rank(p_priority smallint, p_since timestamptz, p_ageing_s integer) returns smallint
language sql volatile -- as clock_timestamp() is: a stable one would not be inlined
return case when p_ageing_s = 0 then p_priority
       else greatest(0, p_priority - floor(extract(epoch from clock_timestamp() - p_since) / p_ageing_s))::smallint end;
comment on function orch.entry_rank(smallint, timestamptz, integer) is 'S-11: the priority of an entry job, better by one for each priority_ageing_s that it has waited, at best 0: nothing starves';

create function orch.lane_gate(r orch.repo, out gated boolean, out head bigint)
language plpgsql as $$
begin
        select h.task_id into head from orch.lane_head h where h.repo_id = r.id;
        gated := head is not null or orch.serial_gated(r.name);
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        perform orch.axis_fault_note('active-task', sqlerrm);
        gated := false;
end
$$;
comment on function orch.lane_gate(orch.repo) is 'S-5, S-13: whether the serial gate applies to a repo, and the task at the head of its lane; when that cannot be evaluated, it does not apply';

create function orch.lane_rank(INOUT v orch.lane_view, j orch.job) returns orch.lane_view
language plpgsql as $$
declare
        ageing_s integer := orch.setting_int('priority_ageing_s');
        mine smallint := orch.entry_rank(j.priority, j.created_at, ageing_s);
        at_time timestamptz;
begin
        if v.job is null or (mine, j.id) < (v.rank, v.job) then
                v.job := j.id;
                v.rank := mine;
        end if;
        if mine > 0 and ageing_s > 0 then
                at_time := j.created_at + make_interval(secs => (j.priority - mine + 1)::float8 * ageing_s);
                if v.look_at is null or at_time < v.look_at then
                        v.look_at := at_time;
                        v.look_for := 'ageing';
                end if;
        end if;
end
$$;
comment on function orch.lane_rank(orch.lane_view, orch.job) is 'Adds an entry job that may start, as far as one knows: its rank, and when that improves';

create function orch.lane_hope(r orch.repo) returns orch.lane_view
language plpgsql as $$
declare
        v orch.lane_view;
        j orch.job;
        p smallint := 0;
begin
        loop
                select * into j from orch.job k where k.repo_id = r.id and k.priority >= p and k.status = 'queued' and k.entry order by k.priority, k.id limit 1;
                exit when not found;
                v := orch.lane_rank(v, j);
                p := j.priority + 1;
        end loop;
        return orch.lane_doubt(v);
end
$$;
comment on function orch.lane_hope(orch.repo) is 'The best that a look at a lane could find: no axis is asked. Of each priority the oldest has the best rank';

create function orch.lane_offer(INOUT v orch.lane_view, j orch.job) returns orch.lane_view
language plpgsql as $$
declare
        blocks orch.block[] := orch.job_blocks(array[j.id]);
        at_time timestamptz;
        what_for text;
begin
        if blocks = '{}' then
                v := orch.lane_rank(v, j);
                return;
        elsif cardinality(blocks) = 1 and blocks[1].axis = 'backoff' then
                what_for := 'backoff';
                at_time := j.run_at;
        elsif exists (select from unnest(blocks) b join orch.axis a on a.key = b.axis where a.announced) then
                return; -- lane_doubt()
        else
                what_for := 'poll';
                at_time := clock_timestamp() + make_interval(secs => orch.setting_int('lane_poll_s'));
        end if;
        if at_time < v.look_at or (v.look_at is null and at_time is not null) then
                v.look_at := at_time;
                v.look_for := what_for;
        end if;
end
$$;
comment on function orch.lane_offer(orch.lane_view, orch.job) is 'Adds what the axes say of one entry job to what a look has found so far';

create function orch.lane_doubt(v orch.lane_view) returns orch.lane_view
language plpgsql as $$
begin
        if v.job is null and v.look_at is null then
                v.look_at := clock_timestamp() + make_interval(secs => orch.setting_int('lane_doubt_s'));
                v.look_for := 'doubt';
        end if;
        return v;
end
$$;
comment on function orch.lane_doubt(orch.lane_view) is 'A lane that has nothing to offer until it is touched is looked at again all the same, after a while';

create function orch.lane_search(r orch.repo, faults text[]) returns orch.lane_view
language plpgsql as $$
declare
        v orch.lane_view;
        j orch.job;
        gate record;
        found_before bigint;
        looks integer;
begin
        gate := orch.lane_gate(r);
        v.gated := gate.gated and 'active-task' <> all (faults);
        if v.gated then
                -- later tasks wait for the head, and earlier ones are paused: as long as the axes work, only its own job can be next
                for j in select k.* from orch.task t join orch.job k on k.task_id = t.id and k.active and k.status = 'queued' and k.entry
                         where t.repo_id = r.id and not t.terminal and t.id <= gate.head and (t.id = gate.head or faults <> '{}') order by t.id
                loop
                        v := orch.lane_offer(v, j);
                end loop;
                return orch.lane_doubt(v);
        end if;
        for p in 0..4 loop
                found_before := v.job;
                looks := 0;
                for j in select * from orch.job k where k.repo_id = r.id and k.priority = p and k.status = 'queued' and k.entry order by k.id loop
                        v := orch.lane_offer(v, j);
                        looks := looks + 1;
                        -- what is not announced holds the whole lane, as a rule: nobody asks a thousand jobs in vain
                        exit when v.job is distinct from found_before or (looks >= 20 and (faults <> '{}' or v.look_for = 'poll'));
                end loop;
        end loop;
        return orch.lane_doubt(v);
end
$$;
comment on function orch.lane_search(orch.repo, text[]) is 'What lane_look() finds as long as just these axes are broken. Of each priority the oldest has the best rank, so no other is looked at.';

create function orch.lane_look(r orch.repo) returns orch.lane_view
language plpgsql as $$
declare
        v orch.lane_view;
        faults text[];
        met text[] := array(select f.axis from orch.axis_fault f where f.cleared_at is null order by 1);
begin
        loop
                faults := met;
                v := orch.lane_search(r, faults);
                met := array(select f.axis from orch.axis_fault f where f.cleared_at is null order by 1);
                exit when met <@ faults; -- one that was met just now: then more jobs than these may be next
        end loop;
        return v;
end
$$;
comment on function orch.lane_look(orch.repo) is 'The next entry job of a lane, by rank and id, that no axis blocks. Call it under the lane lock.';

create function orch.lane_note(r orch.repo, v orch.lane_view, p_started boolean) returns void
language plpgsql as $$
begin
        if p_started or (r.entry_rank, r.entry_job, r.look_at, r.look_for) is distinct from (v.rank, v.job, v.look_at, v.look_for) then
                update orch.repo set entry_rank = v.rank, entry_job = v.job, look_at = v.look_at, look_for = v.look_for,
                        last_started_at = case when p_started then clock_timestamp() else last_started_at end
                where id = r.id;
        end if;
end
$$;
comment on function orch.lane_note(orch.repo, orch.lane_view, boolean) is 'Writes down what a look has found';

create function orch.lane_look_again(p_repo bigint, p_touches bigint[]) returns boolean
language plpgsql as $$
declare
        r orch.repo;
        v orch.lane_view;
begin
        select * into r from orch.repo where id = p_repo for no key update skip locked;
        if not found then
                return false;
        end if;
        if p_touches <> '{}' then
                v := orch.lane_hope(r);
                delete from orch.lane_touch where id = any (p_touches);
        else
                v := orch.lane_look(r);
        end if;
        if p_touches = '{}' and r.look_for = 'doubt' and r.look_at <= clock_timestamp() and v.job is not null then
                update orch.repo set drifts = drifts + 1 where id = p_repo;
        end if;
        perform orch.lane_note(r, v, false);
        return v.job is not null and r.entry_rank is null;
end
$$;
comment on function orch.lane_look_again(bigint, bigint[]) is 'Looks at a lane whose time has come, or hopes for one that was touched, unless somebody else has its lock. The touches were read before: later ones stay for the next time. True: it may have an entry job now, and had none';

create function orch.lanes_refresh(p_limit integer) returns integer
language plpgsql as $$
declare
        lane record;
        found_new integer := 0;
        looked integer := 0;
        at_time timestamptz := clock_timestamp(); -- a volatile function is no condition of an index
begin
        for lane in (select t.repo_id as id, array_agg(t.id) as touches from (select * from orch.lane_touch order by id limit 2000) t
                     group by t.repo_id order by min(t.id) limit p_limit) -- lanes, not touches: a flood of one lane is one look
        loop
                found_new := found_new + orch.lane_look_again(lane.id, lane.touches)::integer;
                looked := looked + 1;
        end loop;
        for lane in (select r.id from orch.repo r where r.look_at <= at_time order by r.look_at limit p_limit)
        loop
                found_new := found_new + orch.lane_look_again(lane.id, '{}')::integer;
                looked := looked + 1;
        end loop;
        if looked >= p_limit then
                perform orch.wake(); -- there may be more
        end if;
        return found_new;
end
$$;
comment on function orch.lanes_refresh(integer) is 'Notes what lanes that were touched may have to offer, and looks at those whose time has come, some at a time. Returns how many of them may have an entry job now and had none.';
