-- 43_failures: what has failed so far, and what the next run is told of it (P-5).
--
-- Counters are separate, and none resets another: task.developer_rounds (send_back), job.attempts and job.crashes and
-- job.transients (50 to 52), task.merge_attempts (the merge gate). A test has the list of all who write one.

create function orch.cause_of(p_reason text, p_log text) returns text
language sql immutable
return left(md5(regexp_replace(regexp_replace(lower(concat_ws(E'\n', p_reason,
                (select string_agg(l.line, E'\n' order by l.n) from (
                        select m.line, m.n from regexp_split_to_table(right(p_log, 2000), E'[\\r\\n]+') with ordinality m (line, n)
                        where m.line ~ '[^[:space:]]' order by m.n desc limit 5) l))),
        '\m[0-9a-f]{7,64}\M', '', 'g'), '[0-9]+|\x1b\[[0-9;]*m|\s+', '', 'g')), 8);
comment on function orch.cause_of(text, text) is 'P-5: fingerprint of a failure: of its reason and the last lines of its log, without numbers, names of commits, colours and blanks';

create function orch.failure_note(t orch.task, p_kind text, p_source text, p_outcome text, p_reason text, p_run orch.run, p_cause text) returns orch.failure
language plpgsql as $$
declare
        f orch.failure;
begin
        select * into f from orch.failure x where x.task_id = t.id and x.kind = p_kind and x.source = p_source order by x.id desc limit 1;
        insert into orch.failure (task_id, job_id, run_id, kind, source, stage, stage_version, outcome, reason, cause, repeats)
        values (t.id, p_run.job_id, p_run.id, p_kind, p_source, t.stage, t.stage_version, p_outcome, p_reason, p_cause,
                case when f.cause = p_cause and not exists (select from orch.job k where k.task_id = t.id and k.id >= f.job_id and k.role = p_source and k.status = 'done')
                     then f.repeats + 1 else 1 end)
        returning * into f;
        return f;
end
$$;
comment on function orch.failure_note(orch.task, text, text, text, text, orch.run, text) is
        'P-5: notes a failure, and how many times in a row its source has failed of this cause; an attempt that succeeded in between ends the row';

create function orch.same_cause_refusal(f orch.failure) returns text
language sql stable
return (select format('%s times in a row of the same cause (%s): %s', f.repeats, f.cause, f.reason)
        where f.repeats >= nullif(orch.setting_int('same_cause_max'), 0));
comment on function orch.same_cause_refusal(orch.failure) is 'P-5: why a failure is one of its kind too many, or null; the setting same_cause_max decides';

create function orch.attempt_failed(j orch.job, p_outcome text, p_reason text) returns text
language plpgsql as $$
declare
        t orch.task;
        r orch.run;
        f orch.failure;
begin
        select * into t from orch.task where id = j.task_id;
        select * into r from orch.run where job_id = j.id and epoch = j.epoch;
        f := orch.failure_note(t, 'attempt', j.role, p_outcome, p_reason, r, orch.cause_of(p_outcome || p_reason, r.log_excerpt));
        return orch.same_cause_refusal(f);
end
$$;
comment on function orch.attempt_failed(orch.job, text, text) is 'J-4, P-5: notes a failed attempt at a job; why there must not be another one for its cause, or null';

create function orch.gate_failed(t orch.task, p_gate text, p_reason text) returns text
language plpgsql as $$
declare
        r orch.run;
        blob text;
        f orch.failure;
begin
        select n.* into r from orch.run n join orch.job j on j.id = n.job_id
        where j.task_id = t.id and j.stage_version = t.stage_version and n.ended_at is not null order by n.id desc limit 1;
        select e.blob into blob from orch.evidence e where e.task_id = t.id and e.gate = p_gate and e.stage_version = t.stage_version order by e.id desc limit 1;
        -- of a verdict its file is the cause, whatever the log of the agent that wrote it says
        f := orch.failure_note(t, 'gate', p_gate, 'failed', p_reason, r, case when blob is not null then left(md5(blob), 8) else orch.cause_of(p_reason, r.log_excerpt) end);
        return orch.same_cause_refusal(f);
