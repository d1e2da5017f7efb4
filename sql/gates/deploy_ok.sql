-- deploy_ok: what came of the deploy (M-3), by its record. What nobody could find out a person decides.
create function orch.gate_deploy_ok(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        d orch.deploy_record := orch.deploy_of(t);
begin
        case d.status
        when 'SUCCESS' then
                return row('pass', d.reason)::orch.gate_answer;
        when 'FAILED' then
                return row('fail', format('the deploy has FAILED: %s', d.reason))::orch.gate_answer;
        when 'UNKNOWN' then
                return row('inconclusive', format('nobody knows what came of the deploy: %s', d.reason))::orch.gate_answer;
        else
                return row('wait', 'the result of the deploy')::orch.gate_answer;
        end case;
end
$$;
comment on function orch.gate_deploy_ok(orch.task) is 'P-1, M-3: the deploy of this visit ended in SUCCESS; UNKNOWN is inconclusive, never a pass';
