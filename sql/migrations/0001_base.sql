-- 0001_base: the schema, its roles, the settings, and the pipeline as data (P-1, P-2, P-3).
--
-- Roles belong to the cluster, not to the database: they are made only when missing, and two migrations of two
-- databases may run at once. Everything is owned by orch_owner, who cannot log in.

do $$
declare
        r record;
begin
        for r in select * from (values
                ('orch_owner', 'nologin', 'Owns the schema orch; used by migrations only'),
                ('orch_webhookd', 'login', 'Daemon: stores deliveries, answers status questions'),
                ('orch_workerd', 'login', 'Daemon: claims and runs jobs, handles events, executes effects'),
                ('orch_reaperd', 'login', 'Daemon: takes back what the dead have held'),
                ('orch_reconcilerd', 'login', 'Daemon: finds what a lost event should have done'),
                ('orch_operator', 'login', 'People who act: operator functions and views'),
                ('orch_readonly', 'login', 'People and programs who look: views')) v (name, login, about)
        loop
                begin
                        if not exists (select from pg_roles where rolname = r.name) then
                                execute format('create role %I %s', r.name, r.login);
                                execute format('comment on role %I is %L', r.name, r.about);
                        end if;
                exception
                        -- another database of the cluster is being migrated at this moment
                        when duplicate_object or unique_violation then
                                null; -- the role is there: that is all we want
                end;
        end loop;
        if not pg_has_role(current_user, 'orch_owner', 'member') then
                execute format('grant orch_owner to %I', current_user);
        end if;
end
$$;

create schema if not exists orch;
alter schema orch owner to orch_owner;
grant usage on schema orch to orch_webhookd, orch_workerd, orch_reaperd, orch_reconcilerd, orch_operator, orch_readonly;
set local role orch_owner;
alter default privileges for role orch_owner revoke execute on functions from public;

comment on schema orch is 'The orchestrator: tables, the scheduler''s views, and the functions that are the only way to change anything';

create function orch.is_terminal(p_stage text) returns boolean
language sql immutable parallel safe
return p_stage in ('done', 'cancelled');
comment on function orch.is_terminal(text) is
        'P-2: whether a stage ends the pipeline. The one place where the set of terminal stages is spelled out.';

-- settings -------------------------------------------------------------------------------------------------

create table orch.setting_row (
        key text primary key check (key ~ '^[a-z][a-z0-9_]*$'),
        kind text not null check (kind in ('bool', 'int', 'scope')),
        value text not null,
        standard text not null,
        about text not null,
        changed_at timestamptz not null default now(),
        changed_by text not null default session_user,
        constraint setting_value_fits_kind check (case kind
                when 'bool' then value in ('on', 'off')
                when 'int' then value ~ '^[0-9]{1,9}$'
                else true end)
);
comment on table orch.setting_row is 'S-12: switches, scopes and limits that every host sees at its next claim. Change them with orch.setting_set().';
comment on column orch.setting_row.key is 'Name of the setting';
comment on column orch.setting_row.kind is 'bool: on or off; int: a number; scope: names of repos separated by blanks or commas, empty for all';
comment on column orch.setting_row.value is 'The value in force';
comment on column orch.setting_row.standard is 'The value a new installation starts with';
comment on column orch.setting_row.about is 'What it does, for people';
comment on column orch.setting_row.changed_at is 'When the value was last set';
comment on column orch.setting_row.changed_by is 'Who set it';

insert into orch.setting_row (key, kind, value, standard, about)
select key, kind, standard, standard, about from (values
        ('serial_gate_enabled', 'bool', 'on', 'Master switch of the serial and the freeze axis'),
        ('serial_gate_repos', 'scope', '', 'Repos that the serial and the freeze axis apply to'),
        ('serial_gate_freeze_enabled', 'bool', 'on', 'Whether a repo can be frozen'),
        ('serial_gate_pause_enabled', 'bool', 'on', 'Whether a task can be paused'),
        ('task_deps_enabled', 'bool', 'on', 'Whether a task waits for the tasks it depends on'),
        ('stop_status_enabled', 'bool', 'on', 'Whether the tracker state STOP cancels a task'),
        ('stop_status_repos', 'scope', '', 'Repos whose tracker state STOP cancels'),
        ('transition_lease_enabled', 'bool', 'on', 'Whether transitions with side effects have an owner'),
        ('transition_lease_repos', 'scope', '', 'Repos whose transitions have an owner'),
        ('qg0_title_max', 'int', '200', 'P-6: longest title of a work item, in characters'),
        ('max_developer_retries', 'int', '3', 'P-5: rounds back to development before a task is escalated'),
        ('job_max_attempts', 'int', '3', 'J-4: attempts of an agent at one job'),
        ('job_max_crashes', 'int', '5', 'Times a job may lose its worker before it counts as failed'),
        ('job_max_transient', 'int', '20', 'J-4: transient failures of one job before it counts as failed'),
        ('job_backoff_s', 'int', '10', 'Seconds before the second attempt at a job; doubles with each one, up to five minutes'),
        ('effect_max_attempts', 'int', '12', 'Tries of an effect before it is a dead letter'),
        ('effect_backoff_s', 'int', '2', 'Seconds before the second try of an effect; doubles with each one, up to five minutes'),
        ('event_max_attempts', 'int', '8', 'Tries of an event''s handler before the event is a dead letter'),
        ('plane_dedup_s', 'int', '7200', 'Seconds during which an equal body from Plane is the same delivery'),
        ('process_dead_after_s', 'int', '30', 'Seconds without a heartbeat after which a process counts as silent'),
        ('stage_grace_s', 'int', '30', 'R-1: seconds a task must have been idle before the reconciler looks at its gate'),
        ('reaper_max_running_s', 'int', '21600', 'R-6: seconds after which a running job is taken back whatever its owner claims'))
        v (key, kind, standard, about);

