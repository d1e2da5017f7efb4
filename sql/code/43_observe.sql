-- 43_observe: the watch in production after a deploy (M-5). Its task is done, so it is no job: workers claim its probes, its
-- report and its rollback one by one (44_watch). What the probes come to is decided here, over stored rows only.

create view orch.observation_count as
select o.id as observation_id, o.round, c.healthy, c.failed, c.no_data, c.open, f.failed as failed_in_all
from orch.observation o
cross join lateral (select count(*) filter (where p.result = 'healthy')::integer as healthy, count(*) filter (where p.result = 'failed')::integer as failed,
                           count(*) filter (where p.result = 'no-data')::integer as no_data, count(*) filter (where p.ended_at is null)::integer as open
                    from orch.probe p where p.observation_id = o.id and p.round = o.round) c
cross join lateral (select count(*)::integer as failed from orch.probe p where p.observation_id = o.id and p.round <= 2 and p.result = 'failed') f;
comment on view orch.observation_count is 'M-5: what the probes of each watch have answered so far, in its present round';
comment on column orch.observation_count.observation_id is 'The watch';
comment on column orch.observation_count.round is 'Its round';
comment on column orch.observation_count.healthy is 'Probes of the round that found production healthy';
comment on column orch.observation_count.failed is 'Probes of the round that found it failing';
comment on column orch.observation_count.no_data is 'Probes of the round that found nothing out';
comment on column orch.observation_count.open is 'Probes of the round that are still to come';
comment on column orch.observation_count.failed_in_all is 'Failed probes of all rounds before a rollback';

create function orch.observation_verdict(o orch.observation) returns text
language sql stable
return (select case when c.failed_in_all >= least(o.degraded_at, o.checks_total) then 'DEGRADED'
                    when c.open > 0 then null
                    when (c.healthy + c.failed) * 100 >= orch.setting_int('probe_data_percent') * o.checks_total and c.healthy > 0 then 'HEALTHY'
                    else 'INCONCLUSIVE' end
        from orch.observation_count c where c.observation_id = o.id);
comment on function orch.observation_verdict(orch.observation) is
        'M-5: DEGRADED as soon as degraded_at probes have failed; once all of the round are over HEALTHY if enough of them have an answer, else INCONCLUSIVE: no data is never HEALTHY. Null: not yet.';

create function orch.observation_counts_text(o orch.observation) returns text
language sql stable
return (select format('%s healthy, %s failed, %s without data, of %s%s', c.healthy, c.failed, c.no_data,
                case when o.round = 3 then c.healthy + c.failed + c.no_data + c.open else o.checks_total end,
                case when o.round = 2 then format(' in the second round; %s failed in both', c.failed_in_all) else '' end)
        from orch.observation_count c where c.observation_id = o.id);
comment on function orch.observation_counts_text(orch.observation) is 'The counts of the present round, for people';

create function orch.probes_plan(o orch.observation, p_count integer) returns void
language sql
begin atomic
        insert into orch.probe (observation_id, round, n, due_at)
        select o.id, o.round, n, clock_timestamp() + make_interval(secs => n * o.window_s / o.checks_total::float8) from generate_series(1, p_count) n;
end;
comment on function orch.probes_plan(orch.observation, integer) is 'Plans probes of the present round, as far apart as in the whole window';

create function orch.observe_begin(t orch.task) returns boolean
language plpgsql as $$
declare
        o orch.observation;
begin
        insert into orch.observation (task_id, repo_id, sha, method, target, checks_total, window_s, degraded_at)
        select t.id, t.repo_id, coalesce((select d.sha from orch.deploy_record d where d.task_id = t.id and d.kind = 'deploy' and d.sha is not null order by d.id desc limit 1), t.head_sha),
                case c.kind when 'probe' then 'command' else 'url' end, c.command, p.checks_total, p.window_s, p.degraded_at
        from orch.project p join orch.project_command c on c.project_id = p.id and c.kind in ('probe', 'probe_url')
        where p.id = t.project_id order by c.kind limit 1
        on conflict do nothing returning * into o;
        if o.id is null then
                return false;
        end if;
        perform orch.probes_plan(o, o.checks_total);
        perform orch.record('observe', 'pipeline', t.id, null, null, jsonb_build_object('began', true, 'checks_total', o.checks_total, 'window_s', o.window_s));
        return true;
