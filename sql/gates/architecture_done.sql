-- architecture_done: a decision record of the architect is on the branch (P-4a).
create function orch.gate_architecture_done(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'architecture_done');
end
$$;
comment on function orch.gate_architecture_done(orch.task) is 'P-1, P-4a: at least one ADR is on the branch';
