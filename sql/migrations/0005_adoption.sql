-- 0005_adoption: runs outlive their worker (J-8), and beats are counted, so that other hosts can tell a silent process.
set local role orch_owner;

alter table orch.job add column orphaned_at timestamptz;
comment on column orch.job.orphaned_at is 'J-8: since when its owner is gone while its shim may live on; a worker of the same host and boot adopts it';
alter table orch.job add constraint orphans_run check (orphaned_at is null or status = 'running');
create index job_orphaned on orch.job (process_id) where orphaned_at is not null;

alter table orch.process add column beat_count bigint not null default 0;
comment on column orch.process.beat_count is 'Beats so far: who watches it from another host trusts no clock but its own, and sees only whether this moves';

create index job_claimed_at on orch.job (claimed_at) where status = 'running';
insert into orch.setting_row (key, kind, value, standard, about) values
        ('orphan_grace_s', 'int', '120', '120', 'Seconds an orphaned job waits for a worker of its host before it is alerted about');

alter table orch.history drop constraint history_kind_check;
alter table orch.history add constraint history_kind_check check (kind in ('intake', 'stage', 'claim', 'outcome', 'release', 'reap', 'decision',
        'freeze', 'unfreeze', 'pause', 'resume', 'cancel', 'escalate', 'setting', 'operator', 'process', 'orphan', 'adopt', 'lease'));
