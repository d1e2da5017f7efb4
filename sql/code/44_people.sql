-- 44_people: what people are asked, how long that takes, and labels that speak for them (P-9, P-11, I-6).

-- the review clock ---------------------------------------------------------------------------------------------

create function orch.human_wait_begin(t orch.task, p_gate text, p_shown text) returns void
language plpgsql as $$
begin
        insert into orch.human_wait (task_id, stage_version, gate, shown) values (t.id, t.stage_version, p_gate, p_shown) on conflict do nothing;
        perform orch.show_state(t, p_shown);
end
$$;
comment on function orch.human_wait_begin(orch.task, text, text) is 'I-6: people are asked: the tracker shows it, and their clock runs; once per visit and gate';

create function orch.human_wait_end(p_task bigint, p_verdict text, p_actor text) returns void
language plpgsql as $$
declare
        w orch.human_wait;
begin
        for w in update orch.human_wait set ended_at = clock_timestamp(), verdict = p_verdict, ended_by = p_actor
                 where task_id = p_task and ended_at is null returning *
        loop
                insert into orch.review_total as r (gate, verdicts, seconds) values (w.gate, (p_verdict <> 'moved')::integer, extract(epoch from w.ended_at - w.since))
                on conflict (gate) do update set verdicts = r.verdicts + excluded.verdicts, seconds = r.seconds + excluded.seconds;
        end loop;
end
$$;
comment on function orch.human_wait_end(bigint, text, text) is 'I-6: a person has decided or answered, or the task has moved without: their clock stands';

create view orch.review_clock as
select orch.item_name(t) as work_item, r.name as repo, t.stage, w.gate, w.shown, greatest(w.since, least(f.ended_at, w.ended_at)) as since, w.ended_at, w.verdict, w.ended_by,
       floor(extract(epoch from coalesce(w.ended_at, clock_timestamp()) - greatest(w.since, least(f.ended_at, w.ended_at))))::bigint as waited_s,
       w.task_id
from orch.human_wait w join orch.task t on t.id = w.task_id join orch.repo r on r.id = t.repo_id
left join orch.effect f on f.idempotency_key = format('state:%s:%s:%s', w.task_id, w.stage_version, w.shown) and f.status = 'done';
comment on view orch.review_clock is 'I-6: how long each task has waited for people: from when the tracker showed that it does to the verdict';
comment on column orch.review_clock.work_item is 'Work item';
comment on column orch.review_clock.repo is 'Its repo';
comment on column orch.review_clock.stage is 'Stage it is in now';
comment on column orch.review_clock.gate is 'Gate that waited for a person';
comment on column orch.review_clock.shown is 'State that the tracker showed';
comment on column orch.review_clock.since is 'Since when it showed that; while it does not yet, since when it is to';
comment on column orch.review_clock.ended_at is 'When a person decided; null: it waits';
comment on column orch.review_clock.verdict is 'approved, rejected, answered; or moved: the task left without';
comment on column orch.review_clock.ended_by is 'Who decided';
comment on column orch.review_clock.waited_s is 'Seconds';
comment on column orch.review_clock.task_id is 'Task';

create view orch.human_gate as
select g.key from orch.gate g where g.kind = 'decision' or exists (select from orch.stage_step s where s.gate = g.key and s.asks is not null);
comment on view orch.human_gate is 'P-9: the gates that wait for people as a rule; any other one may, while it is inconclusive';
comment on column orch.human_gate.key is 'Gate';

-- questions ------------------------------------------------------------------------------------------------------

create function orch.question_store(j orch.job, p_run bigint, p_report jsonb) returns void
language plpgsql as $$
begin
        if jsonb_path_exists(p_report, '$.evidence[*].questions') then
                insert into orch.question (task_id, stage_version, run_id, role, file, questions)
                select j.task_id, j.stage_version, p_run, j.role, e.file, e.questions
                from jsonb_to_recordset(p_report -> 'evidence') as e (gate text, file text, questions text)
                join orch.stage_step s on s.gate = e.gate and s.stage = j.stage and s.role = j.role and s.asks is not null
                where btrim(e.questions) <> '' on conflict do nothing;
        end if;
end
$$;
comment on function orch.question_store(orch.job, bigint, jsonb) is 'P-9: keeps what a run asks; only of a role that may ask, in its own step';

create function orch.open_question(t orch.task) returns orch.question
language sql stable
return (select q from orch.question q where q.task_id = t.id and q.stage_version = t.stage_version and q.answer is null);
comment on function orch.open_question(orch.task) is 'P-9: what the task waits for an answer to, or null';

create function orch.waits_for_answer(t orch.task) returns boolean
language plpgsql stable as $$
begin
        return not t.terminal and t.escalated_at is null and t.cancel_requested_at is null and (orch.open_question(t)).id is not null
                and not exists (select from orch.job j where j.task_id = t.id and j.active);
end
$$;
comment on function orch.waits_for_answer(orch.task) is 'P-9: whether the task waits for people to answer';

create function orch.question_ask(t orch.task, s orch.stage_step) returns boolean
language plpgsql as $$
declare
        q orch.question := orch.open_question(t);
