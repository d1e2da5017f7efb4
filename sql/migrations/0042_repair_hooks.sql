-- 0042_repair_hooks: whether a webhook of a forge that is missing or wrong is made anew (I-3).
set local role orch_owner;

alter table orch.project add column repair_hooks boolean not null default false;
comment on column orch.project.repair_hooks is 'I-3: whether the webhook of its repository is made anew when it is missing or wrong; else people are told, and that is all';
