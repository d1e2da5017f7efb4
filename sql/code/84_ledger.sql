-- 84_ledger: the whole evidence ledger of a work item, for people (B-4): what each gate says now, and every finding that it has
-- had, with source, run, commit, hash and age - and whether it counts, by the definition that the gates use (40_evidence).

create view orch.ledger as
select t.id as task_id, e.gate, e.stage_version, e.source, e.value, j.role as given_by, e.run_id as run, e.sha, e.base_sha, e.patch_id, e.code_tree, e.file, e.blob as hash,
       e.recorded_at as at, orch.evidence_standing(t, g, e) as standing, e.detail, 'evidence' as kind, e.id
from orch.evidence e join orch.task t on t.id = e.task_id join orch.gate g on g.key = e.gate
left join orch.run r on r.id = e.run_id left join orch.job j on j.id = r.job_id
union all
select t.id, d.gate, d.stage_version, 'person', d.verdict, d.actor, null, null, null, null, null, null, null, d.decided_at,
       case when d.stage_version is distinct from orch.gate_visit(t, d.gate) then 'of an earlier visit'
            when exists (select from orch.decision n where n.task_id = d.task_id and n.gate = d.gate and n.stage_version = d.stage_version and n.id > d.id) then 'superseded'
            else 'counts' end,
       jsonb_strip_nulls(jsonb_build_object('comment', d.comment)), 'decision', d.id
from orch.decision d join orch.task t on t.id = d.task_id where d.gate is not null
union all
select t.id, 'ci_green', null, case when s.run_id is null then 'forge' else 'command' end, s.state, s.context, s.run_id, s.sha, null, null, null, null, null, s.recorded_at,
       case when s.sha <> all (orch.ci_commits(t)) then 'void: it is about another commit'
            when exists (select from orch.commit_status n where n.repo_id = s.repo_id and n.sha = s.sha and n.context = s.context and n.id > s.id) then 'superseded'
            else 'counts' end,
       jsonb_build_object('reason', left(s.description, 500)), 'status', s.id
from orch.task t join orch.commit_status s on s.repo_id = t.repo_id
        and s.sha in (select t.head_sha union select r.head_sha from orch.run r join orch.job j on j.id = r.job_id where j.task_id = t.id)
union all
select t.id, p.gate, j.stage_version, 'run', j.status, j.role, r.id, r.head_sha, null, null, null, null, null, j.ended_at,
       case when j.stage_version is distinct from orch.gate_visit(t, p.gate) then 'of an earlier visit'
            when j.status <> 'done' then 'unknown value' else 'counts' end, '{}', 'job', j.id
from orch.job j join orch.task t on t.id = j.task_id join orch.stage_step p on p.stage = j.stage and p.role = j.role
join orch.gate g on g.key = p.gate and g.kind = 'job' left join orch.run r on r.job_id = j.id and r.epoch = j.epoch
where j.ended_at is not null;
comment on view orch.ledger is 'B-4: everything that gates were ever told of a task: evidence, decisions of people, statuses of its commits, jobs that ended; and whether each counts now';
comment on column orch.ledger.task_id is 'Task';
comment on column orch.ledger.gate is 'Gate it speaks to';
comment on column orch.ledger.stage_version is 'Visit it was found in; null for a status, which is about a commit';
comment on column orch.ledger.source is 'run, command, forge, person or label';
comment on column orch.ledger.value is 'What it says';
comment on column orch.ledger.given_by is 'Role, person, or context of the status';
comment on column orch.ledger.run is 'Run that found it';
comment on column orch.ledger.sha is 'Commit it is about';
comment on column orch.ledger.base_sha is 'Where the branch began then';
comment on column orch.ledger.patch_id is 'The change it is about';
comment on column orch.ledger.code_tree is 'The code it is about';
comment on column orch.ledger.file is 'File it was read from';
comment on column orch.ledger.hash is 'Hash of that file''s content';
comment on column orch.ledger.at is 'When it was stored';
comment on column orch.ledger.standing is 'counts; or why not: void (and why), superseded, of an earlier visit, unknown value';
comment on column orch.ledger.detail is 'What else was found';
comment on column orch.ledger.kind is 'Table it is from: evidence, decision, status (commit_status) or job';
comment on column orch.ledger.id is 'Its id there';

create function orch.gate_json(t orch.task, s orch.stage_step) returns jsonb
language plpgsql stable as $$
declare
        g orch.gate;
        a orch.gate_answer;
        there boolean := orch.has_step(t, s);
begin
        select * into g from orch.gate where key = s.gate;
        if there then
                a := orch.gate_result(t, s.gate);
        end if;
        return jsonb_build_object('gate', g.key, 'stage', s.stage, 'role', s.role, 'kind', g.kind, 'bound_to', g.bound_to, 'command', s.command,
                'result', coalesce(a.result, 'skipped'), 'reason', case when there then a.reason else format('the project has no command for %s', s.command) end,
                'now', (orch.waiting_step(t)).gate = s.gate and s.stage = t.stage, 'on_fail', s.on_fail,
                'evidence', coalesce((select jsonb_agg(jsonb_build_object('source', l.source, 'value', l.value, 'by', l.given_by, 'run', l.run, 'sha', l.sha, 'base_sha', l.base_sha,
                        'patch_id', l.patch_id, 'code_tree', l.code_tree, 'file', l.file, 'hash', l.hash, 'visit', l.stage_version, 'at', l.at,
                        'age_s', floor(extract(epoch from clock_timestamp() - l.at))::integer, 'counts', l.standing = 'counts', 'standing', l.standing, 'detail', l.detail)
                        order by l.at desc, l.id desc) from orch.ledger l where l.task_id = t.id and l.gate = g.key
                          -- a gate of several stages: each shows what was found there
                          and (l.stage_version is null or exists (select from orch.history h where h.task_id = t.id and h.kind = 'stage' and h.stage_version = l.stage_version and h.to_stage = s.stage))), '[]'));
end
$$;
comment on function orch.gate_json(orch.task, orch.stage_step) is 'A gate of a task as people see it: what it says now, and all that it was told, the newest first';

create function orch.gates(p_work_item text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task := orch.task_named(p_work_item);
begin
        return jsonb_build_object('work_item', orch.item_name(t), 'stage', t.stage, 'stage_version', t.stage_version, 'head_sha', t.head_sha, 'code_tree', t.code_tree,
                'patch_id', t.patch_id, 'gates', (select jsonb_agg(orch.gate_json(t, s) order by st.position, s.seq)
                        from orch.stage_step s join orch.stage st on st.key = s.stage));
end
$$;
comment on function orch.gates(text) is 'B-4: the whole ledger of a work item: each gate of the pipeline in order, what it says now, and all evidence with its age and whether it counts';
