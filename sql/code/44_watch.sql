-- 44_watch: how workers do what a watch in production needs (M-5): probes, the report on the branch, the rollback. Each is
-- claimed under a fence of its own; whoever died with one is found by its process, and another goes on.

create function orch.held(p_process bigint) returns boolean
language sql stable
return exists (select from orch.process p where p.id = p_process and p.ended_at is null);
comment on function orch.held(bigint) is 'Whether the process that has something in hand lives';

create function orch.watch_wanted(p_host text) returns boolean
language sql stable
return exists (select from orch.probe p where p.ended_at is null and p.due_at <= clock_timestamp() and (p.asked_at is null or not orch.held(p.process_id)))
        or exists (select from orch.observation o where o.ended_at is not null and o.told_at is null and o.tell_at <= clock_timestamp()
                and (o.tell_token is null or not orch.held(o.tell_process)))
        or exists (select from orch.deploy_record d where d.kind = 'rollback' and d.finished_at is null and coalesce(d.host, p_host) = p_host
                and case when d.process_id is null then coalesce(d.begin_at <= clock_timestamp(), true) else not orch.held(d.process_id) end);
comment on function orch.watch_wanted(text) is 'Whether there is something for a worker of that host to do for a watch';

create function orch.probe_close(p_probe bigint, p_token uuid, p_result text, p_detail text) returns boolean
language plpgsql as $$
declare
        seen bigint := (select observation_id from orch.probe where id = p_probe);
begin
        perform from orch.repo where id = (select repo_id from orch.observation where id = seen) for no key update;
        update orch.probe set ended_at = clock_timestamp(), result = p_result, detail = left(p_detail, 500)
        where id = p_probe and ended_at is null and token is not distinct from p_token;
        if found then
                perform orch.observe_step(seen);
        end if;
        return found;
end
$$;
comment on function orch.probe_close(bigint, uuid, text, text) is 'T-5: stores the answer of a probe under its fence, and looks whether there is a verdict now. The lane first: a verdict may freeze it.';

create function orch.probes_missed() returns void
language plpgsql as $$
declare
        p record;
begin
        for p in select k.id, k.token from orch.probe k join orch.observation o on o.id = k.observation_id
                 where k.ended_at is null and k.due_at <= clock_timestamp()
                   and case when k.asked_at is null then k.due_at + make_interval(secs => greatest(orch.setting_int('probe_late_s'), o.window_s / o.checks_total)) < clock_timestamp()
                            else not orch.held(k.process_id) end
                 order by k.id limit 200
        loop
                perform orch.probe_close(p.id, p.token, 'no-data', case when p.token is null then 'nobody asked in time' else 'the worker that asked was lost' end);
        end loop;
end
$$;
comment on function orch.probes_missed() is 'M-5: probes that nobody has asked in time, or whose worker died, are no data: thirty at once are no watch of a quarter of an hour';

create function orch.probe_take(w orch.worker, p_limit integer) returns setof orch.probe
language sql
begin atomic
        update orch.probe set asked_at = clock_timestamp(), process_id = w.process_id, token = gen_random_uuid()
        where id in (select k.id from orch.probe k join orch.observation o on o.id = k.observation_id join orch.task t on t.id = o.task_id
                     join orch.project p on p.id = t.project_id
                     where k.ended_at is null and k.asked_at is null and k.due_at <= clock_timestamp() and p.requires <@ w.labels
                     order by k.due_at limit p_limit for no key update of k skip locked)
        returning *;
end;
comment on function orch.probe_take(orch.worker, integer) is 'Claims probes that are due';

create function orch.report_take(w orch.worker) returns setof orch.observation
language sql
begin atomic
        update orch.observation set tell_process = w.process_id, tell_token = gen_random_uuid()
        where id in (select o.id from orch.observation o
                     where o.ended_at is not null and o.told_at is null and o.tell_at <= clock_timestamp() and (o.tell_token is null or not orch.held(o.tell_process))
                     order by o.tell_at limit 1 for no key update skip locked)
        returning *;
end;
comment on function orch.report_take(orch.worker) is 'Claims the report of a watch that has ended';

create function orch.rollback_take(w orch.worker) returns setof orch.deploy_record
language sql
begin atomic
        update orch.deploy_record set process_id = w.process_id, token = gen_random_uuid()
        where id in (select d.id from orch.deploy_record d join orch.task t on t.id = d.task_id join orch.project p on p.id = t.project_id
                     where d.kind = 'rollback' and d.finished_at is null and coalesce(d.host, w.host) = w.host and p.requires <@ w.labels
                       and case when d.process_id is null then coalesce(d.begin_at <= clock_timestamp(), true) else not orch.held(d.process_id) end
                     order by d.id limit 1 for no key update of d skip locked)
        returning *;
end;
comment on function orch.rollback_take(orch.worker) is 'Claims a rollback: any worker before it was started, then one of its host';

