-- 0029_people: what people are asked and how long that takes (P-9, I-6), and labels that speak for them (P-11).
set local role orch_owner;

-- questions (P-9) ----------------------------------------------------------------------------------------------

alter table orch.stage_step add column asks text references orch.tracker_state;
comment on column orch.stage_step.asks is 'P-9: state that is shown when its role asks people instead of leaving its work; null: it may not ask';
update orch.stage_step set asks = 'needs_input' where stage = 'analysis' and role = 'analyst';

create table orch.question (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        stage_version integer not null,
        run_id bigint references orch.run,
        role text not null,
        file text,
        questions text not null,
        asked_at timestamptz not null default clock_timestamp(),
        answer text,
        answered_by text,
        answered_at timestamptz,
        unique (task_id, stage_version),
        constraint answer_has_author check ((answer is null) = (answered_by is null) and (answer is null) = (answered_at is null))
);
comment on table orch.question is 'P-9: what a role has asked people, and their answer, which is the input of its next run';
comment on column orch.question.id is 'Identity';
comment on column orch.question.task_id is 'Task';
comment on column orch.question.stage_version is 'Visit of the stage in which it was asked; it waits for as long as that lasts';
comment on column orch.question.run_id is 'Run that asked';
comment on column orch.question.role is 'Role that asked';
comment on column orch.question.file is 'File in which it asked';
comment on column orch.question.questions is 'The questions';
comment on column orch.question.asked_at is 'When';
comment on column orch.question.answer is 'The answer';
comment on column orch.question.answered_by is 'Who answered';
comment on column orch.question.answered_at is 'When';

-- human verbs and labels (P-9, P-11) -----------------------------------------------------------------------------

alter table orch.gate add column verb text references orch.tracker_state, add column label text;
comment on column orch.gate.verb is 'P-9: of a human gate: the state of the tracker by which a person passes it';
comment on column orch.gate.label is 'P-11: of a human gate: the label that passes it, for projects that have switched that on (orch.project, the same name)';
update orch.gate set verb = 'approved', label = 'auto-approve' where key = 'analysis_approved';
update orch.gate set verb = 'confirm_deploy', label = 'auto-deploy' where key = 'deploy_confirmed';

alter table orch.project add column auto_approve boolean not null default false, add column auto_deploy boolean not null default false;
comment on column orch.project.auto_approve is 'P-11: whether the label auto-approve passes the analysis';
comment on column orch.project.auto_deploy is 'P-11: whether the label auto-deploy confirms the deploy';
alter table orch.task add column labelled_by jsonb not null default '{}' check (jsonb_typeof(labelled_by) = 'object');
comment on column orch.task.labelled_by is 'P-11: who gave each label, as far as it is known';
comment on column orch.task.labels is 'Labels as the tracker last had them';
alter table orch.local_item add column labelled_by jsonb not null default '{}' check (jsonb_typeof(labelled_by) = 'object');
comment on column orch.local_item.labelled_by is 'P-11: who gave each label';

-- the review clock (I-6) -----------------------------------------------------------------------------------------

create table orch.human_wait (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        stage_version integer not null,
        gate text not null references orch.gate,
        shown text not null references orch.tracker_state,
        since timestamptz not null default clock_timestamp(),
        ended_at timestamptz,
        verdict text,
        ended_by text,
        constraint human_wait_end_has_verdict check ((ended_at is null) = (verdict is null) and (ended_at is null) = (ended_by is null)),
        unique (task_id, stage_version, gate)
);
comment on table orch.human_wait is 'I-6: each time that a task waited for a person to decide or to answer';
comment on column orch.human_wait.id is 'Identity';
comment on column orch.human_wait.task_id is 'Task';
comment on column orch.human_wait.stage_version is 'Visit of the stage';
comment on column orch.human_wait.gate is 'Gate that it waited at';
comment on column orch.human_wait.shown is 'State that the tracker was to show meanwhile';
comment on column orch.human_wait.since is 'Since when people were asked';
comment on column orch.human_wait.ended_at is 'When that was over';
comment on column orch.human_wait.verdict is 'approved, rejected, answered; or moved: the task left the stage otherwise';
comment on column orch.human_wait.ended_by is 'Who decided';
create index human_wait_open on orch.human_wait (gate, since) where ended_at is null;

create table orch.review_total (
        gate text primary key references orch.gate,
        verdicts bigint not null default 0,
        seconds double precision not null default 0
) with (fillfactor = 50);
comment on table orch.review_total is 'I-6: the sum of all that is over of orch.human_wait, kept with each verdict: people are slow, so nobody waits for the row';
comment on column orch.review_total.gate is 'Gate';
comment on column orch.review_total.verdicts is 'Verdicts of people';
comment on column orch.review_total.seconds is 'Seconds that tasks have waited for them';
