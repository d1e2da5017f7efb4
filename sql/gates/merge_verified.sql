-- merge_verified: the branch is merged, and what landed is what was tested (M-4).
create function orch.gate_merge_verified(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'merge_verified');
end
$$;
comment on function orch.gate_merge_verified(orch.task) is 'M-4: the branch is merged and the merge verified';
