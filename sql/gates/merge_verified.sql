-- merge_verified: the branch is merged, and what landed is what was tested (M-4). What does not match is inconclusive: it has
-- landed, and neither another try nor another round of development changes that; a person decides.
create function orch.gate_merge_verified(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        e orch.evidence;
begin
        select * into e from orch.evidence
        where task_id = t.id and gate = 'merge_verified' and stage_version = orch.gate_visit(t, 'merge_verified') order by id desc limit 1;
        if e.value = 'mismatch' then
                return row('inconclusive', format('what was merged does not match: %s', e.detail ->> 'reason'))::orch.gate_answer;
        end if;
        return orch.gate_evidence(t, 'merge_verified');
end
$$;
comment on function orch.gate_merge_verified(orch.task) is 'M-4: the branch is merged and the merge verified; a mismatch is for a person';