-- the pipeline as data -------------------------------------------------------------------------------------

create table orch.stage (
        key text primary key,
        position smallint not null unique,
        next text references orch.stage deferrable initially deferred,
        shown text not null,
        terminal boolean not null generated always as (orch.is_terminal(key)) stored,
        about text not null,
        constraint stage_next_unless_terminal check ((next is null) = orch.is_terminal(key)),
        constraint stage_next_is_not_cancelled check (next <> 'cancelled')
);
comment on table orch.stage is 'P-1: the stages of the pipeline, in order. Data, not code: everything reads it here.';
comment on column orch.stage.key is 'Name of the stage';
comment on column orch.stage.position is 'Order in listings';
comment on column orch.stage.next is 'The stage that follows when every gate of this one has passed; null for a terminal stage';
comment on column orch.stage.shown is 'Logical key of the tracker state shown while the stage is worked on';
comment on column orch.stage.terminal is 'P-2: generated from orch.is_terminal()';
comment on column orch.stage.about is 'What happens in it, for people';

insert into orch.stage (key, position, next, shown, about) values
        ('created', 0, 'analysis', 'to_analyse', 'The work item is known; nothing has begun'),
        ('analysis', 1, 'architecture', 'analysis', 'The analyst writes requirements; a person approves them'),
        ('architecture', 2, 'development', 'architecture', 'The architect records the decision'),
        ('development', 3, 'review', 'development', 'The developer writes code and tests; CI must be green'),
        ('review', 4, 'testing', 'code_review', 'The reviewer judges the diff'),
        ('testing', 5, 'deploy-staging', 'testing', 'The tester runs the suite'),
        ('deploy-staging', 6, 'deploy', 'testing', 'The deployer installs into staging and checks'),
        ('deploy', 7, 'done', 'deploying', 'A person confirms, the deployer deploys, the branch is merged and the merge verified'),
        ('done', 8, null, 'done', 'Merged and deployed'),
        ('cancelled', 9, null, 'cancelled', 'Cancelled; a sink');

create table orch.role (
        key text primary key,
        kind text not null check (kind in ('agent', 'ci', 'merge')),
        entry boolean not null default false,
        about text not null,
        unique (key, kind, entry)
);
comment on table orch.role is 'Who works in a stage: agents, and the orchestrator''s own deterministic workers';
comment on column orch.role.key is 'Name of the role; also the author of its commits';
comment on column orch.role.kind is 'agent: a configured command; ci: the project''s test command; merge: the forge''s merge';
comment on column orch.role.entry is 'Whether its jobs let new work into a repo (S-2, S-5 gate only these, S-9)';
comment on column orch.role.about is 'What it does, for people';

insert into orch.role (key, kind, entry, about) values
        ('analyst', 'agent', true, 'Writes requirements, acceptance criteria and a test plan'),
        ('architect', 'agent', false, 'Writes the architecture decision record'),
        ('developer', 'agent', false, 'Writes code and tests'),
        ('ci', 'ci', false, 'Runs the project''s test command on the branch head and records a commit status'),
        ('reviewer', 'agent', false, 'Reads the diff, runs the checks, gives a verdict'),
        ('tester', 'agent', false, 'Runs the suite and reports'),
        ('deployer', 'agent', false, 'Installs into staging, later into production, and checks'),
        ('merger', 'merge', false, 'Merges the branch at its expected head and verifies what landed');