begin
        if q.id is null or s.asks is null then
                return false;
        end if;
        perform orch.human_wait_begin(t, s.gate, s.asks);
        perform orch.comment_on(t, 'question:' || q.id, format(E'The %s asks:\n\n%s\n\nAnswer with `orchctl answer %s TEXT`, or with a comment and To Analyse.', q.role, q.questions, t.work_item));
        return true;
end
$$;
comment on function orch.question_ask(orch.task, orch.stage_step) is 'P-9: Needs Input and a comment with the questions, once; false: nothing is asked';

create function orch.answer_task(t orch.task, p_answer text, p_actor text) returns text
language plpgsql as $$
declare
        q orch.question := orch.open_question(t);
begin
        if not orch.waits_for_answer(t) then
                select * into q from orch.question where task_id = t.id order by id desc limit 1;
                if q.answer = p_answer then
                        return format('%s was answered so already, by %s', orch.item_name(t), q.answered_by);
                end if;
                perform orch.refuse('OR002', format('%s asks nothing', orch.item_name(t)),
                        coalesce((select w.reason from orch.task_wait w where w.task_id = t.id order by w.precedence limit 1), format('It is %s', t.stage)));
        end if;
        update orch.question set answer = p_answer, answered_by = p_actor, answered_at = clock_timestamp() where id = q.id;
        perform orch.record('decision', p_actor, t.id, null, null, jsonb_build_object('verdict', 'answered', 'comment', p_answer, 'stage', t.stage));
        perform orch.human_wait_end(t.id, 'answered', p_actor);
        update orch.task set next_input = format(E'You asked:\n\n%s\n\nThe answer of %s:\n\n%s', q.questions, p_actor, p_answer) where id = t.id;
        perform orch.transition(t.id, t.stage, t.stage_version, t.stage, p_actor, 'answered');
        perform orch.advance(t.id, p_actor);
        return format('%s is answered: the %s works again', t.work_item, q.role);
end
$$;
comment on function orch.answer_task(orch.task, text, text) is 'P-9: the role that has asked works again, with questions and answer as its input. The same answer again changes nothing.';

create function orch.answer(p_work_item text, p_answer text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
        if btrim(coalesce(p_answer, '')) = '' then
                perform orch.refuse('OR003', 'an answer needs a text', 'It is what the role that has asked reads next');
        end if;
        return orch.operator_act('answer', p_work_item, jsonb_build_object('note', p_answer));
end
$$;
comment on function orch.answer(text, text) is 'P-9: answers the questions of a task in Needs Input';

-- labels ---------------------------------------------------------------------------------------------------------

create function orch.task_labels_set(p_task bigint, p_labels text[], p_labelled_by jsonb) returns boolean
language plpgsql as $$
begin
        update orch.task set labels = p_labels, labelled_by = p_labelled_by where id = p_task and (labels, labelled_by) is distinct from (p_labels, p_labelled_by);
        return found;
end
$$;
comment on function orch.task_labels_set(bigint, text[], jsonb) is 'P-11: the labels of a task are those of its item, and who gave them; whether that was news';

create function orch.labels_refresh(t orch.task) returns orch.task
language plpgsql as $$
declare
        i orch.seen_item;
begin
        select * into i from (select (orch.item_of(l)).* from orch.local_item l join orch.project p on p.id = l.project_id and p.tracker = 'local'
                              where l.project_id = t.project_id and l.id::text = t.tracker_id
                              union all select (orch.item_of(r)).* from orch.tracker_item r where r.project_id = t.project_id and r.object = t.tracker_id) v;
        if found and orch.task_labels_set(t.id, i.labels, i.labelled_by) then
                select * into t from orch.task where id = t.id;
        end if;
        return t;
end
$$;
comment on function orch.labels_refresh(orch.task) is 'P-11: the task with the labels that its item had when its tracker was last looked at, should an event have been lost';

create function orch.passing_label(t orch.task, p_gate text) returns text
language sql stable
return (select g.label from orch.gate g join orch.project p on p.id = t.project_id
        where g.key = p_gate and g.label = any (t.labels) and (to_jsonb(p) ->> replace(g.label, '-', '_'))::boolean);
comment on function orch.passing_label(orch.task, text) is 'P-11: the label that passes a human gate for this task: it has it, and its project has switched that on';

create function orch.label_pass(t orch.task, p_gate text) returns boolean
language plpgsql as $$
declare
        passing text := orch.passing_label(t, p_gate);
        who text := t.labelled_by ->> passing;
begin
        if passing is null then
                return false;
        end if;
        perform orch.decision_note(t, p_gate, 'approved', format('by the label %s%s', passing, coalesce(', given by ' || who, '')), 'label ' || passing);
        insert into orch.evidence (task_id, gate, stage_version, value, sha, code_tree, source, detail)
        values (t.id, p_gate, t.stage_version, 'approved', t.head_sha, t.code_tree, 'label', jsonb_strip_nulls(jsonb_build_object('label', passing, 'labelled_by', who)));
        perform orch.human_wait_end(t.id, 'approved', 'label ' || passing);
        return true;
end
$$;
comment on function orch.label_pass(orch.task, text) is 'P-11: a label speaks for a person: recorded as evidence, with who gave it if that is known; false: none does';
