-- ci_green: the combined status of the branch head (P-1), which commits of documents alone do not void (P-4). No status at
-- all is never green. Who says it is a worker's run of the test command, or whoever writes statuses at the forge: then the
-- contexts that the project requires count, or all of them.
create function orch.gate_ci_green(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
        p orch.project;
        by_forge boolean;
        green integer;
        red text;
        open text;
begin
        select * into strict g from orch.gate where key = 'ci_green';
        select * into strict p from orch.project where id = t.project_id;
        by_forge := p.ci = 'forge' and p.forge_endpoint is not null;
        select count(*) filter (where s.state in ('success', 'warning')),
                min(orch.ci_red(s.context, s.description, s.url)) filter (where s.state in ('failure', 'error')), min(s.context) filter (where s.state = 'pending')
        into green, red, open
        from (select distinct on (c.context) c.* from orch.commit_status c
              where c.repo_id = t.repo_id and c.sha = any (orch.ci_commits(t)) order by c.context, c.id desc) s
        where not by_forge or (s.context <> 'orchestrator/ci'
                and (p.ci_contexts = '{}' or exists (select from unnest(p.ci_contexts) r where orch.glob_matches(s.context, r))));
        if red is not null then
                return row('fail', red)::orch.gate_answer;
        elsif by_forge and open is null then
                select min(r) into open from unnest(p.ci_contexts) r
                where not exists (select from orch.commit_status c where c.repo_id = t.repo_id and c.sha = any (orch.ci_commits(t)) and orch.glob_matches(c.context, r));
        end if;
        if open is null and green > 0 then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', case when by_forge then format('the forge: %s', coalesce(open || ' has not ended', 'there is no status yet')) else g.waits_for end)::orch.gate_answer;
end
$$;
comment on function orch.gate_ci_green(orch.task) is 'P-1: each newest status of the branch head is green, or of those that the project requires, and there is one';