create function orch.observation_text(o orch.observation) returns text
language sql stable
return concat_ws(E'\n', '---', 'post_deploy_status: ' || o.verdict, 'sha: ' || o.sha, '---', '',
        format('# After the deploy of %s', (select orch.item_name(t) from orch.task t where t.id = o.task_id)), '',
        format('%s: %s.', o.verdict, o.reason),
        case when o.decided_by is not null then format('Decided by %s: %s', o.decided_by, coalesce(o.comment, 'no comment was given')) end,
        (select format('Rollback: %s. %s', coalesce(d.status, 'under way'), coalesce(d.reason, '')) from orch.deploy_record d where d.task_id = o.task_id and d.kind = 'rollback' order by d.id desc limit 1),
        '', format('Watched by %s from %s to %s, %s probes over %s s; DEGRADED from %s failed ones on.', o.method,
                to_char(o.began_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), to_char(o.ended_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
                o.checks_total, o.window_s, least(o.degraded_at, o.checks_total)), '',
        '| round | healthy | failed | no data |', '|---|---|---|---|',
        (select string_agg(format('| %s | %s | %s | %s |', p.round, p.healthy, p.failed, p.no_data), E'\n' order by p.round)
         from (select k.round, count(*) filter (where result = 'healthy') as healthy, count(*) filter (where result = 'failed') as failed,
                      count(*) filter (where result = 'no-data') as no_data from orch.probe k where k.observation_id = o.id group by k.round) p), '');
comment on function orch.observation_text(orch.observation) is 'M-5: what 16-post-deploy.md says';

create function orch.watch_claim(p_process bigint, p_epoch bigint, p_limit integer)
returns table (what text, id bigint, token uuid, method text, target text, sha text, body text, work_item text, title text, repo text, location text,
        default_branch text, branch text, head_sha text, docs_dir text, dir text, initiated boolean, check_command text, token_file text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        w orch.worker;
begin
        if not orch.process_hold(p_process, p_epoch) then
                return;
        end if;
        select * into w from orch.worker k where k.process_id = p_process;
        if w.process_id is null then
                return; -- leaves
        end if;
        perform orch.probes_missed();
        return query
                with taken as (
                        select 'probe' as what, p.id, p.token, p.observation_id, null::orch.deploy_record as d from orch.probe_take(w, p_limit) p
                        union all
                        select 'report', r.id, r.tell_token, r.id, null from orch.report_take(w) r
                        union all
                        select 'rollback', b.id, b.token, (select o.id from orch.observation o where o.task_id = b.task_id), b from orch.rollback_take(w) b)
                select k.what, k.id, k.token, o.method, case k.what when 'rollback' then (k.d).command else o.target end, o.sha,
                        case k.what when 'report' then orch.observation_text(o) end, orch.item_name(t), t.title, r.name, orch.git_url(p, e), p.default_branch,
                        t.branch, t.head_sha, p.docs_root || '/' || orch.item_name(t), (k.d).dir, (k.d).initiated_at is not null,
                        orch.project_command_of(t, 'deploy_check'), e.token_file
                from taken k join orch.observation o on o.id = k.observation_id join orch.task t on t.id = o.task_id
                join orch.project p on p.id = t.project_id join orch.repo r on r.id = t.repo_id
                left join orch.endpoint e on e.id = p.forge_endpoint;
end
$$;
comment on function orch.watch_claim(bigint, bigint, integer) is 'M-5: claims what is due for watches: probes, a report to write, a rollback to run; each under a token of its own';

create function orch.watch_initiate(p_record bigint, p_token uuid, p_state_dir text) returns table (answer text, dir text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        d orch.deploy_record;
        p orch.process;
begin
        select * into d from orch.deploy_record k where k.id = p_record and k.token = p_token and k.kind = 'rollback' and k.finished_at is null for no key update;
        if not found then
                return query select 'fenced', null::text;
                return;
        end if;
        select * into p from orch.process where id = d.process_id;
        if d.initiated_at is not null then
                return query select orch.deploy_again(d, p, p_token), d.dir;
                return;
        end if;
        d := orch.deploy_begin(d, p, p_token, d.command, d.sha, p_state_dir);
        update orch.deploy_record k set reason = null where k.id = d.id; -- why it could not be begun
        perform orch.record('deploy', format('process %s', p.id), d.task_id, null, null, jsonb_build_object('kind', 'rollback', 'initiated', true, 'host', d.host, 'record', d.id));
        return query select 'start', d.dir;
end
$$;
comment on function orch.watch_initiate(bigint, uuid, text) is 'M-5: commits that the rollback begins, before it is started; answers as deploy_initiate()';

create function orch.rollback_ended(d orch.deploy_record, p_result jsonb) returns void
language plpgsql as $$
declare
        o orch.observation;
        t orch.task;
        status text := p_result ->> 'status';
        why text := p_result ->> 'reason';
begin
        if p_result ->> 'check_sha' = d.sha then
                status := 'FAILED';
                why := why || '; deploy_check says that the degraded commit still runs';
        elsif p_result ->> 'check_sha' is not null then
                why := why || format('; deploy_check says that %s runs', left(p_result ->> 'check_sha', 40));
        end if;
        perform orch.deploy_close(d, 'pipeline', status, (p_result ->> 'exit_code')::integer, why);
        select * into t from orch.task where id = d.task_id;
        update orch.observation set told_at = null, tell_at = clock_timestamp(), tell_token = null, round = case status when 'SUCCESS' then 3 else round end
        where task_id = d.task_id returning * into o;
        if status = 'SUCCESS' then
                perform orch.probes_plan(o, least(o.checks_total, 3));
        end if;
        perform orch.alert(t, 'rolled-back', format('the rollback of %s: %s (%s). The repo stays frozen', orch.item_name(t), status, why));
        perform orch.comment_on(t, 'rolled-back', format('Rollback: %s (%s)', status, why));
end
$$;
comment on function orch.rollback_ended(orch.deploy_record, jsonb) is 'M-5: stores what came of a rollback, tells people, and has it looked at by a few probes';

create function orch.rollback_waits(d orch.deploy_record, p_reason text) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        update orch.deploy_record set process_id = null, token = null, begin_failures = d.begin_failures + 1, reason = left(p_reason, 500),
                begin_at = clock_timestamp() + orch.backoff(d.begin_failures + 1, orch.setting_int('effect_backoff_s'))
        where id = d.id;
        if d.begin_failures + 1 = 3 then -- production is degraded: soon
                select * into t from orch.task where id = d.task_id;
                perform orch.alert(t, 'rollback-not-begun', format('the rollback of %s cannot be begun: %s. It is tried again', orch.item_name(t), p_reason));
        end if;
end
$$;
comment on function orch.rollback_waits(orch.deploy_record, text) is 'M-5, I-7: a rollback could not be begun, so nothing was started: it is tried again, by any host; after three times people are told';

create function orch.watch_finish(p_what text, p_id bigint, p_token uuid, p_result jsonb) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        d orch.deploy_record;
        o orch.observation;
        away boolean;
begin
        case p_what
        when 'probe' then
                if orch.probe_close(p_id, p_token, p_result ->> 'result', p_result ->> 'detail') then
                        return 'recorded';
                end if;
        when 'rollback' then
                perform from orch.repo r where r.id = (select t.repo_id from orch.deploy_record k join orch.task t on t.id = k.task_id where k.id = p_id) for no key update;
                select * into d from orch.deploy_record where id = p_id and token = p_token and finished_at is null for no key update;
                if found and d.initiated_at is null then
                        perform orch.watch_forge_says(d.task_id, p_result);
                        perform orch.rollback_waits(d, p_result ->> 'reason');
                        return 'recorded';
                elsif found then
                        perform orch.rollback_ended(d, p_result);
                        return 'recorded';
                end if;
        when 'report' then
                select * into o from orch.observation where id = p_id and tell_token = p_token and told_at is null for no key update;
                if found then
                        away := orch.watch_forge_says(o.task_id, p_result);
                        perform orch.report_ended(o, p_result, away);
                        return 'recorded';
                end if;
        end case;
        return 'fenced';
end
$$;
comment on function orch.watch_finish(text, bigint, uuid, jsonb) is 'M-5, T-5: stores what came of a probe, report or rollback; fenced: another has it, or it is over';

create function orch.watch_forge_says(p_task bigint, p_result jsonb) returns boolean
language plpgsql as $$
begin
        return orch.endpoint_note((orch.forge_of(p_task)).id, p_result -> 'forge' ->> 'outcome', p_result ->> 'reason', null);
end
$$;
comment on function orch.watch_forge_says(bigint, jsonb) is 'I-7: what a report or rollback has heard of the forge, if it asked. True: it was the forge''s trouble';

create function orch.report_ended(o orch.observation, p_result jsonb, p_away boolean) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        update orch.observation set tell_token = null, tell_process = null,
                tell_failures = case when (p_result ->> 'done')::boolean then 0 when p_away then o.tell_failures else o.tell_failures + 1 end,
                told_at = case when (p_result ->> 'done')::boolean then clock_timestamp() end,
                tell_at = case when p_away then greatest((orch.forge_of(o.task_id)).not_before, clock_timestamp() + coalesce(orch.said_wait(p_result -> 'forge' ->> 'outcome', null), interval '1 s'))
                               else clock_timestamp() + orch.backoff(o.tell_failures + 1, orch.setting_int('effect_backoff_s')) end
        where id = o.id;
        select * into t from orch.task where id = o.task_id;
        if (p_result ->> 'done')::boolean then
                update orch.task set head_sha = coalesce(p_result ->> 'head_sha', head_sha) where id = o.task_id;
        elsif not p_away and o.tell_failures + 1 = 5 then -- some minutes
                perform orch.alert(t, 'report-not-written', format('16-post-deploy.md of %s cannot be written: %s. It is tried again', orch.item_name(t), p_result ->> 'reason'));
        end if;
end
$$;
comment on function orch.report_ended(orch.observation, jsonb, boolean) is 'M-5, I-7: 16-post-deploy.md is on the branch, or will be tried again; after five times people are told. Where the forge is away it waits with all others, and the alert is the endpoint''s';
