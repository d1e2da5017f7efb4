-- review_approved: the reviewer's verdict about this change, by a run that wrote none of it (P-4).
create function orch.gate_review_approved(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'review_approved');
end
$$;
comment on function orch.gate_review_approved(orch.task) is 'P-1, P-4: the reviewer approves this change; bound to the patch, so that a rebase that keeps it keeps the review';
