-- 0017_bounded: indexes by which snapshots and metrics find the few rows that they are about among the many (O-1).
set local role orch_owner;

create index task_live_by_id on orch.task (id) where not terminal;
comment on index orch.task_live_by_id is 'The live tasks in order, without those of years: /status and /queue';
create index task_live_by_stage on orch.task (stage) where not terminal;
comment on index orch.task_live_by_stage is 'Live tasks by stage: metrics';
create index task_paused on orch.task (repo_id, id) where paused_at is not null and not terminal;
comment on index orch.task_paused is 'The paused tasks of a repo';
create index task_cancelling on orch.task (id) where cancel_requested_at is not null;
comment on index orch.task_cancelling is 'Tasks whose cancellation is under way';
create index task_escalated on orch.task (id) where escalated_at is not null and not terminal;
comment on index orch.task_escalated is 'Tasks that wait for a person because something failed';
create index job_transient on orch.job (run_at) where active and transients > 0;
comment on index orch.job_transient is 'Active jobs that a provider has failed';
create index deploy_unobserved on orch.deploy_record (id) where finished_at is not null and observed_at is null;
comment on index orch.deploy_unobserved is 'Deploys that are over and not observed yet';
