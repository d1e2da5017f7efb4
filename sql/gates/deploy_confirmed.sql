-- deploy_confirmed: a person confirms the deploy (M-3).
create function orch.gate_deploy_confirmed(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_decision(t, 'deploy_confirmed');
end
$$;
comment on function orch.gate_deploy_confirmed(orch.task) is 'M-3: a person has confirmed the deploy';
