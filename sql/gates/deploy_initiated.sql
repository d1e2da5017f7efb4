-- deploy_initiated: phase B of the deploy (M-3) has begun: from now on the finalizer finds out what comes of it.
create function orch.gate_deploy_initiated(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
begin
        if (orch.deploy_of(t)).initiated_at is not null then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', 'the start of the deploy')::orch.gate_answer;
end
$$;
comment on function orch.gate_deploy_initiated(orch.task) is 'M-3: the durable record of the deploy is there';