create table orch.gate (
        key text primary key,
        kind text not null check (kind in ('evidence', 'decision', 'ci', 'job')),
        pass_value text,
        fail_value text,
        bound_to_code boolean not null default false,
        waits_for text not null
);
comment on table orch.gate is 'The gates between steps: each is a pure decision over stored evidence (pass, wait, fail)';
comment on column orch.gate.key is 'Name of the gate';
comment on column orch.gate.kind is 'evidence: a verdict or artefact of a run; decision: a person''s; ci: the commit status of the branch head; job: the step''s job has ended well';
comment on column orch.gate.pass_value is 'The value that passes';
comment on column orch.gate.fail_value is 'The value that fails; any other value is no evidence at all';
comment on column orch.gate.bound_to_code is 'P-4: the evidence is stale once anything outside the task''s docs folder has changed';
comment on column orch.gate.waits_for is 'What is missing while it waits, for people';

insert into orch.gate (key, kind, pass_value, fail_value, bound_to_code, waits_for) values
        ('artefacts_analyst', 'evidence', 'present', null, false, 'the analyst''s documents'),
        ('analysis_approved', 'decision', 'approved', null, false, 'a person to approve the analysis'),
        ('architecture_done', 'evidence', 'present', null, false, 'an architecture decision record on the branch'),
        ('work_left', 'job', null, null, false, 'the developer''s work'),
        ('ci_green', 'ci', 'success', 'failure', true, 'a green commit status of the branch head'),
        ('review_approved', 'evidence', 'APPROVED', 'REQUEST_CHANGES', true, 'the reviewer''s verdict'),
        ('tests_passed', 'evidence', 'PASS', 'FAIL', true, 'the tester''s result'),
        ('staging_ok', 'evidence', 'SUCCESS', 'FAILED', true, 'the result of the staging deploy'),
        ('deploy_confirmed', 'decision', 'approved', null, false, 'a person to confirm the deploy'),
        ('deploy_ok', 'evidence', 'SUCCESS', 'FAILED', true, 'the result of the deploy'),
        ('merge_verified', 'evidence', 'merged', 'conflict', true, 'the verified merge');

create table orch.stage_step (
        stage text not null references orch.stage,
        seq smallint not null,
        role text references orch.role,
        gate text not null references orch.gate,
        shown text,
        on_fail text references orch.stage,
        primary key (stage, seq),
        unique (stage, role)
);
comment on table orch.stage_step is 'The steps of a stage in order: who works, and the gate that must pass before the next step. Read by orch.advance() only.';
comment on column orch.stage_step.stage is 'The stage';
comment on column orch.stage_step.seq is 'Order within the stage';
comment on column orch.stage_step.role is 'Role whose job is queued when the gate waits; null: the gate waits for somebody outside';
comment on column orch.stage_step.gate is 'The gate that ends the step';
comment on column orch.stage_step.shown is 'Logical key of the tracker state shown while this step waits for a person';
comment on column orch.stage_step.on_fail is 'P-5: where a failed gate sends the task';

insert into orch.stage_step (stage, seq, role, gate, shown, on_fail) values
        ('analysis', 1, 'analyst', 'artefacts_analyst', null, null),
        ('analysis', 2, null, 'analysis_approved', 'in_review', null),
        ('architecture', 1, 'architect', 'architecture_done', null, null),
        ('development', 1, 'developer', 'work_left', null, null),
        ('development', 2, 'ci', 'ci_green', null, 'development'),
        ('review', 1, 'reviewer', 'review_approved', null, 'development'),
        ('testing', 1, 'tester', 'tests_passed', null, 'development'),
        ('deploy-staging', 1, 'deployer', 'staging_ok', null, 'development'),
        ('deploy', 1, null, 'deploy_confirmed', 'awaiting_deploy', null),
        ('deploy', 2, 'deployer', 'deploy_ok', null, 'development'),
        ('deploy', 3, 'merger', 'merge_verified', null, 'development');

create table orch.stage_edge (
        from_stage text not null references orch.stage,
        to_stage text not null references orch.stage,
        kind text not null check (kind in ('advance', 'failure', 'rework', 'cancel')),
        primary key (from_stage, to_stage),
        constraint edge_leaves_no_terminal_stage check (not orch.is_terminal(from_stage)),
        constraint only_cancel_enters_cancelled check ((to_stage = 'cancelled') = (kind = 'cancel'))
);
comment on table orch.stage_edge is 'Every move a task may make. History refers to it, so an edge that is not here cannot happen (P-1, P-3).';
comment on column orch.stage_edge.from_stage is 'Stage that is left';
comment on column orch.stage_edge.to_stage is 'Stage that is entered';
comment on column orch.stage_edge.kind is 'advance: all gates passed; failure: a gate failed (P-5); rework: the same stage again (P-9); cancel: C-3';

insert into orch.stage_edge
select key, next, 'advance' from orch.stage where next is not null
union all
select distinct stage, on_fail, case when stage = on_fail then 'rework' else 'failure' end
from orch.stage_step where on_fail is not null
union all
select key, key, 'rework' from orch.stage s
where not terminal and exists (select from orch.stage_step p where p.stage = s.key and p.role is not null)
  and key <> 'development'
union all
select key, 'cancelled', 'cancel' from orch.stage where not terminal;
