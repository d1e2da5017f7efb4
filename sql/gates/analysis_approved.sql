-- analysis_approved: a person approves the analysis (P-9).
create function orch.gate_analysis_approved(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_decision(t, 'analysis_approved');
end
$$;
comment on function orch.gate_analysis_approved(orch.task) is 'P-9: a person has approved the analysis';
