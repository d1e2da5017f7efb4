-- 0021_gates: the evidence ledger (B-4, P-4), gates that a person must end, and a project's own commands and options
-- (M-6, M-7). What an earlier release reads stays: orch.gate.bound_to_code is taken away in a later one.
set local role orch_owner;

comment on type orch.gate_answer is
        'What a gate says: result is pass, wait (not yet), fail or inconclusive (a person decides); reason is for people and for the next run';

-- gates ------------------------------------------------------------------------------------------------------

alter table orch.gate add column bound_to text;
update orch.gate set bound_to = case when key = 'review_approved' then 'patch' when bound_to_code then 'tree' else 'none' end;
alter table orch.gate alter column bound_to set default 'none', alter column bound_to set not null,
        add constraint gate_bound_to_check check (bound_to in ('none', 'patch', 'tree'));
comment on column orch.gate.bound_to is
        'P-4: what voids its evidence: patch, another change than the one judged (a rebase that keeps it does not); tree, any other code; none, nothing';
comment on column orch.gate.bound_to_code is 'Superseded by bound_to; taken away in a later release';
alter table orch.gate add column independent boolean;
update orch.gate set independent = key = 'review_approved';
alter table orch.gate alter column independent set default false, alter column independent set not null;
comment on column orch.gate.independent is 'P-4: no run that wrote the code may speak to it';

insert into orch.gate (key, kind, pass_value, fail_value, bound_to, waits_for) values
        ('coverage_kept', 'evidence', 'pass', 'fail', 'tree', 'the project''s coverage command'),
        ('image_fresh', 'evidence', 'pass', 'fail', 'tree', 'the project''s image command');

-- the ledger -------------------------------------------------------------------------------------------------

alter table orch.evidence add column source text, add column patch_id text, add column base_sha text, add column detail jsonb;
update orch.evidence set source = 'run', detail = '{}';
alter table orch.evidence alter column source set default 'run', alter column source set not null,
        add constraint evidence_source_check check (source in ('run', 'forge', 'person', 'label', 'command')),
        alter column detail set default '{}', alter column detail set not null,
        add constraint evidence_detail_check check (jsonb_typeof(detail) = 'object');
comment on column orch.evidence.source is 'Where it is from: the commit of a run, the forge, a person, a label, or the exit of a command';
comment on column orch.evidence.patch_id is 'P-4: the change it judged, as git patch-id names it: from base_sha to sha, without the docs folder';
comment on column orch.evidence.base_sha is 'Where the branch began when it was judged';
comment on column orch.evidence.detail is 'What else was found: failed_checks, test_changes, the end of an output';

alter table orch.task add column patch_id text check (patch_id ~ '^[0-9a-f]{40}([0-9a-f]{24})?$');
comment on column orch.task.patch_id is 'The change of that head, as git patch-id names it; null when it was not computed: then any other code voids a review';

alter table orch.decision add column gate text references orch.gate;
update orch.decision set gate = case stage when 'analysis' then 'analysis_approved' when 'deploy' then 'deploy_confirmed' end;
comment on column orch.decision.gate is 'The gate it was decided at; a person also ends one that is inconclusive';
alter table orch.decision drop constraint decision_task_id_stage_version_verdict_key,
        add constraint decision_once_per_gate unique nulls not distinct (task_id, stage_version, gate, verdict);

alter table orch.role add column writes_code boolean;
update orch.role set writes_code = key in ('analyst', 'architect', 'developer');
alter table orch.role alter column writes_code set default false, alter column writes_code set not null;
comment on column orch.role.writes_code is 'P-4: what its runs change is more than the documents of the task; a judge is none of them';

-- a project's own commands and options ---------------------------------------------------------------------------

create table orch.command_kind (
        key text primary key check (key ~ '^[a-z][a-z_]*$'),
        about text not null
);
comment on table orch.command_kind is 'What a project may give a command for, besides its test command; without one the step is skipped';
comment on column orch.command_kind.key is 'Name';
comment on column orch.command_kind.about is 'What the command is for, and what its exit status means';
insert into orch.command_kind (key, about) values
        ('coverage', 'M-6: measures the branch head before staging; exit status 0: the coverage is kept'),
        ('image', 'M-6: looks at the image that staging runs; exit status 0: it is fresh'),
        ('deploy', 'M-3: deploys the branch head to production; exit status 0: done'),
        ('deploy_check', 'M-3: prints the commit that runs in production'),
        ('rollback', 'M-5: takes a degraded deploy back; run once'),
        ('probe', 'M-5: looks at production; exit status 0: healthy'),
        ('probe_url', 'M-5: an address that answers with a status of 200 to 299 while production is healthy'),
        ('integrity', 'M-4: looks at what was merged; exit status 0: it is all there'),
        ('retest', 'M-1: tests a rebased branch; the test command when there is none');

