-- artefacts_analyst: the analyst's documents are on the branch (P-4a).
create function orch.gate_artefacts_analyst(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'artefacts_analyst');
end
$$;
comment on function orch.gate_artefacts_analyst(orch.task) is 'P-4a: 01 to 04 are there, each an ordinary file that is not empty';
