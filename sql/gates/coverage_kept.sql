-- coverage_kept: the project's coverage command has exited with 0 on this code (M-6).
create function orch.gate_coverage_kept(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'coverage_kept');
end
$$;
comment on function orch.gate_coverage_kept(orch.task) is 'M-6: the coverage ratchet of the project holds; only for projects with a coverage command';
