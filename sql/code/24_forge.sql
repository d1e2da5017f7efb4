-- 24_forge: the forge of a project as jobs see it: where git asks it, and the axis of one that cannot be asked (I-7).

create function orch.git_url(p orch.project, e orch.endpoint) returns text
language sql immutable
return case when e.id is null then p.forge_location else e.url || '/' || p.forge_name || '.git' end;
comment on function orch.git_url(orch.project, orch.endpoint) is 'I-1: what git fetches from and pushes to: a path, or the repository at the forge''s server';

create view orch.axis_forge as
select j.id as job_id,
       format('%s %s: %s', e.name, case e.state when 'denied' then 'does not take our token' when 'limited' then 'wants us to wait' else 'does not answer' end, e.reason) as reason,
       format('it is asked again at %s%s', to_char(e.not_before at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
              case e.state when 'denied' then ', and a good token is in ' || e.token_file else '' end) as ends_when
from orch.job j
join orch.task t on t.id = j.task_id
join orch.project p on p.id = t.project_id
join orch.endpoint e on e.id = p.forge_endpoint
where j.status = 'queued' and e.state <> 'ok' and e.not_before > clock_timestamp();
comment on view orch.axis_forge is 'I-7: blocks jobs whose forge cannot be asked: each begins with a fetch, so they wait for it and use up no attempt';
comment on column orch.axis_forge.job_id is 'The queued job';
comment on column orch.axis_forge.reason is 'Why it is blocked';
comment on column orch.axis_forge.ends_when is 'What would unblock it';

create function orch.forge_of(p_task bigint) returns orch.endpoint
language plpgsql stable as $$ -- as setting_text() is, and for its reason
begin
        return (select e from orch.task t join orch.project p on p.id = t.project_id join orch.endpoint e on e.id = p.forge_endpoint where t.id = p_task);
end
$$;
comment on function orch.forge_of(bigint) is 'I-1: the server of the forge of a task; null for the local one';

create function orch.forge_admit(j orch.job) returns boolean
language plpgsql as $$
declare
        e orch.endpoint := orch.forge_of(j.task_id);
begin
        return e.id is null or e.state = 'ok' or orch.endpoint_admit(e.id, 1) = 1;
end
$$;
comment on function orch.forge_admit(orch.job) is 'I-7: whether a job may start although its forge was away: one tries, the others wait for what it finds';

create function orch.forge_unasked(j orch.job) returns void
language plpgsql as $$
declare
        e orch.endpoint := orch.forge_of(j.task_id);
begin
        if e.state <> 'ok' then
                perform orch.endpoint_unasked(e.id);
        end if;
end
$$;
comment on function orch.forge_unasked(orch.job) is 'I-7: a job that forge_admit() let in does not start after all: the trial is another''s';

create function orch.forge_says(j orch.job, p_outcome text, p_reason text, p_retry_after_s integer) returns boolean
language plpgsql as $$
begin
        return p_outcome is not null and orch.endpoint_note((orch.forge_of(j.task_id)).id, p_outcome, p_reason, p_retry_after_s);
end
$$;
comment on function orch.forge_says(orch.job, text, text, integer) is 'I-7: notes how the forge of a job has answered it, in the words of the ports. True: it was the forge''s trouble and not the job''s, which burns no attempt';

create function orch.forge_note(p_job bigint, p_epoch bigint, p_token uuid, p_outcome text, p_reason text, p_retry_after_s integer) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j orch.job;
begin
        select * into j from orch.job k where k.id = p_job and k.epoch = p_epoch and k.token = p_token and k.status = 'running';
        return found and orch.forge_says(j, p_outcome, p_reason, p_retry_after_s);
end
$$;
comment on function orch.forge_note(bigint, bigint, uuid, text, text, integer) is 'I-7: a running job tells that its forge does not answer it, and that it goes on asking. False also when it is fenced';

create function orch.ci_by_forge(t orch.task, s orch.stage_step) returns boolean
language plpgsql stable as $$
begin
        return s.gate = 'ci_green' and exists (select from orch.project p where p.id = t.project_id and p.ci = 'forge' and p.forge_endpoint is not null);
end
$$;
comment on function orch.ci_by_forge(orch.task, orch.stage_step) is 'P-1: whether a step waits for the statuses that the forge has, and for no job';

create function orch.ci_await(t orch.task, p_actor text) returns void
language plpgsql as $$
begin
        if t.head_sha is not null and p_actor <> 'forge' then -- who brings the statuses wants no others
                perform orch.look_want(t.project_id, 'status', t.head_sha);
        end if;
end
$$;
comment on function orch.ci_await(orch.task, text) is 'P-1: has the statuses of the head be looked at: when it was pushed, and whenever the reconciler finds that nothing was heard';

create function orch.glob_matches(p_text text, p_glob text) returns boolean
language sql immutable
return p_text like replace(replace(regexp_replace(p_glob, '([%_\\])', '\\\1', 'g'), '*', '%'), '?', '_');
comment on function orch.glob_matches(text, text) is 'Whether a text is as a pattern says: * any characters, ? any one';

create function orch.ci_red(p_context text, p_description text, p_url text) returns text
language sql immutable
return 'CI is red: ' || case when p_context <> 'orchestrator/ci' then p_context || ': ' else '' end || p_description || coalesce(' (' || nullif(p_url, '') || ')', '');
comment on function orch.ci_red(text, text, text) is 'P-5: what the next developer is told of a red status: which check, what it said, and where there is more';

create function orch.pull_ensure(p_before orch.task, p_task bigint) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        if p_before.head_sha is not null then
                return;
        end if;
        select k.* into t from orch.task k where k.id = p_task;
        if t.head_sha is null or (orch.forge_of(p_task)).id is null then
                return;
        end if;
        -- the object of the branch's deletion: that comes after it
        perform orch.effect_add(t.id, 'forge', 'ensure_pull', format('branch:%s:%s', t.repo_id, t.branch), 'ensure_pull:' || t.id,
                jsonb_build_object('branch', t.branch, 'title', left(format('%s: %s', t.work_item, t.title), 250), 'text', format('Work item %s. This branch is written by agents, and merged when its item is through.', t.work_item)));
end
$$;
comment on function orch.pull_ensure(orch.task, bigint) is 'M-4: has a pull request made when the branch of a task was pushed for the first time; merging finds it, or makes another when it was closed';
