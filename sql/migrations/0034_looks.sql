-- 0034_looks: questions to the services outside, one row per object (I-3, I-4, R-2).
set local role orch_owner;

create table orch.look (
        project_id bigint not null references orch.project,
        kind text not null check (kind in ('item', 'states', 'status', 'pull', 'branch')),
        object text not null check (length(object) <= 512),
        port text not null generated always as (case when kind in ('item', 'states') then 'tracker' else 'forge' end) stored,
        parts smallint not null default 0 check (parts between 0 and 7),
        wanted bigint not null default 1,
        asked bigint not null default 0,
        run_at timestamptz not null default clock_timestamp(),
        attempts smallint not null default 0,
        process_id bigint references orch.process,
        token uuid,
        asked_at timestamptz,
        detail text,
        primary key (project_id, kind, object),
        constraint look_under_way_has_owner check ((token is null) = (process_id is null))
) with (fillfactor = 50);
comment on table orch.look is 'I-3: what is to be looked at outside. Events, sweeps and gates only say "look at X": however often that is said, it is one question, and its answer decides. Gone once it was answered; orch.look_want() makes it.';
comment on column orch.look.project_id is 'Project it belongs to';
comment on column orch.look.kind is 'item, states: of the tracker; status, pull, branch: of the forge';
comment on column orch.look.object is 'Which one, as the service outside names it';
comment on column orch.look.port is 'Port that is asked, by its kind';
comment on column orch.look.parts is 'What is asked besides the object itself: of an item, 1 its relations, 2 its comments; each is a request more';
comment on column orch.look.wanted is 'How often it was wanted: more often than when it was asked, and it is asked again';
comment on column orch.look.asked is 'What wanted was when it was last asked';
comment on column orch.look.run_at is 'Not to be asked before; while it is asked: when it may be asked again, because the answer was lost';
comment on column orch.look.attempts is 'Tries that have failed and were not the endpoint''s trouble';
comment on column orch.look.process_id is 'Process that asks';
comment on column orch.look.token is 'Fence: of two who asked, the later one''s answer counts';
comment on column orch.look.asked_at is 'When it was last asked';
comment on column orch.look.detail is 'What the last try that failed came to';
create index look_due on orch.look (project_id, port, run_at);
create index look_time on orch.look (run_at);
create index look_of_process on orch.look (process_id) where process_id is not null;

alter table orch.history drop constraint history_kind_check;
alter table orch.history add constraint history_kind_check check (kind in ('intake', 'stage', 'claim', 'outcome', 'release', 'reap', 'decision',
        'freeze', 'unfreeze', 'pause', 'resume', 'cancel', 'escalate', 'setting', 'operator', 'process', 'orphan', 'adopt', 'lease',
        'priority', 'retry', 'dependency', 'limit', 'circuit', 'dead-letter', 'project', 'waits', 'axis', 'deploy', 'observe', 'look')) not valid;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('look_max_attempts', 'int', '8', '8', 'I-7: failed tries after which a question to a service outside is given up; an endpoint that is away uses up none');
