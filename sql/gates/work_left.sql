-- work_left: the developer has left a change (P-7).
create function orch.gate_work_left(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_job(t, 'work_left');
end
$$;
comment on function orch.gate_work_left(orch.task) is 'P-7: the developer''s run has left a change; whether it is good the next gates say';
