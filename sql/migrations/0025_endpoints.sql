-- 0025_endpoints: the services outside that work is shown to and taken from (I-1, I-7).
set local role orch_owner;

create table orch.endpoint (
        id bigint generated always as identity primary key,
        name text not null unique check (name ~ '^[A-Za-z0-9._-]{1,64}$'),
        kind text not null check (kind in ('plane', 'gitea', 'telegram')),
        url text not null check (url ~ '^https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$'),
        token_file text not null check (token_file ~ '^/'),
        workspace text check (workspace ~ '^[A-Za-z0-9_-]{1,64}$'),
        segment text not null default 'work-items' check (segment in ('work-items', 'issues')),
        chat bigint,
        thread bigint,
        alerts boolean not null default false,
        account text,
        per_minute integer check (per_minute between 1 and 100000),
        tokens numeric not null default 1000000,
        refilled_at timestamptz not null default clock_timestamp(),
        state text not null default 'ok' check (state in ('ok', 'denied', 'limited', 'down')),
        not_before timestamptz,
        reason text,
        failures integer not null default 0,
        since timestamptz not null default clock_timestamp(),
        constraint plane_has_workspace check (kind <> 'plane' or workspace is not null),
        constraint telegram_has_chat check (kind <> 'telegram' or chat is not null),
        constraint only_telegram_takes_alerts check (not alerts or kind = 'telegram'),
        constraint trouble_has_its_reason check ((state = 'ok') = (reason is null)),
        constraint trouble_waits check (state = 'ok' or not_before is not null)
) with (fillfactor = 50);
comment on table orch.endpoint is 'I-1: a service outside. Its row also says whether it can be asked now: what belongs to it waits until not_before, and then one tries. Change it with orch.endpoint_set().';
comment on column orch.endpoint.id is 'Identity';
comment on column orch.endpoint.name is 'Name people use';
comment on column orch.endpoint.kind is 'plane, gitea or telegram';
comment on column orch.endpoint.url is 'Of the server, without a slash at its end; http only to hosts that the option http_plain_hosts names';
comment on column orch.endpoint.token_file is 'Path, on every host, of the file whose first line is the token; read for each request';
comment on column orch.endpoint.workspace is 'Plane: slug of the workspace';
comment on column orch.endpoint.segment is 'Plane: how the server calls work items in paths; issues before 1.1';
comment on column orch.endpoint.chat is 'Telegram: the chat';
comment on column orch.endpoint.thread is 'Telegram: topic of a forum';
comment on column orch.endpoint.alerts is 'Telegram: whether it gets the alerts that are no project''s, and those of projects without a notifier of their own';
comment on column orch.endpoint.account is 'Who we are there: what this account does is our own echo';
comment on column orch.endpoint.per_minute is 'Requests that all processes of all hosts may send in a minute; null: no limit';
comment on column orch.endpoint.tokens is 'Requests that may be sent now; bounded by what a minute allows';
comment on column orch.endpoint.refilled_at is 'As of when';
comment on column orch.endpoint.state is 'ok; denied: it does not take our token; limited: it wants us to wait; down: it does not answer';
comment on column orch.endpoint.not_before is 'Not ok: until when it is not asked';
comment on column orch.endpoint.reason is 'Not ok: what it said, or what failed';
comment on column orch.endpoint.failures is 'Failures since it was last ok: each doubles the wait';
comment on column orch.endpoint.since is 'Since when it is in this state';
create unique index endpoint_of_alerts on orch.endpoint (alerts) where alerts;

alter table orch.project add column tracker_endpoint bigint references orch.endpoint;
alter table orch.project add column forge_endpoint bigint references orch.endpoint;
alter table orch.project add column notifier_endpoint bigint references orch.endpoint;
comment on column orch.project.tracker_endpoint is 'I-1: the server of the tracker; null for the local one';
comment on column orch.project.forge_endpoint is 'I-1: the server of the forge; null for the local one';
comment on column orch.project.notifier_endpoint is 'I-1: who shows its cards and alerts; null: the endpoint that takes all alerts, else the log';
alter table orch.project add constraint tracker_has_endpoint check ((tracker = 'local') = (tracker_endpoint is null));
alter table orch.project add constraint forge_has_endpoint check ((forge = 'local') = (forge_endpoint is null));

insert into orch.setting_row (key, kind, value, standard, about) values
        ('endpoint_backoff_s', 'int', '5', '5', 'I-7: seconds for which a service outside that has failed is not asked; doubles with each failure, up to five minutes'),
        ('endpoint_alert_s', 'int', '300', '300', 'I-7: seconds after which a service outside that does not answer is an alert');
