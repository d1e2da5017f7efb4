-- staging_ok: the result of the staging deploy, less the checks that the project waives (M-7). Failures that are all waived
-- pass, and are reported; one that is not fails, whatever staging_status says.
create function orch.gate_staging_ok(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        answer orch.gate_answer := orch.gate_evidence(t, 'staging_ok');
        failed text[];
        waived text[];
begin
        if answer.result not in ('pass', 'fail') then
                return answer;
        end if;
        select array(select jsonb_array_elements_text(e.detail -> 'failed_checks')) into failed
        from orch.evidence e where e.task_id = t.id and e.gate = 'staging_ok' and e.stage_version = orch.gate_visit(t, 'staging_ok')
          and jsonb_typeof(e.detail -> 'failed_checks') = 'array' order by e.id desc limit 1;
        if coalesce(failed, '{}') = '{}' then
                return answer;
        end if;
        select p.staging_waivers into waived from orch.project p where p.id = t.project_id;
        if failed <@ waived then
                return row('pass', 'failed, and waived: ' || array_to_string(failed, ', '))::orch.gate_answer;
        end if;
        return row('fail', format('checks failed in staging: %s%s', array_to_string(array(select f from unnest(failed) f where f <> all (waived)), ', '),
                coalesce('; waived: ' || nullif(array_to_string(array(select f from unnest(failed) f where f = any (waived)), ', '), ''), '')))::orch.gate_answer;
end
$$;
comment on function orch.gate_staging_ok(orch.task) is 'P-1, M-7: the staging deploy is a SUCCESS, or all of its failed checks are waived by the project';
