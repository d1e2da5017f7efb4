-- 40_gates: what a gate says of a task. Pure decisions over stored evidence; nothing here writes or fetches.

create function orch.gate_evidence(t orch.task, g orch.gate) returns orch.gate_answer
language plpgsql stable as $$
declare
        e orch.evidence;
begin
        select * into e from orch.evidence
        where task_id = t.id and gate = g.key and stage_version = t.stage_version order by id desc limit 1;
        if not found then
                return row('wait', g.waits_for)::orch.gate_answer;
        elsif g.bound_to_code and e.code_tree is distinct from t.code_tree then
                return row('wait', format('%s; the one recorded is about other code', g.waits_for))::orch.gate_answer;
        elsif e.value = g.pass_value then
                return row('pass', null)::orch.gate_answer;
        elsif e.value = g.fail_value then
                return row('fail', format('%s: %s', coalesce(e.file, g.key), e.value))::orch.gate_answer;
        end if;
        return row('wait', format('%s; %s says "%s"', g.waits_for, coalesce(e.file, g.key), e.value))::orch.gate_answer;
end
$$;
comment on function orch.gate_evidence(orch.task, orch.gate) is 'P-4: the newest evidence of this stage version decides; stale or unknown is "not there yet"';

create function orch.gate_ci(t orch.task, g orch.gate) returns orch.gate_answer
language plpgsql stable as $$
declare
        total integer;
        green integer;
        red text;
begin
        select count(*), count(*) filter (where s.state = g.pass_value), min(s.description) filter (where s.state = g.fail_value)
        into total, green, red
        from (select distinct on (context) state, description from orch.commit_status
              where repo_id = t.repo_id and sha = t.head_sha order by context, id desc) s;
        if red is not null then
                return row('fail', 'CI is red: ' || red)::orch.gate_answer;
        elsif total > 0 and green = total then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', g.waits_for)::orch.gate_answer;
end
$$;
comment on function orch.gate_ci(orch.task, orch.gate) is 'The combined status of the branch head; no status at all is never green';

create function orch.gate_result(t orch.task, p_gate text) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
begin
        select * into strict g from orch.gate where key = p_gate;
        case g.kind
        when 'evidence' then
                return orch.gate_evidence(t, g);
        when 'ci' then
                return orch.gate_ci(t, g);
        when 'decision' then
                if exists (select from orch.decision d where d.task_id = t.id and d.stage_version = t.stage_version and d.verdict = g.pass_value) then
                        return row('pass', null)::orch.gate_answer;
                end if;
        when 'job' then
                if exists (select from orch.job j join orch.stage_step s on s.stage = j.stage and s.role = j.role
                           where j.task_id = t.id and j.stage_version = t.stage_version and s.gate = p_gate and j.status = 'done') then
                        return row('pass', null)::orch.gate_answer;
                end if;
        end case;
        return row('wait', g.waits_for)::orch.gate_answer;
end
$$;
comment on function orch.gate_result(orch.task, text) is 'What a gate says of a task: pass, wait or fail, and why';

create function orch.waiting_step(t orch.task) returns orch.stage_step
language sql stable
return (select s from orch.stage_step s where s.stage = t.stage and (orch.gate_result(t, s.gate)).result <> 'pass' order by s.seq limit 1);
comment on function orch.waiting_step(orch.task) is 'The first step of the present stage whose gate has not passed; null when all have';

create function orch.waits_for_person(t orch.task) returns boolean
language sql stable
return not t.terminal and t.escalated_at is null and t.cancel_requested_at is null
        and coalesce((select g.kind = 'decision' from orch.gate g where g.key = (orch.waiting_step(t)).gate), false);
comment on function orch.waits_for_person(orch.task) is 'Whether the task waits at a human gate (P-9)';
