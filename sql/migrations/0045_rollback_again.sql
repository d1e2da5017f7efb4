-- 0045_rollback_again: a rollback that could not be begun is tried again (M-5, I-7).
set local role orch_owner;

alter table orch.deploy_record add column begin_at timestamptz, add column begin_failures integer not null default 0;
comment on column orch.deploy_record.begin_at is 'rollback: not to be begun before, since it could not be';
comment on column orch.deploy_record.begin_failures is 'rollback: times that it could not be begun; nothing was started then';
