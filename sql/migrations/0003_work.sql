-- 0003_work: tasks, their jobs and runs, what gates decide on, and who holds what.
set local role orch_owner;

create table orch.task (
        id bigint generated always as identity primary key,
        project_id bigint not null,
        repo_id bigint not null,
        tracker_id text not null,
        work_item text not null unique,
        title text not null check (btrim(title) <> ''),
        description text not null default '',
        labels text[] not null default '{}',
        branch text,
        head_sha text check (head_sha ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
        code_tree text check (code_tree ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
        stage text not null default 'created' references orch.stage,
        stage_version integer not null default 0 check (stage_version >= 0),
        stage_entered_at timestamptz not null default now(),
        terminal boolean not null generated always as (orch.is_terminal(stage)) stored,
        priority smallint not null default 2 check (priority between 0 and 4),
        next_input text,
        paused_at timestamptz,
        paused_by text,
        cancel_requested_at timestamptz,
        cancel_requested_by text,
        cancelled_at timestamptz,
        escalated_at timestamptz,
        escalation text,
        developer_rounds smallint not null default 0,
        merge_attempts smallint not null default 0,
        created_at timestamptz not null default now(),
        foreign key (project_id, repo_id) references orch.project (id, repo_id),
        unique (project_id, tracker_id),
        unique (id, repo_id),
        constraint cancelled_has_its_time check ((stage = 'cancelled') = (cancelled_at is not null)),
        constraint terminal_awaits_no_cancel check (not (orch.is_terminal(stage) and cancel_requested_at is not null)),
        constraint escalation_has_reason check ((escalated_at is null) = (escalation is null))
) with (fillfactor = 70);
comment on table orch.task is 'One work item in one repo. Its stage is written by orch.transition() only (P-12).';
comment on column orch.task.id is 'Identity; within a repo ids are given in commit order, because intake locks the repo row (S-5, S-10)';
comment on column orch.task.project_id is 'Project it came from';
comment on column orch.task.repo_id is 'Repo it changes';
comment on column orch.task.tracker_id is 'Natural key: the item''s id in the tracker; gets a tombstone suffix when cancelled (C-3)';
comment on column orch.task.work_item is 'Natural key: the name people use, such as ORCH-124; gets a tombstone suffix when cancelled (C-3)';
comment on column orch.task.title is 'Title at intake';
comment on column orch.task.description is 'Text at intake';
comment on column orch.task.labels is 'Labels at intake';
comment on column orch.task.branch is 'P-8: named when the analyst''s job is first claimed';
comment on column orch.task.head_sha is 'Head of the branch as the orchestrator last pushed it; null before the first push';
comment on column orch.task.code_tree is 'Tree of that head without the task''s docs folder: evidence about another tree is stale (P-4)';
comment on column orch.task.stage is 'Where it is in the pipeline';
comment on column orch.task.stage_version is 'Counts every move: half of the compare-and-swap (P-12)';
comment on column orch.task.stage_entered_at is 'When it came to this stage and version';
comment on column orch.task.terminal is 'P-2: generated from orch.is_terminal()';
comment on column orch.task.priority is '0 is most urgent, 4 least';
comment on column orch.task.next_input is 'What the next run is told: a rejection''s comment, a gate''s reason; taken by the job that is queued next';
comment on column orch.task.paused_at is 'S-8: not in the active set while set';
comment on column orch.task.paused_by is 'Who paused it';
comment on column orch.task.cancel_requested_at is 'C-6: a cancellation that waits for the running step';
comment on column orch.task.cancel_requested_by is 'Who asked for it';
comment on column orch.task.cancelled_at is 'C-3: when it was cancelled';
comment on column orch.task.escalated_at is 'P-5: nothing automatic happens until a person acts';
comment on column orch.task.escalation is 'Why it was escalated';
comment on column orch.task.developer_rounds is 'P-5: times it went back to development';
comment on column orch.task.merge_attempts is 'P-5: tries of the merge gate';
comment on column orch.task.created_at is 'When it was taken in';
create index task_live on orch.task (repo_id, id) where not terminal;

create function orch.task_stage_guard() returns trigger language plpgsql as $$
begin
        if new.stage_version <> old.stage_version + 1 then
                raise exception 'the stage of % may only be moved by orch.transition()', old.work_item;
        end if;
        if not exists (select from orch.stage_edge e where e.from_stage = old.stage and e.to_stage = new.stage) then
                raise exception 'there is no edge from stage % to stage %', old.stage, new.stage;
        end if;
        return new;
end
$$;
comment on function orch.task_stage_guard() is 'Refuses a change of stage that is no edge, or does not count the version (P-1, P-12)';
create trigger stage_guard before update of stage, stage_version on orch.task
        for each row when (old.stage is distinct from new.stage or old.stage_version is distinct from new.stage_version)
        execute function orch.task_stage_guard();

create table orch.job (
        id bigint generated always as identity primary key,
        task_id bigint not null,
        repo_id bigint not null,
        role text not null,
        kind text not null,
        entry boolean not null,
        stage text not null references orch.stage,
        stage_version integer not null,
        priority smallint not null,
        status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed', 'cancelled')),
        active boolean not null generated always as (status in ('queued', 'running')) stored,
        input text,
        attempts smallint not null default 0,
        max_attempts smallint not null check (max_attempts > 0),
        crashes smallint not null default 0,
        transients smallint not null default 0,
        run_at timestamptz not null default now(),
        epoch bigint not null default 0,
        token uuid,
        process_id bigint references orch.process,
        claimed_at timestamptz,
        stop_requested_at timestamptz,
        outcome text,
        reason text,
        created_at timestamptz not null default now(),
        ended_at timestamptz,
        foreign key (task_id, repo_id) references orch.task (id, repo_id),
        foreign key (role, kind, entry) references orch.role (key, kind, entry),
        unique (task_id, stage_version, role),
        constraint running_has_owner check ((status = 'running') = (process_id is not null and token is not null and claimed_at is not null)),
        constraint ended_has_time check ((status in ('queued', 'running')) = (ended_at is null))
) with (fillfactor = 70);
comment on table orch.job is 'One unit of work for a task. At most one per task is active, and one per task, stage version and role exists.';
comment on column orch.job.id is 'Identity';
comment on column orch.job.task_id is 'Task it works for';
comment on column orch.job.repo_id is 'Repo of the task';
comment on column orch.job.role is 'Role that does it';
comment on column orch.job.kind is 'Kind of the role';
comment on column orch.job.entry is 'Whether it lets new work into the repo (S-2, S-5)';
comment on column orch.job.stage is 'Stage it was queued in';
comment on column orch.job.stage_version is 'Stage version it was queued for; what it finds counts for that version only';
comment on column orch.job.priority is 'The task''s priority';
comment on column orch.job.status is 'queued, running, done, failed or cancelled';
comment on column orch.job.active is 'Generated: queued or running';
comment on column orch.job.input is 'What the run is told: why it works again';
comment on column orch.job.attempts is 'Claims that count (J-1); given back when the worker was at fault';
comment on column orch.job.max_attempts is 'Attempts before it has failed (J-4)';
comment on column orch.job.crashes is 'Times its worker was lost';
comment on column orch.job.transients is 'Failures that were nobody''s fault (J-4)';
comment on column orch.job.run_at is 'Not to be claimed before (S-6)';
comment on column orch.job.epoch is 'Fencing epoch: counts claims and reaps; a write with an older one changes nothing (T-5)';
comment on column orch.job.token is 'Random half of the fence: epochs can repeat after a failover';
comment on column orch.job.process_id is 'Process that has claimed it';
comment on column orch.job.claimed_at is 'When it was claimed';
comment on column orch.job.stop_requested_at is 'C-3: its owner is to stop it by the cascade';
comment on column orch.job.outcome is 'Outcome of the last run';
comment on column orch.job.reason is 'Why, in words';
comment on column orch.job.created_at is 'When it was queued';
comment on column orch.job.ended_at is 'When it was done, failed or cancelled';
create unique index job_one_active_per_task on orch.job (task_id) where active;
create index job_queued_flow on orch.job (priority, id) where status = 'queued' and not entry;
create index job_queued_entry on orch.job (repo_id, task_id) where status = 'queued' and entry;
create index job_queued_priority on orch.job (priority) where status = 'queued';
create index job_running on orch.job (process_id) where status = 'running';

create table orch.run (
        id bigint generated always as identity primary key,
        job_id bigint not null references orch.job,
        epoch bigint not null,
        token uuid not null,
        attempt smallint not null,
        process_id bigint not null references orch.process,
        pid integer,
        command text,
        log text,
        base_sha text,
        head_sha text,
        started_at timestamptz not null default now(),
        ended_at timestamptz,
        outcome text check (outcome in ('success', 'failed', 'timeout', 'killed', 'nothing-left', 'no-verdict',
                'missing-artefacts', 'cancelled', 'transient', 'released', 'lost')),
        exit_code integer,
        signal integer,
        reason text,
        refused text[] not null default '{}',
        log_excerpt text,
        usage jsonb,
        cost_usd numeric(12, 6),
        unique (job_id, epoch),
        constraint run_end_has_outcome check ((ended_at is null) = (outcome is null))
);
comment on table orch.run is 'One execution of a job: every claim has one, also one that was lost';
comment on column orch.run.id is 'Identity';
comment on column orch.run.job_id is 'Job';
comment on column orch.run.epoch is 'Epoch of the claim';
comment on column orch.run.token is 'Token of the claim';
comment on column orch.run.attempt is 'Number of the attempt';
comment on column orch.run.process_id is 'Process that runs it; its host has the log';
comment on column orch.run.pid is 'Process id of the shim on that host';
comment on column orch.run.command is 'Command that was started';
comment on column orch.run.log is 'Path of the log on that host (J-9)';
comment on column orch.run.base_sha is 'Commit it started from';
comment on column orch.run.head_sha is 'Commit the orchestrator made of what it left (P-7)';
comment on column orch.run.started_at is 'When the job was claimed for it';
comment on column orch.run.ended_at is 'When its outcome was recorded';
comment on column orch.run.outcome is 'How it ended, by name';
comment on column orch.run.exit_code is 'Exit code of the command';
comment on column orch.run.signal is 'Signal that ended the command';
comment on column orch.run.reason is 'Why, in words';
comment on column orch.run.refused is 'Files whose change was taken out of the commit: they belong to another role (P-4)';
comment on column orch.run.log_excerpt is 'Last part of the log, for the next run and for people';
comment on column orch.run.usage is 'Tokens, turns, session id as the agent reported them (J-7)';
comment on column orch.run.cost_usd is 'Cost as the agent reported it (J-7)';

create table orch.evidence (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        gate text not null references orch.gate,
        stage_version integer not null,
        run_id bigint references orch.run,
        value text not null,
        sha text,
        code_tree text,
        file text,
        blob text,
        recorded_at timestamptz not null default now()
);
comment on table orch.evidence is 'P-4, B-4: what gates decide on: each row is one finding of one run about one commit';
comment on column orch.evidence.id is 'Identity; the newest of a gate and stage version counts';
comment on column orch.evidence.task_id is 'Task';
comment on column orch.evidence.gate is 'Gate it speaks to';
comment on column orch.evidence.stage_version is 'Stage version it was found in';
comment on column orch.evidence.run_id is 'Run whose commit it was read from';
comment on column orch.evidence.value is 'What it says';
comment on column orch.evidence.sha is 'Commit it was read from';
comment on column orch.evidence.code_tree is 'Code it judged; stale when the task''s differs';
comment on column orch.evidence.file is 'File it was read from';
comment on column orch.evidence.blob is 'Hash of that file''s content';
comment on column orch.evidence.recorded_at is 'When it was stored';
create index evidence_of_gate on orch.evidence (task_id, gate, stage_version, id);

create table orch.decision (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        stage text not null references orch.stage,
        stage_version integer not null,
        verdict text not null check (verdict in ('approved', 'rejected')),
        comment text,
        actor text not null,
        decided_at timestamptz not null default now(),
        unique (task_id, stage_version, verdict)
);
comment on table orch.decision is 'P-9: what people decided at the human gates';
comment on column orch.decision.id is 'Identity';
comment on column orch.decision.task_id is 'Task';
comment on column orch.decision.stage is 'Stage it was decided in';
comment on column orch.decision.stage_version is 'Stage version it holds for';
comment on column orch.decision.verdict is 'approved or rejected';
comment on column orch.decision.comment is 'What the person said';
comment on column orch.decision.actor is 'Who decided';
comment on column orch.decision.decided_at is 'When';

create table orch.commit_status (
        id bigint generated always as identity primary key,
        repo_id bigint not null references orch.repo,
        sha text not null,
        context text not null,
        state text not null check (state in ('pending', 'success', 'failure')),
        description text not null default '',
        run_id bigint references orch.run,
        recorded_at timestamptz not null default now()
);
comment on table orch.commit_status is 'Statuses of commits: the newest per context counts. The local forge''s CI writes here.';
comment on column orch.commit_status.id is 'Identity';
comment on column orch.commit_status.repo_id is 'Repo';
comment on column orch.commit_status.sha is 'Commit';
comment on column orch.commit_status.context is 'Which check';
comment on column orch.commit_status.state is 'pending, success or failure';
comment on column orch.commit_status.description is 'For people';
comment on column orch.commit_status.run_id is 'Run of the local CI';
comment on column orch.commit_status.recorded_at is 'When';
create index commit_status_of_sha on orch.commit_status (repo_id, sha, context, id);

create table orch.task_dependency (
        task_id bigint not null references orch.task,
        waits_for bigint not null references orch.task,
        declared_by text not null,
        declared_at timestamptz not null default now(),
        primary key (task_id, waits_for),
        constraint no_self_dependency check (task_id <> waits_for)
);
comment on table orch.task_dependency is 'S-15: "task_id waits for waits_for"';
comment on column orch.task_dependency.task_id is 'The task that waits';
comment on column orch.task_dependency.waits_for is 'Its predecessor';
comment on column orch.task_dependency.declared_by is 'Who declared it';
comment on column orch.task_dependency.declared_at is 'When';
create index task_dependency_successors on orch.task_dependency (waits_for);

create table orch.repo_freeze (
        id bigint generated always as identity primary key,
        repo_id bigint not null references orch.repo,
        task_id bigint references orch.task,
        reason text not null check (reason <> ''),
        frozen_by text not null,
        frozen_at timestamptz not null default now(),
        cleared_at timestamptz,
        cleared_by text,
        constraint cleared_by_somebody check ((cleared_at is null) = (cleared_by is null))
);
comment on table orch.repo_freeze is 'S-16: append-only; a repo is frozen while a row of it is not cleared';
comment on column orch.repo_freeze.id is 'Identity';
comment on column orch.repo_freeze.repo_id is 'The frozen repo';
comment on column orch.repo_freeze.task_id is 'Task that caused it';
comment on column orch.repo_freeze.reason is 'Why';
comment on column orch.repo_freeze.frozen_by is 'Who froze it';
comment on column orch.repo_freeze.frozen_at is 'When';
comment on column orch.repo_freeze.cleared_at is 'When it was cleared';
comment on column orch.repo_freeze.cleared_by is 'Who cleared it';
create index repo_freeze_active on orch.repo_freeze (repo_id) where cleared_at is null;

create table orch.transition_lease (
        task_id bigint primary key references orch.task,
        process_id bigint not null references orch.process,
        epoch bigint not null,
        token uuid not null,
        purpose text not null,
        taken_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table orch.transition_lease is 'T-1: who owns the side-effectful transition of a task; a row is a held lease';
comment on column orch.transition_lease.task_id is 'Task';
comment on column orch.transition_lease.process_id is 'Owner: alive while its process is (T-2)';
comment on column orch.transition_lease.epoch is 'Fencing epoch';
comment on column orch.transition_lease.token is 'Random half of the fence';
comment on column orch.transition_lease.purpose is 'Which transition';
comment on column orch.transition_lease.taken_at is 'When it was taken';

create table orch.merge_lease (
        repo_id bigint primary key references orch.repo,
        task_id bigint not null references orch.task,
        taken_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table orch.merge_lease is 'M-1: who may merge into a repo; one per repo. Held by a task from its merge job''s claim until that job has ended.';
comment on column orch.merge_lease.repo_id is 'Repo';
comment on column orch.merge_lease.task_id is 'Task that holds it';
comment on column orch.merge_lease.taken_at is 'When it was taken';

create table orch.deploy_record (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        stage_version integer not null,
        sha text not null,
        awaiting_since timestamptz,
        initiated_at timestamptz,
        finished_at timestamptz,
        status text check (status in ('SUCCESS', 'FAILED')),
        observation text check (observation in ('HEALTHY', 'DEGRADED', 'INCONCLUSIVE')),
        observed_at timestamptz,
        unique (task_id, stage_version),
        constraint initiated_before_finished check (finished_at is null or initiated_at is not null),
        constraint finished_has_status check ((finished_at is null) = (status is null))
);
comment on table orch.deploy_record is 'M-3: the phases of a deploy; the initiated time is committed before the deploy command starts';
comment on column orch.deploy_record.id is 'Identity';
comment on column orch.deploy_record.task_id is 'Task';
comment on column orch.deploy_record.stage_version is 'Visit of the deploy stage';
comment on column orch.deploy_record.sha is 'Commit that is deployed';
comment on column orch.deploy_record.awaiting_since is 'Phase A: since when a person is awaited';
comment on column orch.deploy_record.initiated_at is 'Phase B: the deploy has begun';
comment on column orch.deploy_record.finished_at is 'Phase C: its result is known';
comment on column orch.deploy_record.status is 'The result';
comment on column orch.deploy_record.observation is 'M-5: verdict of the watch in production';
comment on column orch.deploy_record.observed_at is 'When it was given';
