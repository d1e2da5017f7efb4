-- tests_passed: the tester's result about this very code (P-4).
create function orch.gate_tests_passed(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'tests_passed');
end
$$;
comment on function orch.gate_tests_passed(orch.task) is 'P-1, P-4: the tester''s result is PASS, about this tree';
