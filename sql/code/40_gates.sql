-- 40_gates: what the gates of sql/gates/ say of a task, as the engine asks: gate_ask() is made of the table orch.gate, so a
-- gate is its row, its file, and the step that has it. Pure decisions over stored evidence; nothing here writes or fetches.

create function orch.gate_ask_make() returns void
language plpgsql as $$
declare
        bare text := (select string_agg(key, ', ' order by key) from orch.gate where to_regprocedure(format('orch.gate_%s(orch.task)', key)) is null);
begin
        if bare is not null then
                raise exception 'orch.gate has rows without a file in sql/gates/: %', bare;
        end if;
        execute format('create function orch.gate_ask(t orch.task, p_gate text) returns orch.gate_answer language plpgsql stable as %L',
                'begin return case p_gate ' || (select string_agg(format('when %L then orch.gate_%s(t)', key, key), ' ' order by key) from orch.gate) || ' end; end');
end
$$;
comment on function orch.gate_ask_make() is 'Makes orch.gate_ask() of the table orch.gate';
select orch.gate_ask_make();
comment on function orch.gate_ask(orch.task, text) is 'What a gate itself says of a task; null for one that does not exist';

create function orch.gate_result(t orch.task, p_gate text) returns orch.gate_answer
language plpgsql stable as $$
declare
        a orch.gate_answer := orch.gate_ask(t, p_gate);
        d orch.decision;
begin
        if a.result is null then
                raise exception 'there is no gate "%"', p_gate;
        elsif a.result = 'inconclusive' then
                select * into d from orch.decision x
                where x.task_id = t.id and x.gate = p_gate and x.stage_version = orch.gate_visit(t, p_gate) order by x.id desc limit 1;
                if d.verdict = 'approved' then
                        return row('pass', format('%s; %s has approved it', a.reason, d.actor))::orch.gate_answer;
                elsif d.verdict = 'rejected' then
                        return row('fail', format('%s; %s has rejected it: %s', a.reason, d.actor, d.comment))::orch.gate_answer;
                end if;
        end if;
        return a;
end
$$;
comment on function orch.gate_result(orch.task, text) is
        'What a gate says of a task: pass, wait, fail or inconclusive, and why. What is inconclusive a person decides: approved is a pass, rejected a fail.';

create function orch.has_step(t orch.task, s orch.stage_step) returns boolean
language plpgsql stable as $$
begin
        return s.command is null or exists (select from orch.project_command c where c.project_id = t.project_id and c.kind = s.command);
end
$$;
comment on function orch.has_step(orch.task, orch.stage_step) is 'M-6: whether a step is there for a task: one that wants a command is skipped when the project gives none';

create function orch.gates_look(t orch.task, out step orch.stage_step, out answer orch.gate_answer, out passed text)
language plpgsql stable as $$
begin
        for step in select * from orch.stage_step x where x.stage = t.stage order by x.seq loop
                continue when not orch.has_step(t, step);
                answer := orch.gate_result(t, step.gate);
                if answer.result <> 'pass' then
                        return;
                elsif answer.reason is not null then
                        passed := concat_ws('; ', passed, format('%s: %s', step.gate, answer.reason));
                end if;
        end loop;
        step := null;
        answer := null;
end
$$;
comment on function orch.gates_look(orch.task) is
        'One walk through the gates of the present stage: the first step whose gate has not passed, and its answer, or nulls; and what is to be said of those that have passed (M-7): waived, or approved in doubt';

create function orch.waiting_step(t orch.task) returns orch.stage_step
language plpgsql stable as $$
begin
        return (orch.gates_look(t)).step;
end
$$;
comment on function orch.waiting_step(orch.task) is 'The first step of the present stage whose gate has not passed; null when all have';

create function orch.is_for_person(t orch.task, p_gate text) returns boolean
language plpgsql stable as $$
begin
        return exists (select from orch.gate g where g.key = p_gate and (g.kind = 'decision' or (orch.gate_result(t, g.key)).result = 'inconclusive'));
end
$$;
comment on function orch.is_for_person(orch.task, text) is 'P-9: whether a person ends a gate: it is a human one, or it is inconclusive';

create function orch.waits_for_person(t orch.task) returns boolean
language plpgsql stable as $$
begin
        return not t.terminal and t.escalated_at is null and (t.cancel_requested_at is null or orch.stop_window(t) = 'critical')
                and not exists (select from orch.job j where j.task_id = t.id and j.active)
                and orch.is_for_person(t, (orch.waiting_step(t)).gate);
end
$$;
comment on function orch.waits_for_person(orch.task) is 'Whether the task waits for a person''s verdict (P-9)';
