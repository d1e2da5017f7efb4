-- 59_seen_forge: what follows from what a forge tells, and from its answers to looks (59_look). A branch, and what is said of its
-- commits, is the repository's: projects may share one.

create function orch.status_told(p orch.project, e orch.event) returns text
language plpgsql as $$
declare
        sha text := coalesce(e.facts ->> 'sha', e.object);
        met orch.task[];
begin
        -- by the payload, else by the head that we pushed, else by the only one under development: what it has is not recorded yet
        met := array(select t from orch.task t where t.repo_id = p.repo_id and not t.terminal and t.branch is not null
                and (t.branch = e.facts ->> 'branch' or (not e.facts ? 'branch' and t.head_sha = sha)));
        if met = '{}' and not e.facts ? 'branch' then
                met := array(select t from orch.task t where t.repo_id = p.repo_id and t.stage = 'development' and t.branch is not null);
        end if;
        if cardinality(met) <> 1 then
                return format('ignored: %s of a live task is known to have %s as its head', case when met = '{}' then 'no branch' else 'more than one branch' end, left(sha, 12));
        end if;
        perform orch.look_want(met[1].project_id, 'status', sha);
        return format('looked at: the statuses of %s, for %s', left(sha, 12), met[1].branch);
end
$$;
comment on function orch.status_told(orch.project, orch.event) is
        'I-4: whose branch a commit status is about: by the event, by the head that we know, else by the only task under development of the repository; anything else is not resolved, and says so';

create function orch.seen_status(p orch.project, p_object text, p_answer jsonb) returns text
language plpgsql as $$
declare
        task bigint;
        changed integer;
begin
        if p.ci <> 'forge' then
                return 'ignored: the project is tested by a worker';
        elsif p_answer is null then
                return 'ignored: the forge has no such commit';
        end if;
        insert into orch.commit_status (repo_id, sha, context, state, description, url)
        select p.repo_id, p_object, s.context, s.state, s.description, s.url
        from (select distinct on (left(v.context, 200)) left(v.context, 200) as context, left(coalesce(v.description, ''), 500) as description, left(v.url, 500) as url,
                     case when v.state in ('success', 'failure', 'error', 'warning', 'skipped') then v.state else 'pending' end as state
              from jsonb_to_recordset(p_answer -> 'statuses') as v (context text, state text, description text, url text) where v.context <> '') s
        left join lateral (select n.* from orch.commit_status n
                           where n.repo_id = p.repo_id and n.sha = p_object and n.context = s.context order by n.id desc limit 1) o on true
        where (o.state, o.description, o.url) is distinct from (s.state, s.description, s.url);
        get diagnostics changed = row_count;
        if changed = 0 then
                return 'nothing new';
        end if;
        for task in select t.id from orch.task t
                    where t.repo_id = p.repo_id and not t.terminal and t.head_sha is not null and p_object = any (orch.ci_commits(t)) order by t.id
        loop
                perform orch.advance(task, 'forge');
        end loop;
        return format('%s statuses', changed);
end
$$;
comment on function orch.seen_status(orch.project, text, jsonb) is
        'P-1, I-4: stores the statuses of a commit that are new, of all contexts the newest, and asks the gates of the tasks that it is about. By the commit alone: a branch is that of the tasks that have it';
