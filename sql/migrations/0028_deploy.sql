-- 0028_deploy: the deploy as two jobs with a durable record between them (M-3), and the watch in production (M-5).
set local role orch_owner;

insert into orch.role (key, kind, entry, about) values
        ('releaser', 'deploy', false, 'Records that the deploy begins, and starts the project''s deploy command'),
        ('finalizer', 'finalize', false, 'Waits for the deploy command, writes the deploy log, and says what came of it');

alter table orch.job add column host text;
comment on column orch.job.host is 'Only a worker of this host may run it: what it needs is there; null: any';

-- the record ------------------------------------------------------------------------------------------------

alter table orch.deploy_record
        add column kind text not null default 'deploy' check (kind in ('deploy', 'rollback')),
        add column host text,
        add column boot_id text,
        add column dir text,
        add column token uuid,
        add column process_id bigint references orch.process,
        add column command text,
        add column exit_code integer,
        add column reason text,
        add column resolved_by text,
        alter column sha drop not null,
        drop column observation,
        drop column observed_at,
        drop constraint deploy_record_status_check,
        add constraint deploy_record_status_check check (status in ('SUCCESS', 'FAILED', 'UNKNOWN')),
        drop constraint deploy_record_task_id_stage_version_key,
        add constraint deploy_record_once unique (task_id, stage_version, kind),
        add constraint deploy_initiated_has_sha check (initiated_at is null or sha is not null);
comment on table orch.deploy_record is
        'M-3: the phases of a deploy, or of the rollback that undoes it; the initiated time is committed before the command starts, and no record is started twice';
comment on column orch.deploy_record.kind is 'deploy, or rollback: the one that follows a DEGRADED verdict (M-5)';
comment on column orch.deploy_record.host is 'Host that starts the command; its end is known there only';
comment on column orch.deploy_record.boot_id is 'Boot of that host';
comment on column orch.deploy_record.dir is 'Folder of the command on that host; whoever makes it starts the command, and nobody else';
comment on column orch.deploy_record.token is 'Claim under which it may be started';
comment on column orch.deploy_record.process_id is 'rollback: worker that has it in hand';
comment on column orch.deploy_record.command is 'The command; null: the project has none';
comment on column orch.deploy_record.exit_code is 'Exit code of the command';
comment on column orch.deploy_record.reason is 'Why the status is what it is';
comment on column orch.deploy_record.resolved_by is 'Who decided what could not be found out';
create index deploy_under_way on orch.deploy_record (id) where initiated_at is not null and finished_at is null;

-- the watch -------------------------------------------------------------------------------------------------

alter table orch.project
        add column checks_total integer not null default 30 check (checks_total between 1 and 1000),
        add column window_s integer not null default 900 check (window_s between 1 and 604800),
        add column degraded_at integer not null default 3 check (degraded_at between 1 and 1000);
comment on column orch.project.checks_total is 'M-5: probes of the watch after a deploy';
comment on column orch.project.window_s is 'M-5: seconds over which they are spread';
comment on column orch.project.degraded_at is 'M-5: failed probes at which production is DEGRADED';

create table orch.observation (
        id bigint generated always as identity primary key,
        task_id bigint not null references orch.task,
        repo_id bigint not null references orch.repo,
        sha text not null,
        method text not null check (method in ('command', 'url')),
        target text not null check (target <> ''),
        checks_total integer not null,
        window_s integer not null,
        degraded_at integer not null,
        round smallint not null default 1 check (round between 1 and 3),
        began_at timestamptz not null default clock_timestamp(),
        ended_at timestamptz,
        verdict text check (verdict in ('HEALTHY', 'DEGRADED', 'INCONCLUSIVE')),
        reason text,
        decided_by text,
        decided_at timestamptz,
        comment text,
        told_at timestamptz,
        tell_process bigint references orch.process,
        tell_token uuid,
        tell_at timestamptz not null default clock_timestamp(),
        tell_failures smallint not null default 0,
        constraint one_watch_per_task unique (task_id),
        constraint ended_has_verdict check ((ended_at is null) = (verdict is null)),
        constraint decided_by_somebody check ((decided_at is null) = (decided_by is null))
) with (fillfactor = 70);
comment on table orch.observation is 'M-5: the watch in production after a deploy. Its task is done; a DEGRADED verdict outlives it as a freeze (S-16).';
comment on column orch.observation.id is 'Identity';
comment on column orch.observation.task_id is 'Task that was deployed';
comment on column orch.observation.repo_id is 'Its repo';
comment on column orch.observation.sha is 'Commit that was deployed';
comment on column orch.observation.method is 'command, or url';
comment on column orch.observation.target is 'The project''s probe, as it was when the watch began';
comment on column orch.observation.checks_total is 'Probes of a round';
comment on column orch.observation.window_s is 'Seconds of a round';
comment on column orch.observation.degraded_at is 'Failed probes at which the verdict is DEGRADED';
comment on column orch.observation.round is '1; 2: extended once, for lack of data; 3: probes after a rollback';
comment on column orch.observation.began_at is 'When it began';
comment on column orch.observation.ended_at is 'When the verdict was given';
comment on column orch.observation.verdict is 'HEALTHY, DEGRADED or INCONCLUSIVE';
comment on column orch.observation.reason is 'Why, with counts';
comment on column orch.observation.decided_by is 'Person who decided an INCONCLUSIVE one';
comment on column orch.observation.decided_at is 'When';
comment on column orch.observation.comment is 'What the person said';
comment on column orch.observation.told_at is 'When 16-post-deploy.md with this verdict was on the branch';
comment on column orch.observation.tell_process is 'Process that writes it now';
comment on column orch.observation.tell_token is 'Fence of that process';
comment on column orch.observation.tell_at is 'Not to be written before';
comment on column orch.observation.tell_failures is 'Times that it could not be written';
create index observation_open on orch.observation (id) where ended_at is null;
create index observation_untold on orch.observation (tell_at) where ended_at is not null and told_at is null;