end
$$;
comment on function orch.observe_begin(orch.task) is 'M-5: begins the watch of a task that is done, if its project has a probe, or else a probe_url; false: there is nothing to watch with';

create function orch.freeze_for(o orch.observation, t orch.task, p_actor text) returns text
language plpgsql as $$
declare
        r orch.repo;
begin
        select * into r from orch.repo where id = o.repo_id;
        if not orch.setting_bool('serial_gate_freeze_enabled') or not orch.serial_gated(r.name) then
                return format('repo %s is NOT frozen, because freezing is switched off for it', r.name);
        end if;
        perform orch.freeze_repo(r, t, format('%s is DEGRADED in production: %s', orch.item_name(t), o.reason), p_actor);
        return format('repo %s is frozen; when production is well again: orchctl unfreeze %1$s', r.name);
end
$$;
comment on function orch.freeze_for(orch.observation, orch.task, text) is 'S-16: a DEGRADED verdict freezes the repo; says so, also when it may not. The lane is locked.';

create function orch.observe_close(INOUT o orch.observation, p_verdict text, p_reason text, p_actor text, p_decided_by text default null, p_comment text default null) returns orch.observation
language plpgsql as $$
declare
        t orch.task;
        said text;
begin
        delete from orch.probe where observation_id = o.id and asked_at is null and ended_at is null;
        update orch.observation set ended_at = clock_timestamp(), verdict = p_verdict, reason = p_reason, told_at = null, tell_at = clock_timestamp(), tell_token = null,
                decided_by = p_decided_by, decided_at = case when p_decided_by is not null then clock_timestamp() end, comment = p_comment
        where id = o.id returning * into o;
        select * into t from orch.task where id = o.task_id;
        perform orch.record('observe', p_actor, t.id, null, null, jsonb_build_object('verdict', p_verdict, 'reason', p_reason, 'comment', p_comment));
        if p_verdict = 'HEALTHY' then
                perform orch.show_state(t, 'done');
        elsif p_verdict = 'DEGRADED' then
                said := orch.freeze_for(o, t, p_actor);
                perform orch.show_state(t, 'blocked');
                if orch.rollback_plan(o, t) then
                        said := said || '. The rollback command of the project is run once';
                end if;
                perform orch.alert(t, 'degraded', format('production is DEGRADED after %s: %s. %s', orch.item_name(t), p_reason, said));
        else
                perform orch.alert(t, 'inconclusive', format('the watch of %s is INCONCLUSIVE: %s. A person decides: orchctl observe %1$s healthy, or: orchctl observe %1$s degraded',
                        orch.item_name(t), p_reason));
        end if;
        perform orch.comment_on(t, format('observed:%s', case when p_decided_by is null then '1' else '2' end), concat_ws(E'\n\n',
                format('Post-deploy: %s (%s)%s', p_verdict, p_reason, ', said by ' || p_decided_by), p_comment, said));
        perform orch.wake();
end
$$;
comment on function orch.observe_close(orch.observation, text, text, text, text, text) is
        'M-5: gives the verdict, and does what follows: tracker, comment, freeze and alert, rollback. The lane is locked.';

create function orch.observe_rolled_back(o orch.observation) returns void
language plpgsql as $$
declare
        t orch.task;
        c orch.observation_count;
        said text;