create table orch.project_command (
        project_id bigint not null references orch.project,
        kind text not null references orch.command_kind,
        command text not null check (btrim(command) <> '' and length(command) <= 4000),
        set_at timestamptz not null default now(),
        set_by text not null,
        primary key (project_id, kind)
);
comment on table orch.project_command is 'Shell commands of a project, run in a checkout of the branch head';
comment on column orch.project_command.project_id is 'Project';
comment on column orch.project_command.kind is 'What it is for';
comment on column orch.project_command.command is 'The command';
comment on column orch.project_command.set_at is 'When it was set';
comment on column orch.project_command.set_by is 'Who set it';

alter table orch.project add column staging_waivers text[], add column test_globs text[], add column gate_config_globs text[];
update orch.project set staging_waivers = '{}';
alter table orch.project alter column staging_waivers set default '{}', alter column staging_waivers set not null;
alter table orch.project alter column test_globs set default array['test_*', '*_test.*', '*_tests.*', '*.test.*', '*.spec.*', '*_spec.*', '*Test.*',
        '*Tests.*', '*Spec.*', 'conftest.py', 'test/', 'tests/', 'spec/', '__tests__/', 'testdata/'];
alter table orch.project alter column gate_config_globs set default array['.github/workflows/', '.gitea/workflows/', '.forgejo/workflows/', '.gitlab-ci.yml',
        '.woodpecker/', '.woodpecker.yml', '.travis.yml', '.circleci/', 'azure-pipelines.yml', 'Jenkinsfile', 'pytest.ini', 'tox.ini', 'noxfile.py',
        '.coveragerc', 'codecov.yml', '.codecov.yml', 'jest.config.*', 'vitest.config.*', 'karma.conf.*', 'phpunit.xml*', '.golangci.*', '.pre-commit-config.yaml'];
update orch.project set test_globs = default, gate_config_globs = default;
alter table orch.project alter column test_globs set not null, alter column gate_config_globs set not null;
comment on column orch.project.staging_waivers is 'M-7: ids of staging checks whose failure is the infrastructure''s: reported, and no failure of the branch';
comment on column orch.project.test_globs is 'Which files are tests: a name (* within it), a path, or a folder with a slash at its end';
comment on column orch.project.gate_config_globs is 'Which files decide what a gate demands, in the same notation';

-- the pipeline ---------------------------------------------------------------------------------------------------

alter table orch.role drop constraint role_kind_check,
        add constraint role_kind_check check (kind in ('agent', 'ci', 'check', 'integrate', 'deploy', 'finalize', 'merge'));
comment on column orch.role.kind is
        'agent: a configured command; ci: the project''s test command; check: another command of the project; integrate, deploy, finalize, merge: the orchestrator''s own';
insert into orch.role (key, kind, entry, about) values
        ('coverage', 'check', false, 'Runs the project''s coverage command on the branch head'),
        ('image', 'check', false, 'Runs the project''s image command on the branch head');

alter table orch.stage_step add column command text references orch.command_kind;
comment on column orch.stage_step.command is 'M-6: the step is only there for projects that give this command';

-- Until the code of this release follows, the one before reads the table: it must not meet steps that are not there.
do $$
begin
        if to_regprocedure('orch.waiting_step(orch.task)') is not null then
                execute $f$
                create or replace function orch.waiting_step(t orch.task) returns orch.stage_step language sql stable
                return (select s from orch.stage_step s where s.stage = t.stage and s.command is null
                        and (orch.gate_result(t, s.gate)).result <> 'pass' order by s.seq limit 1)
                $f$;
        end if;
end
$$;
insert into orch.stage_step (stage, seq, role, gate, shown, on_fail, command) values
        ('testing', 2, 'coverage', 'coverage_kept', null, 'development', 'coverage'),
        ('deploy-staging', 3, 'image', 'image_fresh', null, 'development', 'image');
insert into orch.stage_edge (from_stage, to_stage, kind) values
        ('deploy-staging', 'review', 'rework'),
        ('deploy', 'review', 'rework');
comment on column orch.stage_edge.kind is
        'advance: all gates passed; failure: a gate failed (P-5); rework: the same stage again (P-9), or a review that a rebase has made void; cancel: C-3';