create table orch.probe (
        id bigint generated always as identity primary key,
        observation_id bigint not null references orch.observation,
        round smallint not null,
        n integer not null,
        due_at timestamptz not null,
        process_id bigint references orch.process,
        token uuid,
        asked_at timestamptz,
        ended_at timestamptz,
        result text check (result in ('healthy', 'failed', 'no-data')),
        detail text,
        unique (observation_id, round, n),
        constraint probe_end_has_result check ((ended_at is null) = (result is null))
) with (fillfactor = 50);
comment on table orch.probe is 'M-5: one question to production, and its answer; fenced like every claim (T-5)';
comment on column orch.probe.id is 'Identity';
comment on column orch.probe.observation_id is 'The watch';
comment on column orch.probe.round is 'Round of the watch';
comment on column orch.probe.n is 'Number within the round';
comment on column orch.probe.due_at is 'When it is to be asked';
comment on column orch.probe.process_id is 'Process that asks';
comment on column orch.probe.token is 'Fence of that process';
comment on column orch.probe.asked_at is 'When it was asked';
comment on column orch.probe.ended_at is 'When the answer was stored';
comment on column orch.probe.result is 'healthy, failed, or no-data: nothing is known; no-data is never healthy';
comment on column orch.probe.detail is 'Why, in words';
create index probe_due on orch.probe (due_at) where ended_at is null;

-- settings and history ----------------------------------------------------------------------------------------

insert into orch.setting_row (key, kind, standard, value, about) values
        ('deploy_host_gone_s', 'int', '1800', '1800', 'M-3: seconds without a worker on the host that runs a deploy, after which its outcome is UNKNOWN and a person decides'),
        ('probe_late_s', 'int', '30', '30', 'M-5: seconds that a probe may be late, beside the pause between two; a later one is not asked, and is no data'),
        ('probe_data_percent', 'int', '80', '80', 'M-5: share of a round''s probes that must have an answer before it can be HEALTHY');
alter table orch.history drop constraint history_kind_check;
alter table orch.history add constraint history_kind_check check (kind in ('intake', 'stage', 'claim', 'outcome', 'release', 'reap', 'decision',
        'freeze', 'unfreeze', 'pause', 'resume', 'cancel', 'escalate', 'setting', 'operator', 'process', 'orphan', 'adopt', 'lease',
        'priority', 'retry', 'dependency', 'limit', 'circuit', 'dead-letter', 'project', 'waits', 'axis', 'deploy', 'observe')) not valid;

-- the pipeline --------------------------------------------------------------------------------------------------

insert into orch.gate (key, kind, waits_for) values ('deploy_initiated', 'job', 'the start of the deploy');
update orch.role set about = 'Installs into staging and checks' where key = 'deployer';
update orch.stage set about = 'A person confirms; the branch is brought up to date, deployed, merged, and the merge verified' where key = 'deploy';

-- A deploy that the deployer, an agent of the release before, has begun is not begun again.
insert into orch.deploy_record (task_id, stage_version, awaiting_since)
select t.id, t.stage_version, t.stage_entered_at from orch.task t where t.stage = 'deploy' on conflict do nothing;
update orch.deploy_record d set sha = coalesce(t.head_sha, 'unknown'), initiated_at = j.created_at, finished_at = clock_timestamp(),
        status = coalesce((select case e.value when 'SUCCESS' then 'SUCCESS' when 'FAILED' then 'FAILED' end from orch.evidence e
                           where e.task_id = t.id and e.gate = 'deploy_ok' and e.stage_version = t.stage_version order by e.id desc limit 1), 'UNKNOWN'),
        reason = 'begun by the deployer, an agent of the release before'
from orch.task t join orch.job j on j.task_id = t.id and j.stage_version = t.stage_version and j.role = 'deployer' and j.status in ('running', 'done', 'failed')
where t.stage = 'deploy' and d.task_id = t.id and d.stage_version = t.stage_version;
update orch.job set status = 'cancelled', outcome = 'cancelled', reason = 'the deploy is not an agent''s any more', ended_at = clock_timestamp()
where stage = 'deploy' and role = 'deployer' and status = 'queued';

delete from orch.stage_step where stage = 'deploy' and role = 'deployer';
update orch.stage_step set seq = 5 where stage = 'deploy' and role = 'merger';
insert into orch.stage_step (stage, seq, role, gate, shown, on_fail) values
        ('deploy', 3, 'releaser', 'deploy_initiated', null, null),
        ('deploy', 4, 'finalizer', 'deploy_ok', null, 'development');