begin
        select * into c from orch.observation_count where observation_id = o.id;
        if c.open > 0 then
                return;
        end if;
        select * into t from orch.task where id = o.task_id;
        said := format('after the rollback production is %s: %s', case when c.failed = 0 and c.no_data = 0 then 'healthy' when c.failed > 0 then 'still failing' else 'not known to be healthy' end,
                orch.observation_counts_text(o));
        update orch.observation set reason = concat_ws('; ', o.reason, said), told_at = null, tell_at = clock_timestamp(), tell_token = null where id = o.id;
        perform orch.record('observe', 'pipeline', t.id, null, null, jsonb_build_object('rolled_back', said));
        perform orch.alert(t, 'rolled-back-probes', format('%s: %s', orch.item_name(t), said));
        perform orch.comment_on(t, 'rolled-back-probes', 'Post-deploy: ' || said);
end
$$;
comment on function orch.observe_rolled_back(orch.observation) is 'M-5: what the probes after a rollback say; the verdict stays, and so does the freeze';

create function orch.observe_step(p_observation bigint) returns void
language plpgsql as $$
declare
        o orch.observation;
        said text;
begin
        select * into o from orch.observation where id = p_observation for no key update;
        if o.round = 3 then
                perform orch.observe_rolled_back(o);
        end if;
        said := orch.observation_verdict(o);
        if o.ended_at is not null or said is null then
                return;
        elsif said = 'INCONCLUSIVE' and o.round = 1 then
                update orch.observation set round = 2 where id = o.id returning * into o;
                perform orch.probes_plan(o, o.checks_total);
                perform orch.record('observe', 'pipeline', o.task_id, null, null, jsonb_build_object('extended', true));
                return;
        end if;
        perform orch.observe_close(o, said, orch.observation_counts_text(o), 'pipeline');
end
$$;
comment on function orch.observe_step(bigint) is 'M-5: looks whether the probes have come to a verdict; for lack of data the watch is extended once. The lane is locked.';

create function orch.rollback_plan(o orch.observation, t orch.task) returns boolean
language plpgsql as $$
declare
        d orch.deploy_record;
begin
        select * into d from orch.deploy_record where task_id = t.id and kind = 'deploy' and initiated_at is not null and command is not null order by id desc limit 1;
        if not found or orch.project_command_of(t, 'rollback') is null then
                return false;
        end if;
        insert into orch.deploy_record (task_id, stage_version, kind, sha, command)
        values (t.id, d.stage_version, 'rollback', d.sha, orch.project_command_of(t, 'rollback')) on conflict do nothing;
        return found;
end
$$;
comment on function orch.rollback_plan(orch.observation, orch.task) is 'M-5: has the project''s rollback command run, once; false: there is none, or nothing that it could undo';

