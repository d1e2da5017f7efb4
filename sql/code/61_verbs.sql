-- 61_verbs: what people decide about a task, and what a person's move of a work item does, verb by verb and stage by stage
-- (P-9, P-10, I-2). What does nothing leaves a hint, once per move. tests/sql/test_verbs.py has the whole table.

create function orch.decision_note(t orch.task, p_gate text, p_verdict text, p_comment text, p_actor text) returns void
language plpgsql as $$
begin
        insert into orch.decision (task_id, stage, stage_version, gate, verdict, comment, actor)
        values (t.id, t.stage, t.stage_version, p_gate, p_verdict, p_comment, p_actor) on conflict do nothing;
        perform orch.record('decision', p_actor, t.id, null, null,
                jsonb_build_object('verdict', p_verdict, 'comment', p_comment, 'stage', t.stage, 'gate', p_gate));
        perform orch.human_wait_end(t.id, p_verdict, p_actor);
        if p_verdict = 'rejected' then
                perform orch.failure_note(t, 'person', p_actor, 'rejected', coalesce(p_comment, 'rejected'), null, null);
        end if;
end
$$;
comment on function orch.decision_note(orch.task, text, text, text, text) is 'P-9: keeps a verdict at a gate: for the gate, in the history, on the review clock, and of a rejection for the next run';

create function orch.decide_refuse(t orch.task, p_verdict text) returns text
language plpgsql as $$
declare
        last orch.decision;
begin
        select * into last from orch.decision d where d.task_id = t.id order by d.id desc limit 1;
        if t.escalated_at is not null and not t.terminal then
                perform orch.refuse('OR002', format('%s was escalated, and there is nothing to approve: %s', t.work_item, t.escalation),
                        format('It goes on with: orchctl retry %1$s, or orchctl reject %1$s --comment ...', t.work_item));
        elsif last.verdict = p_verdict then
                return format('%s was %s already, in %s; it is in %s', orch.item_name(t), p_verdict, last.stage, t.stage);
        end if;
        perform orch.refuse('OR002', format('%s does not wait for a person', orch.item_name(t)),
                coalesce((select format('%s: %s', w.reason, w.ends_when) from orch.task_wait w where w.task_id = t.id order by w.precedence limit 1), format('It is %s', t.stage)));
        return null;
end
$$;
comment on function orch.decide_refuse(orch.task, text) is 'P-9: a verdict that nobody waits for: given already, or refused';

create function orch.decide(t orch.task, p_verdict text, p_comment text, p_actor text) returns text
language plpgsql as $$
declare
        s orch.stage_step;
        g orch.gate;
        held boolean; -- escalated: a person ends that with the verdict
begin
        select * into t from orch.task where id = t.id for no key update;
        s := orch.waiting_step(t);
        held := t.escalated_at is not null and not t.terminal and t.cancel_requested_at is null and s.gate is not null
                and not exists (select from orch.job j where j.task_id = t.id and j.active)
                and (p_verdict = 'rejected' or orch.is_for_person(t, s.gate));
        if not held and not orch.waits_for_person(t) then
                return orch.decide_refuse(t, p_verdict);
        end if;
        select * into g from orch.gate where key = s.gate;
        perform orch.decision_note(t, g.key, p_verdict, p_comment, p_actor);
        if held then
                perform orch.escalation_end(t.id, p_actor, case p_verdict when 'rejected' then 'reject' else 'approve' end);
        end if;
        -- rejected at a gate that was inconclusive: it fails now, and advance() sends the task back
        if p_verdict = 'rejected' and (held or g.kind = 'decision') then
                perform orch.reject_apply(t, s, g, p_comment, p_actor, held);
        end if;
        perform orch.deploy_resolve(t, p_actor);
        perform orch.advance(t.id, p_actor);
        return format('%s %s', t.work_item, p_verdict);
end
$$;
comment on function orch.decide(orch.task, text, text, text) is 'P-9, P-5: a person''s verdict at a human gate, at one that is inconclusive, or about a task that was escalated, which then goes on. Given again it changes nothing; refused when the task does not wait for a person.';

create function orch.reject_apply(t orch.task, s orch.stage_step, g orch.gate, p_comment text, p_actor text, p_anew boolean) returns void
language plpgsql as $$
declare
        back text := case when g.kind = 'decision' and t.stage = 'deploy' then 'development' else s.on_fail end;
