-- ci_green: the combined status of the branch head (P-1), which commits of documents alone do not void (P-4). No status at
-- all is never green.
create function orch.gate_ci_green(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
        total integer;
        green integer;
        red text;
begin
        select * into strict g from orch.gate where key = 'ci_green';
        select count(*), count(*) filter (where s.state = g.pass_value), min(s.description) filter (where s.state = g.fail_value)
        into total, green, red
        from (select distinct on (context) state, description from orch.commit_status
              where repo_id = t.repo_id and sha = any (orch.ci_commits(t)) order by context, id desc) s;
        if red is not null then
                return row('fail', 'CI is red: ' || red)::orch.gate_answer;
        elsif total > 0 and green = total then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', g.waits_for)::orch.gate_answer;
end
$$;
comment on function orch.gate_ci_green(orch.task) is 'P-1: each newest status of the branch head is green, and there is one';
