-- 0038_forge_ci: CI that runs at the forge (P-1, I-4).
set local role orch_owner;

alter table orch.project add column ci text, add column ci_contexts text[];
update orch.project set ci = 'local', ci_contexts = '{}';
alter table orch.project alter column ci set default 'local', alter column ci set not null,
        alter column ci_contexts set default '{}', alter column ci_contexts set not null,
        add constraint ci_is_known check (ci in ('local', 'forge'));
comment on column orch.project.ci is 'P-1: who tests a branch: local: a worker runs the test command; forge: whoever writes statuses of commits at the forge';
comment on column orch.project.ci_contexts is 'P-1: of the statuses at the forge those that must be green; * and ? stand for any characters; empty: all that there are';

alter table orch.commit_status add column url text;
alter table orch.commit_status drop constraint commit_status_state_check;
alter table orch.commit_status add constraint commit_status_state_check check (state in ('pending', 'success', 'failure', 'error', 'warning', 'skipped')) not valid;
alter table orch.commit_status validate constraint commit_status_state_check;
comment on table orch.commit_status is 'Statuses of commits: the newest per context counts. Our own CI writes here, and what was seen at the forge (orch.seen_status).';
comment on column orch.commit_status.state is 'pending, success, failure; of a forge also error (as failure), warning (as success), skipped (neither)';
comment on column orch.commit_status.url is 'Where people read more of it';