end
$$;
comment on function orch.gate_failed(orch.task, text, text) is 'P-5: notes that a gate sends a task back; why it must not do so again for its cause, or null';

create function orch.rework(t orch.task, p_to text, p_actor text, p_reason text) returns void
language plpgsql as $$
begin
        update orch.task set developer_rounds = developer_rounds + 1, next_input = p_reason where id = t.id;
        perform orch.transition(t.id, t.stage, t.stage_version, p_to, p_actor, p_reason);
end
$$;
comment on function orch.rework(orch.task, text, text, text) is 'P-5: back to development, with the reason; counts a round';

create function orch.send_back(t orch.task, p_to text, p_actor text, p_gate text, p_reason text) returns void
language plpgsql as $$
declare
        refusal text := orch.gate_failed(t, p_gate, p_reason);
begin
        if refusal is not null then
                perform orch.escalate(t, p_actor, refusal);
        elsif t.developer_rounds >= orch.setting_int('max_developer_retries') then
                perform orch.escalate(t, p_actor, format('%s rounds of development were not enough: %s', t.developer_rounds, p_reason));
        else
                perform orch.rework(t, p_to, p_actor, p_reason);
        end if;
end
$$;
comment on function orch.send_back(orch.task, text, text, text, text) is
        'P-5: a gate has failed: back to development with the reason, counting a round; escalates when the rounds are used up, or the cause is always the same';

create function orch.works_again(j orch.job) returns boolean
language sql stable
return exists (select from orch.history h join orch.stage_edge e on e.from_stage = h.from_stage and e.to_stage = h.to_stage
               where h.task_id = j.task_id and h.stage_version = j.stage_version and h.kind = 'stage' and e.kind in ('failure', 'rework'));
comment on function orch.works_again(orch.job) is 'Whether the task came to the stage of a job because something had failed';

create function orch.failed_log(j orch.job) returns text
language plpgsql stable as $$
declare
        f orch.failure;
        r orch.run;
        k orch.job;
begin
        if j.kind <> 'agent' then
                return null;
        end if;
        select * into f from orch.failure where task_id = j.task_id order by id desc limit 1;
        if not found then
                return null; -- and nobody asks the history, as each claim would
        elsif f.job_id = j.id or (f.stage_version = j.stage_version - 1 and orch.works_again(j)) then
                select * into r from orch.run where id = f.run_id;
                select * into k from orch.job where id = r.job_id;
                -- of an agent that has given its verdict the file says why, not the log
                return case when r.outcome <> 'success' or k.kind <> 'agent' then nullif(r.log_excerpt, '') end;
        end if;
        return null;
end
$$;
comment on function orch.failed_log(orch.job) is 'P-5: the last part of the log of what failed, when that is why the agent of this job works again';

create function orch.failure_digest(j orch.job) returns text
language plpgsql stable as $$
declare
        newest orch.failure;
        lines text;
begin
        if j.kind <> 'agent' then
                return null;
        end if;
        select * into newest from orch.failure where task_id = j.task_id order by id desc limit 1;
        if not found then
                return null;
        end if;
        select string_agg(format('%s  %s: %s, in %s: %s%s', to_char(f.failed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI"Z"'), f.source, f.outcome, f.stage,
                        left(regexp_replace(f.reason, '\s+', ' ', 'g'), 300),
                        case when f.cause is not null then format(' [cause %s%s]', f.cause, case when f.repeats > 1 then format(', %s times in a row', f.repeats) else '' end) else '' end),
                E'\n' order by f.id)
        into lines from (select * from orch.failure x where x.task_id = j.task_id order by x.id desc limit 10) f;
        return case when newest.repeats > 1 then format(E'The last %s failures of %s have the same cause: what was tried does not help. Look for another way.\n\n',
                newest.repeats, newest.source) else '' end || lines;
end
$$;
comment on function orch.failure_digest(orch.job) is 'P-5: what the agent of a job is told of the last ten failures of its task, the oldest first; a cause that repeats is named';
