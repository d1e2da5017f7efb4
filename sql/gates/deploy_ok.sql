-- deploy_ok: the deploy to production was a success (M-3).
create function orch.gate_deploy_ok(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        return orch.gate_evidence(t, 'deploy_ok');
end
$$;
comment on function orch.gate_deploy_ok(orch.task) is 'P-1, M-3: the deploy of this code ended in SUCCESS';