begin
        if back is not null then
                if p_anew then
                        update orch.task set developer_rounds = 0 where id = t.id returning * into t;
                end if;
                perform orch.rework(t, back, p_actor, p_comment);
        else
                update orch.task set next_input = p_comment where id = t.id;
                perform orch.transition(t.id, t.stage, t.stage_version, t.stage, p_actor, 'rejected: ' || p_comment);
        end if;
end
$$;
comment on function orch.reject_apply(orch.task, orch.stage_step, orch.gate, text, text, boolean) is
        'P-9, P-5: where a rejection sends the task, with the comment as input: to where its gate sends back, with rounds anew when it was escalated; else its stage begins anew';

create function orch.move_hint(t orch.task, p_verb text) returns text
language plpgsql stable as $$
declare
        why text := (select w.reason from orch.task_wait w where w.task_id = t.id order by w.precedence limit 1);
        label text := (select s.label from orch.tracker_state s where s.key = p_verb);
begin
        if t.terminal then
                return format('%s is %s: moving it starts nothing. Make a new work item for what is still to be done.', orch.item_name(t), t.stage);
        elsif p_verb = 'needs_input' then
                return format('Needs Input is set by the analyst alone, when it asks something. Now: %s.', why);
        elsif p_verb = 'rejected' or p_verb in (select g.verb from orch.gate g) then
                return format('"%s" does nothing now: %s.%s', label, why,
                        (select format(' "%s" is what passes it.', s.label) from orch.gate g join orch.tracker_state s on s.key = g.verb
                         where g.key = (orch.waiting_step(t)).gate and orch.waits_for_person(t)));
        elsif p_verb = 'to_analyse' and orch.asks_again(t.stage) then
                return format('The analyst is at it already: %s.', why);
        end if;
        return 'Moving a work item by hand starts nothing. STOP, then To Analyse, restarts it from scratch.';
end
$$;
comment on function orch.move_hint(orch.task, text) is 'P-10: what a person is told whose move of a work item did nothing';

create function orch.asks_again(p_stage text) returns boolean
language sql stable
return exists (select from orch.stage_step s where s.stage = p_stage and s.asks is not null);
comment on function orch.asks_again(text) is 'P-9: whether To Analyse has the first role of a stage work again: the stage whose role may ask';

create function orch.analyse_again(t orch.task, p_note text, p_actor text) returns text
language plpgsql as $$
begin
        perform orch.human_wait_end(t.id, 'rejected', p_actor);
        update orch.task set next_input = p_note where id = t.id;
        perform orch.transition(t.id, t.stage, t.stage_version, t.stage, p_actor, 'analysed again: ' || p_note);
        perform orch.advance(t.id, p_actor);
        return 'the analyst works again';
end
$$;
comment on function orch.analyse_again(orch.task, text, text) is 'P-9: To Analyse on an idle task in stage analysis';

create function orch.person_move(t orch.task, e orch.event, p_verb text, p_note text, p_actor text) returns text
language plpgsql as $$
declare
        g orch.gate;
        note text := coalesce(p_note, 'no comment was given');
begin
        if orch.waits_for_person(t) then
                select * into g from orch.gate where key = (orch.waiting_step(t)).gate;
                if p_verb = 'rejected' or p_verb = coalesce(g.verb, 'approved') then
                        return orch.decide(t, case p_verb when 'rejected' then 'rejected' else 'approved' end, note, p_actor);
                end if;
        end if;
        if p_verb = 'to_analyse' and not t.terminal and orch.asks_again(t.stage) and t.cancel_requested_at is null
           and not exists (select from orch.job j where j.task_id = t.id and j.active) then
                if t.escalated_at is not null then
                        return orch.retry_task(t, p_note, p_actor);
                elsif p_note is not null and orch.waits_for_answer(t) then
                        return orch.answer_task(t, p_note, p_actor);
                end if;
                return orch.analyse_again(t, note, p_actor);
        end if;
        perform orch.comment_on(t, format('hint:%s', e.id), orch.move_hint(t, p_verb));
        return 'hinted: ' || p_verb || ' set by hand does nothing now';
end
$$;
comment on function orch.person_move(orch.task, orch.event, text, text, text) is
        'P-9, P-10: what a person''s move does to a task: a verdict at the gate that it waits at, another run of the analyst, or nothing but a hint';
