-- 0031_merge_gate: the integrator, the life of the merge lease, and what the merge gate counts (M-1, M-2, M-4, T-1, P-5).
set local role orch_owner;

insert into orch.role (key, kind, entry, about) values
        ('integrator', 'integrate', false, 'Rebases the branch on the default branch under the merge lease, and tests it as it then is');
alter table orch.role add column side_effects boolean;
update orch.role set side_effects = key in ('coverage', 'image', 'integrator', 'releaser', 'finalizer', 'merger');
alter table orch.role alter column side_effects set default false, alter column side_effects set not null;
comment on column orch.role.side_effects is 'T-1: whether its jobs are transitions with side effects, which only the owner of the task''s transition lease may enter';

insert into orch.gate (key, kind, pass_value, fail_value, bound_to, waits_for) values
        ('merge_ready', 'evidence', 'ready', 'failed', 'tree', 'the branch, rebased on the default branch and tested');
update orch.gate set fail_value = 'failed' where key = 'merge_verified';

alter table orch.stage add column keeps_merge_lease boolean;
update orch.stage set keeps_merge_lease = key in ('deploy-staging', 'deploy');
alter table orch.stage alter column keeps_merge_lease set default false, alter column keeps_merge_lease set not null;
comment on column orch.stage.keeps_merge_lease is 'M-1: whether a task that has the merge lease of its repo keeps it in this stage; with any other one it is given back';
comment on table orch.merge_lease is
        'M-1: who may rebase, test and merge in a repo; one per repo. Held by a task from the claim of its first integrator until it leaves the stages that keep it (orch.stage)';
create unique index merge_lease_of_task on orch.merge_lease (task_id);

insert into orch.stage_step (stage, seq, role, gate, shown, on_fail) values
        ('deploy-staging', 5, 'integrator', 'merge_ready', null, 'development'),
        ('deploy', 2, 'integrator', 'merge_ready', null, 'development');

alter table orch.task add column pushing text[];
update orch.task set pushing = '{}';
alter table orch.task alter column pushing set default '{}', alter column pushing set not null;
comment on column orch.task.pushing is
        'M-1: heads that the integrator was about to push and whose push is not recorded yet, the newest last: one of them on the branch is ours. Written before the push';
comment on column orch.run.head_sha is 'Commit the orchestrator made of what it left (P-7), or (integrator) that it is testing';

alter table orch.run drop constraint run_outcome_check;
alter table orch.run add constraint run_outcome_check check (outcome in ('success', 'failed', 'timeout', 'killed', 'nothing-left', 'no-verdict',
        'missing-artefacts', 'cancelled', 'transient', 'released', 'lost', 'base-moved'));

alter table orch.project add column integrity_markers text[];
update orch.project set integrity_markers = '{}';
alter table orch.project alter column integrity_markers set default '{}', alter column integrity_markers set not null;
comment on column orch.project.integrity_markers is 'M-4: PATH:NEEDLE, text that must be in files of the default branch after each merge; PATH alone is a file that must be there';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('premerge_rebase_always', 'bool', 'on', 'on', 'M-1: whether the integrator also replays a branch that is not behind the default branch, so that merge commits in it are refused'),
        ('max_merge_attempts', 'int', '5', '5', 'P-5: times the default branch may move under the test of a task before the task steps aside; twice as many escalate it'),
        ('merge_step_aside_s', 'int', '300', '300', 'M-1: seconds for which a task that has stepped aside leaves the merge lease to others');
