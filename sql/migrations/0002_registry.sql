-- 0002_registry: where work comes from and goes to (repos, projects) and who is alive (hosts, processes).
set local role orch_owner;

create table orch.repo (
        id bigint generated always as identity primary key,
        name text not null unique check (name ~ '^[A-Za-z0-9._-]+$'),
        last_started_at timestamptz
) with (fillfactor = 50);
create index repo_in_fair_order on orch.repo (last_started_at nulls first, id);
comment on table orch.repo is 'One row per repository; the row is the lane lock of its entry jobs: intake, entry claims, freeze, pause, resume and cancel lock it first';
comment on column orch.repo.id is 'Identity';
comment on column orch.repo.name is 'Name used in settings'' scopes, labels and paths';
comment on column orch.repo.last_started_at is 'When an entry job of the repo was last claimed: fairness between repos (S-11)';

create table orch.project (
        id bigint generated always as identity primary key,
        name text not null unique check (name ~ '^[A-Za-z0-9._-]+$'),
        repo_id bigint not null references orch.repo,
        tracker text not null default 'local' check (tracker in ('local', 'plane')),
        tracker_project text,
        forge text not null default 'local' check (forge in ('local', 'gitea')),
        forge_location text not null check (forge_location <> ''),
        forge_name text,
        default_branch text not null default 'main' check (default_branch ~ '^[A-Za-z0-9._/-]+$' and default_branch !~ '^-'),
        work_item_prefix text not null unique check (work_item_prefix ~ '^[A-Z][A-Z0-9]{0,11}$'),
        last_item_number bigint not null default 0,
        test_command text not null check (test_command <> ''),
        docs_root text not null default 'docs/work-items' check (docs_root ~ '^[A-Za-z0-9._/-]+$' and docs_root !~ '(^|/)\.\.(/|$)|^/'),
        active boolean not null default true,
        created_at timestamptz not null default now(),
        unique (id, repo_id),
        unique (tracker, tracker_project)
);
comment on table orch.project is 'Registry: a tracker project, the repo its code is in, and the forge that has the repo';
comment on column orch.project.id is 'Identity';
comment on column orch.project.name is 'Name people use';
comment on column orch.project.repo_id is 'The repo';
comment on column orch.project.tracker is 'Adapter of the tracker port';
comment on column orch.project.tracker_project is 'The project''s id in the tracker; null for the local tracker';
comment on column orch.project.forge is 'Adapter of the forge port';
comment on column orch.project.forge_location is 'local: path of the bare repository; gitea: URL of the clone';
comment on column orch.project.forge_name is 'owner/name in the forge; null for the local forge';
comment on column orch.project.default_branch is 'Branch that is cut from and merged into; never pushed, never deleted (C-4)';
comment on column orch.project.work_item_prefix is 'Prefix of work items, as in ORCH-124';
comment on column orch.project.last_item_number is 'Last number given by the local tracker';
comment on column orch.project.test_command is 'Shell command that tests a checkout; exit status 0 is green';
comment on column orch.project.docs_root is 'Folder of the work items'' docs folders (P-4)';
comment on column orch.project.active is 'Whether new work items are taken in';
comment on column orch.project.created_at is 'When it was registered';

create table orch.host (
        id bigint generated always as identity primary key,
        name text not null unique,
        boot_id text not null,
        labels text[] not null default '{}',
        seen_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table orch.host is 'Machines that run the suite';
comment on column orch.host.id is 'Identity';
comment on column orch.host.name is 'Name given in its configuration';
comment on column orch.host.boot_id is 'Kernel boot id: a new boot makes every earlier claim of the host stale (T-2)';
comment on column orch.host.labels is 'What its jobs may require (S-7)';
comment on column orch.host.seen_at is 'When a process last started on it';

create sequence orch.process_epoch;
comment on sequence orch.process_epoch is 'Fencing epochs of processes: never given twice';

create table orch.process (
        id bigint generated always as identity primary key,
        host_id bigint not null references orch.host,
        boot_id text not null,
        daemon text not null check (daemon in ('webhookd', 'workerd', 'reaperd', 'reconcilerd')),
        pid integer not null check (pid > 0),
        pid_start bigint not null,
        version text not null,
        epoch bigint not null default nextval('orch.process_epoch') unique,
        draining boolean not null default false,
        started_at timestamptz not null default now(),
        beat_at timestamptz not null default now(),
        ended_at timestamptz,
        end_reason text,
        constraint process_end_has_reason check ((ended_at is null) = (end_reason is null))
) with (fillfactor = 50);
comment on table orch.process is 'Every daemon process that ever started; one that has not ended is believed alive until the reaper proves otherwise';
comment on column orch.process.id is 'Identity';
comment on column orch.process.host_id is 'Host it runs on';
comment on column orch.process.boot_id is 'Boot id of the host when it started';
comment on column orch.process.daemon is 'Which daemon it is';
comment on column orch.process.pid is 'Process id on its host; never believed without pid_start and boot_id';
comment on column orch.process.pid_start is 'Start time in clock ticks since boot: tells it from a later process of the same pid';
comment on column orch.process.version is 'Version of the program';
comment on column orch.process.epoch is 'Fencing epoch: what it writes names it';
comment on column orch.process.draining is 'It takes no new work';
comment on column orch.process.started_at is 'When it registered';
comment on column orch.process.beat_at is 'Last heartbeat, by the database''s clock';
comment on column orch.process.ended_at is 'When it left, or was found dead';
comment on column orch.process.end_reason is 'How it ended: "left", or the evidence of the reaper';
create index process_alive on orch.process (host_id) where ended_at is null;
