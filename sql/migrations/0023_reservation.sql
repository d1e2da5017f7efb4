-- 0023_reservation: what a run is expected to cost is reserved when it begins, so that jobs that run at once do not spend a budget twice (J-7).
set local role orch_owner;

alter table orch.run add column reserved_usd numeric(12, 6);
comment on column orch.run.reserved_usd is 'J-7: what it was expected to cost when it began; counts as long as it runs and has not said what it cost';
create index job_done_agent on orch.job (repo_id, role, id) where status = 'done' and kind = 'agent';
comment on index orch.job_done_agent is 'The last runs of a role in a repo: what the next one is expected to cost';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('budget_estimate_usd', 'int', '1', '1', 'J-7: dollars that a run is expected to cost while its repo has no experience');
