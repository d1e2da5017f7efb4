-- 0040_job_kinds: a worker says which kinds of jobs it knows, so that none of an older release is given another (J-1, B-5).
set local role orch_owner;

-- The default is what workers know that do not say: those of the release before, whose kinds these are. Never add to it.
alter table orch.process add column kinds text[] not null default '{agent,ci,check,integrate,merge,deploy,finalize}';
comment on column orch.process.kinds is 'Kinds of jobs that it knows (orch.role.kind); of a release that did not say it yet: those of then';
