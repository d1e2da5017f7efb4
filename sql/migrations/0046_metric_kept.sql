-- 0046_metric_kept: the metrics of the database are counted once for all who show them.
set local role orch_owner;

create unlogged table orch.metric_kept (
        only_row boolean primary key default true check (only_row),
        taken_at timestamptz not null,
        metrics jsonb not null check (jsonb_typeof(metrics) = 'array')
);
comment on table orch.metric_kept is
        'The rows of orch.metric as they were last counted, for all processes of all hosts: a scrape that another process answers finds no counter gone back. Not logged: empty after a crash, and filled by the next scrape';
comment on column orch.metric_kept.only_row is 'There is one row at most';
comment on column orch.metric_kept.taken_at is 'When they were counted';
comment on column orch.metric_kept.metrics is 'What was counted';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('metric_keep_s', 'int', '15', '15', 'O-1: seconds for which the metrics of the database are kept, for all who scrape');