create function orch.observe(p_work_item text, p_verdict text, p_comment text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task := orch.task_hold(p_work_item);
        o orch.observation;
        wanted text := upper(btrim(coalesce(p_verdict, '')));
        before jsonb;
        said text;
begin
        select * into o from orch.observation where task_id = t.id for no key update;
        before := to_jsonb(orch.observed_json(t));
        if wanted not in ('HEALTHY', 'DEGRADED') then
                perform orch.refuse('OR003', format('"%s" is no verdict', left(coalesce(p_verdict, ''), 40)), 'Say healthy or degraded');
        elsif o.id is null then
                perform orch.refuse('OR002', format('%s is not watched', orch.item_name(t)), 'Only what is done, in a project with a probe or probe_url, is');
        elsif o.verdict = wanted then
                said := format('%s is %s already', orch.item_name(t), wanted);
        elsif o.verdict in ('HEALTHY', 'DEGRADED') then
                perform orch.refuse('OR002', format('%s is %s: that verdict stands', orch.item_name(t), o.verdict),
                        'A freeze is set and cleared with: orchctl freeze, orchctl unfreeze');
        elsif o.ended_at is null and wanted = 'HEALTHY' then
                perform orch.refuse('OR002', format('%s is still watched', orch.item_name(t)), 'It is healthy when its probes say so; only degraded may be said before');
        else
                perform orch.observe_close(o, wanted, coalesce(o.reason, orch.observation_counts_text(o)), orch.actor(), orch.actor(), p_comment);
                said := format('%s is %s', orch.item_name(t), wanted);
        end if;
        perform orch.audit_act('observe', p_work_item, jsonb_build_object('verdict', p_verdict, 'comment', p_comment), before, to_jsonb(orch.observed_json(t)));
        return orch.observed_json(t) || jsonb_build_object('message', said);
end
$$;
comment on function orch.observe(text, text, text) is 'M-5: a person ends a watch that is INCONCLUSIVE, or says before its end that production is degraded';

create view orch.observed as
select o.id, orch.item_name(t) as work_item, r.name as repo, coalesce(o.verdict, 'watching') as state, o.method, o.target, o.sha, o.round,
       case when k.kept then c.healthy end as healthy, case when k.kept then c.failed end as failed, case when k.kept then c.no_data end as no_data, c.open, o.checks_total, o.window_s, o.degraded_at, o.reason, o.decided_by, o.comment,
       o.began_at, o.ended_at, o.told_at, d.status as rollback, d.reason as rollback_reason
from orch.observation o
join orch.task t on t.id = o.task_id join orch.repo r on r.id = o.repo_id
join orch.observation_count c on c.observation_id = o.id
cross join lateral (select o.ended_at is null or exists (select from orch.probe p where p.observation_id = o.id) as kept) k
left join lateral (select coalesce(k.status, 'under way') as status, k.reason from orch.deploy_record k where k.task_id = t.id and k.kind = 'rollback' order by k.id desc limit 1) d on true;
comment on view orch.observed is 'M-5: the watches in production, and what they have found';
comment on column orch.observed.id is 'The watch';
comment on column orch.observed.work_item is 'Work item';
comment on column orch.observed.repo is 'Repo';
comment on column orch.observed.state is 'watching, HEALTHY, DEGRADED or INCONCLUSIVE';
comment on column orch.observed.method is 'command or url';
comment on column orch.observed.target is 'What is asked';
comment on column orch.observed.sha is 'Commit that was deployed';
comment on column orch.observed.round is '1; 2: extended; 3: after a rollback';
comment on column orch.observed.healthy is 'Healthy probes of the round; null, like the two after it, when the probes have been kept long enough and are gone';
comment on column orch.observed.failed is 'Failed ones';
comment on column orch.observed.no_data is 'Those without data';
comment on column orch.observed.open is 'Those to come';
comment on column orch.observed.checks_total is 'Probes of a round';
comment on column orch.observed.window_s is 'Seconds of a round';
comment on column orch.observed.degraded_at is 'Failed probes at which it is DEGRADED';
comment on column orch.observed.reason is 'Why the verdict is what it is';
comment on column orch.observed.decided_by is 'Person who gave it';
comment on column orch.observed.comment is 'What the person said';
comment on column orch.observed.began_at is 'When the watch began';
comment on column orch.observed.ended_at is 'When the verdict was given';
comment on column orch.observed.told_at is 'When 16-post-deploy.md was on the branch';
comment on column orch.observed.rollback is 'How the rollback stands; null: there was none';
comment on column orch.observed.rollback_reason is 'Why';

create function orch.observed_json(t orch.task) returns jsonb
language sql stable
return coalesce((select to_jsonb(o) from orch.observed o join orch.observation k on k.id = o.id where k.task_id = t.id), '{}');
comment on function orch.observed_json(orch.task) is 'The watch of a task as people see it; {} when it has none';

create function orch.deploy_list(p_work_item text default null) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object(
                'deploys', coalesce((select jsonb_agg(to_jsonb(d) order by d.id desc) from
                        (select * from orch.deploy k where p_work_item is null or k.work_item = p_work_item order by k.id desc limit 100) d), '[]'),
                'observations', coalesce((select jsonb_agg(to_jsonb(o) order by o.id desc) from
                        (select * from orch.observed k where p_work_item is null or k.work_item = p_work_item order by k.id desc limit 100) o), '[]'));
end;
comment on function orch.deploy_list(text) is 'M-3, M-5: the newest 100 deploys and watches, of a work item or of all';
