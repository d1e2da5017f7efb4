-- 0026_host_watch: what the reaper of each host watches there: room on its disks, and its pruner of build caches (R-9).
set local role orch_owner;

create table orch.host_watch (
        host_id bigint not null references orch.host,
        what text not null,
        path text not null default '',
        bad boolean not null default false,
        detail text not null default '',
        crossings integer not null default 0,
        changed_at timestamptz not null default now(),
        seen_at timestamptz not null default now(),
        free_bytes bigint,
        free_inodes bigint,
        primary key (host_id, what, path),
        constraint watched check (what in ('disk', 'cache-prune'))
) with (fillfactor = 50);
comment on table orch.host_watch is 'R-9: what is watched on each host, and whether it is bad now; people are alerted when that changes';
comment on column orch.host_watch.host_id is 'Host';
comment on column orch.host_watch.what is 'disk: room below a path; cache-prune: the last run of the cache pruner';
comment on column orch.host_watch.path is 'disk: the path';
comment on column orch.host_watch.bad is 'disk: too little room; cache-prune: its last run failed';
comment on column orch.host_watch.detail is 'Why, in words';
comment on column orch.host_watch.crossings is 'How often bad has changed';
comment on column orch.host_watch.changed_at is 'When it last did';
comment on column orch.host_watch.seen_at is 'When it was last looked at';
comment on column orch.host_watch.free_bytes is 'disk: bytes that are free; null: it could not be looked at';
comment on column orch.host_watch.free_inodes is 'disk: files that can be made; null: the file system does not count them, or could not be looked at';
