-- 0010_ownership: what is taken back by force waits until its former owner's agent has surely stopped (J-1, T-3, T-5).
set local role orch_owner;

alter table orch.process add column takeover_ms integer not null default 75000 check (takeover_ms > 0);
comment on column orch.process.takeover_ms is 'T-5: its promise (takeover_after): so many ms after one of its claims was taken back by force, nothing acts under that claim any more';

alter table orch.run add column takeover_ms integer check (takeover_ms > 0);
comment on column orch.run.takeover_ms is 'T-5: the promise for this run''s shim, given before the shim was started; it outlives the process that gave it';

alter table orch.job add column due_at timestamptz;
comment on column orch.job.due_at is 'J-1: taken back by force: when its time comes if the former owner says that its agent is gone; run_at allows for an agent that still works. Null: nobody is waited for';
