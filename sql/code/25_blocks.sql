-- 25_blocks: the one list of axes; the one list of blocks that is made of it; and what happens when an axis cannot be
-- evaluated (S-13). To add an axis: its view, and a line here. docs/HACKING.md shows it.

delete from orch.axis;
insert into orch.axis (key, precedence, view, applies_to, on_failure, announced, about) values
        ('cancel', 10, 'axis_cancel', 'all', 'closed', true, 'S-1: the task is terminal or being cancelled'),
        ('freeze', 20, 'axis_freeze', 'entry', 'closed', true, 'S-2: the repo is frozen'),
        ('pause', 30, 'axis_pause', 'all', 'open', true, 'S-3: the task is paused'),
        ('dependency', 40, 'axis_dependency', 'all', 'open', true, 'S-4: a predecessor of the task is not terminal'),
        ('active-task', 50, 'axis_serial', 'entry', 'open', true, 'S-5: the repo has an earlier active task'),
        -- open: at worst a job is tried again too early, and its attempts are bounded
        ('backoff', 60, 'axis_backoff', 'all', 'open', false, 'S-6: the time of the job has not come'),
        -- open: the view only says why; the claim takes slots and asks the circuit by itself, so limits hold without it
        ('capacity', 70, 'axis_capacity', 'all', 'open', false, 'S-7, J-4, J-5: a limit is reached, a provider cannot be asked, or no host fits'),
        -- open: the claim takes the leases by itself
        ('lease', 75, 'axis_lease', 'all', 'open', false, 'T-1, M-1: another owns the lease that the job needs'),
        -- open: a job that finds the forge away goes back without having used up anything
        ('forge', 77, 'axis_forge', 'all', 'open', false, 'I-7: the forge of the project cannot be asked'),
        -- closed: money that was spent does not come back, and what is under way may still be ended
        ('budget', 80, 'axis_budget', 'all', 'closed', false, 'J-7: a budget is spent');

create function orch.job_block_make() returns void
language plpgsql as $$
begin
        execute 'create view orch.job_block as ' || (select string_agg(
                format('select job_id, %s::integer as precedence, %L::text as axis, reason, ends_when from orch.%I', precedence, key, view),
                ' union all ' order by precedence) from orch.axis);
end
$$;
comment on function orch.job_block_make() is 'Makes orch.job_block of the list';
select orch.job_block_make();
comment on view orch.job_block is 'S-14: every reason why a queued job may not be claimed, all axes of orch.axis in one list; a job with no row here is claimable';
comment on column orch.job_block.job_id is 'The queued job';
comment on column orch.job_block.precedence is 'Order of the axes: the lowest is named first';
comment on column orch.job_block.axis is 'The axis that blocks';
comment on column orch.job_block.reason is 'Why it is blocked';
comment on column orch.job_block.ends_when is 'What would unblock it';

create function orch.is_axis_fault(p_sqlstate text) returns boolean
language sql immutable
return left(p_sqlstate, 2) not in ('40', '53', '57', '58') and p_sqlstate <> '55P03';
comment on function orch.is_axis_fault(text) is
        'S-13: whether an error says that a view is broken, or its data; deadlocks, lock timeouts, shutdowns and a lack of memory or disk do not, and are raised again';

create function orch.axis_ask(a orch.axis, p_job bigint) returns setof orch.block
language plpgsql stable as $$
begin
        return query execute format('select job_id, %s, %L, reason, ends_when from orch.%I where job_id = $1', a.precedence, a.key, a.view) using p_job;
end
$$;
comment on function orch.axis_ask(orch.axis, bigint) is 'What one axis says of a job';

create function orch.axis_answers(p_job bigint) returns table (block orch.block, fault text)
language plpgsql stable as $$
declare
        a orch.axis;
        entry boolean := (select j.entry from orch.job j where j.id = p_job);
        said orch.block[];
begin
        for a in select * from orch.axis x order by x.precedence loop -- all of them: whoever meets a broken one first tells of it
                begin
                        fault := null;
                        said := array(select b from orch.axis_ask(a, p_job) b);
                        foreach block in array said loop
                                return next;
                        end loop;
                exception when others then
                        if not orch.is_axis_fault(sqlstate) then
                                raise;
                        end if;
                        fault := sqlerrm;
                        block := case when a.on_failure = 'closed' and entry then
                                row(p_job, a.precedence, a.key, format('the axis %s cannot be evaluated: %s', a.key, left(sqlerrm, 200)),
                                    format('orch.%s can be read again', a.view))::orch.block
                                else row(p_job, a.precedence, a.key, null, null)::orch.block end;
                        return next;
                end;
        end loop;
end
$$;
comment on function orch.axis_answers(bigint) is
        'S-13: each axis asked by itself. One that fails has a row with its fault; that row is a block, with a reason, when the axis fails closed and the job is an entry job.';

create function orch.blocks_of(p_job bigint) returns setof orch.block
language plpgsql stable as $$
declare
        said orch.block[]; -- whole or not at all: rows returned before an error would stay
begin
        said := array(select row(b.job_id, b.precedence, b.axis, b.reason, b.ends_when)::orch.block from orch.job_block b where b.job_id = p_job);
        return query select * from unnest(said);
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        return query select (a.block).* from orch.axis_answers(p_job) a where (a.block).reason is not null;
end
$$;
comment on function orch.blocks_of(bigint) is 'S-14: why a queued job may not be claimed, for people; also when an axis is broken (S-13)';

