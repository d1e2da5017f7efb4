-- 40_evidence: the ledger (P-4, B-4): what was found, by whom, about which code - and whether it counts now. One definition,
-- evidence_standing(), that gates and people read. Pure; nothing here writes. The gates themselves are in sql/gates/.

create function orch.visit_of(t orch.task, p_stage text) returns integer
language plpgsql stable as $$
declare
        last record;
begin
        if t.stage = p_stage then
                return t.stage_version;
        end if;
        select h.to_stage, h.stage_version into last
        from orch.history h join orch.stage s on s.key = h.to_stage
        where h.task_id = t.id and h.kind = 'stage' and s.position <= (select w.position from orch.stage w where w.key = p_stage)
        order by h.stage_version desc limit 1;
        return case when last.to_stage = p_stage then last.stage_version end;
end
$$;
comment on function orch.visit_of(orch.task, text) is
        'The stage version of the visit to a stage that still stands: null before the first, and once the task has gone back to an earlier stage';

create function orch.gate_visit(t orch.task, p_gate text) returns integer
language plpgsql stable as $$
begin
        if exists (select from orch.stage_step s where s.gate = p_gate and s.stage = t.stage) then
                return t.stage_version;
        end if;
        return (select max(orch.visit_of(t, s.stage)) from orch.stage_step s where s.gate = p_gate);
end
$$;
comment on function orch.gate_visit(orch.task, text) is 'The visit that a gate is, or was last, asked in; also for a gate of a stage that was left';

create function orch.ci_commits(t orch.task) returns text[]
language plpgsql stable as $$
begin
        return array(select t.head_sha where t.head_sha is not null union
                select r.head_sha from orch.job j join orch.run r on r.job_id = j.id
                where j.task_id = t.id and j.stage_version = orch.gate_visit(t, 'ci_green') and r.code_tree = t.code_tree);
end
$$;
comment on function orch.ci_commits(orch.task) is
        'P-1, P-4: the commits whose statuses are about the task''s code: its head, and those of the visit that differ from it in documents of the task only';

create function orch.wrote_code(t orch.task, p_run bigint) returns boolean
language plpgsql stable as $$
declare
        judge record;
begin
        select o.writes_code, r.session_id into judge
        from orch.run r join orch.job j on j.id = r.job_id join orch.role o on o.key = j.role where r.id = p_run;
        return coalesce(judge.writes_code, false) or (judge.session_id is not null and exists (
                select from orch.job j join orch.role o on o.key = j.role and o.writes_code join orch.run r on r.job_id = j.id
                where j.task_id = t.id and r.session_id = judge.session_id));
end
$$;
comment on function orch.wrote_code(orch.task, bigint) is
        'P-4: whether a run is one that wrote the code: by its role, or because it went on with the session of one; an agent without sessions is known by its role alone';

create function orch.evidence_void(t orch.task, g orch.gate, e orch.evidence) returns text
language plpgsql stable as $$
begin
        if g.independent and e.source = 'run' and orch.wrote_code(t, e.run_id) then
                return 'its run wrote the code';
        elsif g.bound_to = 'patch' and e.patch_id is not null and t.patch_id is not null then
                return case when e.patch_id <> t.patch_id then 'the change is another one' end;
        end if;
        return case when g.bound_to <> 'none' and e.code_tree is distinct from t.code_tree then 'the code changed' end;
end
$$;
comment on function orch.evidence_void(orch.task, orch.gate, orch.evidence) is 'P-4: what has made evidence void, or null: an input of it changed, or who gave it must not';

create function orch.evidence_standing(t orch.task, g orch.gate, e orch.evidence) returns text
language plpgsql stable as $$
declare
        void text;
begin
        if e.stage_version is distinct from orch.gate_visit(t, g.key) then
                return 'of an earlier visit';
        elsif exists (select from orch.evidence n where n.task_id = e.task_id and n.gate = e.gate and n.stage_version = e.stage_version and n.id > e.id
                      and (n.run_id is distinct from e.run_id or n.file is not distinct from e.file)) then
                return 'superseded';
        elsif e.value is distinct from g.pass_value and e.value is distinct from g.fail_value then
                return 'unknown value';
        end if;
        void := orch.evidence_void(t, g, e);
        return coalesce('void: ' || void, 'counts');
end
$$;
comment on function orch.evidence_standing(orch.task, orch.gate, orch.evidence) is
        'B-4: whether evidence counts now: counts; or why not: void (and why), superseded, of an earlier visit, unknown value';

create function orch.gate_evidence(t orch.task, p_gate text) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
        e orch.evidence;
        standing text;
begin
        select * into strict g from orch.gate where key = p_gate;
        select * into e from orch.evidence
        where task_id = t.id and gate = p_gate and stage_version = orch.gate_visit(t, p_gate) order by id desc limit 1;
        if not found then
                return row('wait', g.waits_for)::orch.gate_answer;
        end if;
        standing := orch.evidence_standing(t, g, e);
        if standing = 'unknown value' then
                return row('wait', format('%s; %s says "%s"', g.waits_for, coalesce(e.file, g.key), left(e.value, 80)))::orch.gate_answer;
        elsif standing <> 'counts' then
                return row('wait', format('%s; the one recorded is %s', g.waits_for, standing))::orch.gate_answer;
        elsif e.value = g.pass_value then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('fail', concat_ws(': ', coalesce(e.file, g.key), e.value, e.detail ->> 'reason'))::orch.gate_answer;
end
$$;
comment on function orch.gate_evidence(orch.task, text) is 'P-4: the newest evidence of the visit decides; void or unknown is "not there yet"';

create function orch.gate_decision(t orch.task, p_gate text) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
begin
        select * into strict g from orch.gate where key = p_gate;
        if exists (select from orch.decision d where d.task_id = t.id and d.gate = p_gate and d.verdict = g.pass_value
                   and d.stage_version = orch.gate_visit(t, p_gate)) then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', g.waits_for)::orch.gate_answer;
end
$$;
comment on function orch.gate_decision(orch.task, text) is 'P-9: a person''s approval in this visit passes; nothing else does';

create function orch.gate_job(t orch.task, p_gate text) returns orch.gate_answer
language plpgsql stable as $$
declare
        g orch.gate;
begin
        select * into strict g from orch.gate where key = p_gate;
        if exists (select from orch.job j join orch.stage_step s on s.stage = j.stage and s.role = j.role
                   where j.task_id = t.id and j.stage_version = orch.gate_visit(t, p_gate) and s.gate = p_gate and j.status = 'done') then
                return row('pass', null)::orch.gate_answer;
        end if;
        return row('wait', g.waits_for)::orch.gate_answer;
end
$$;
comment on function orch.gate_job(orch.task, text) is 'P-7: the step''s job of this visit has ended well';
