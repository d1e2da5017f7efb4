-- merge_ready: the branch is on the default branch and tested there, under the merge lease, and the review is about this very
-- change (M-1, M-2). A lease that was given up since then voids it: somebody else may have merged. Not once the deploy has
-- begun: then the lease is not given up, and the merger tests what it lands. Nor in a stage that does not ask for it: a done
-- item has given its lease back, and was ready.
create function orch.gate_merge_ready(t orch.task) returns orch.gate_answer
language plpgsql stable as $$
declare
        a orch.gate_answer := orch.gate_evidence(t, 'merge_ready');
        review orch.gate_answer;
begin
        if a.result <> 'pass' or orch.deploy_begun(t) or not exists (select from orch.stage_step s where s.gate = 'merge_ready' and s.stage = t.stage) then
                return a;
        elsif not exists (select from orch.merge_lease m join orch.evidence e on e.task_id = m.task_id and e.gate = 'merge_ready'
                          where m.task_id = t.id and e.recorded_at >= m.taken_at and e.stage_version = t.stage_version) then
                return row('wait', 'the branch to be brought up to date again: the merge lease was given up since it was')::orch.gate_answer;
        end if;
        review := orch.gate_evidence(t, 'review_approved');
        if review.result <> 'pass' then
                return row('fail', 'the rebase has changed what was reviewed')::orch.gate_answer;
        end if;
        return a;
end
$$;
comment on function orch.gate_merge_ready(orch.task) is 'M-1, P-4: the branch is up to date, tested and reviewed as it is, and the task has the merge lease';