create function orch.axis_fault_note(p_axis text, p_error text) returns void
language plpgsql as $$
declare
        new_id bigint;
begin
        update orch.axis_fault set last_at = clock_timestamp(), failures = failures + 1, error = left(p_error, 500)
        where id = (select f.id from orch.axis_fault f where f.axis = p_axis and f.cleared_at is null for no key update skip locked);
        if found then
                return;
        end if;
        insert into orch.axis_fault (axis, error) values (p_axis, left(p_error, 500))
        on conflict (axis) where cleared_at is null do nothing returning id into new_id;
        if new_id is not null then
                insert into orch.lane_touch (repo_id) select id from orch.repo; -- what it blocked may be let in now
                insert into orch.history (kind, actor, detail) values ('axis', session_user, jsonb_build_object('axis', p_axis, 'error', left(p_error, 500)));
                perform orch.alert_cluster('axis:' || p_axis, format('axis:%s:%s', p_axis, new_id), format('the axis %s cannot be evaluated: %s. %s', p_axis, left(p_error, 200),
                        (select case x.on_failure when 'open' then 'The scheduler goes on without it.' else 'No new work is let in.' end from orch.axis x where x.key = p_axis)));
        end if;
end
$$;
comment on function orch.axis_fault_note(text, text) is 'S-13: counts that an axis could not be evaluated; the first time there is one alert';

create function orch.job_blocks(p_jobs bigint[]) returns orch.block[]
language plpgsql as $$
declare
        a record;
        said orch.block[] := '{}';
begin
        -- with the reasons: a view that can say that it blocks, and not why, is broken as well
        return array(select row(b.job_id, b.precedence, b.axis, b.reason, b.ends_when)::orch.block
                     from unnest(p_jobs) j (id) cross join lateral (select * from orch.job_block k where k.job_id = j.id offset 0) b); -- offset: job by job, by its key
exception when others then
        if not orch.is_axis_fault(sqlstate) then
                raise;
        end if;
        for a in select x.block, x.fault from unnest(p_jobs) j (id) cross join lateral orch.axis_answers(j.id) x loop
                if a.fault is not null then
                        perform orch.axis_fault_note((a.block).axis, a.fault);
                end if;
                if (a.block).reason is not null then
                        said := said || a.block;
                end if;
        end loop;
        return said;
end
$$;
comment on function orch.job_blocks(bigint[]) is
        'S-13, S-14: what blocks these jobs, for the claim: asked of all axes at once and, when that fails, of each by itself; notes the faults';

create function orch.axis_check() returns integer
language plpgsql as $$
declare
        f record;
        jobs bigint[];
        n integer := 0;
begin
        for f in select x.id, x.axis, a as axis_row from orch.axis_fault x left join orch.axis a on a.key = x.axis
                 where x.cleared_at is null and x.last_at < clock_timestamp() - make_interval(secs => orch.setting_int('axis_fault_clear_s'))
                 order by x.id for no key update of x skip locked
        loop
                begin
                        jobs := array(select j.id from orch.job j where j.status = 'queued' and j.active and (j.entry or (f.axis_row).applies_to = 'all')
                                      order by j.task_id limit 20);
                        continue when jobs = '{}' and f.axis_row is not null; -- nobody has seen it work
                        perform from unnest(jobs) j (id) cross join lateral orch.axis_ask(f.axis_row, j.id) where f.axis_row is not null;
                        update orch.axis_fault set cleared_at = clock_timestamp() where id = f.id;
                        insert into orch.lane_touch (repo_id) select id from orch.repo;
                        insert into orch.history (kind, actor, detail) values ('axis', session_user, jsonb_build_object('axis', f.axis, 'works', true));
                        perform orch.wake();
                        n := n + 1;
                exception when others then
                        if not orch.is_axis_fault(sqlstate) then
                                raise;
                        end if;
                end;
        end loop;
        return n;
end
$$;
comment on function orch.axis_check() is
        'S-13: takes faults back that nobody has met for axis_fault_clear_s, when their axis answers for some queued jobs. Called by each beat while there is a fault.';

create view orch.claimable_job as
select j.id, j.repo_id, j.task_id, j.entry, j.kind, j.priority, j.created_at, j.run_at
from orch.job j
left join lateral (select h.task_id from orch.lane_head h where h.repo_id = j.repo_id and j.entry) head on true
left join lateral (select true as blocked from orch.job_block b where b.job_id = j.id limit 1) b on true
where j.status = 'queued' and (head.task_id is null or j.task_id <= head.task_id) and b.blocked is null;
comment on view orch.claimable_job is
        'The jobs that no axis blocks. LATERAL and LIMIT keep it to one look per job; jobs behind their lane''s head, which the serial axis blocks, are not looked at.';
comment on column orch.claimable_job.id is 'The job';
comment on column orch.claimable_job.repo_id is 'Its repo';
comment on column orch.claimable_job.task_id is 'Its task';
comment on column orch.claimable_job.entry is 'Whether it lets new work in';
comment on column orch.claimable_job.kind is 'Kind of its role';
comment on column orch.claimable_job.priority is 'Priority';
comment on column orch.claimable_job.created_at is 'When it was queued';
comment on column orch.claimable_job.run_at is 'Since when its time has come';
