-- 0006_operators: who acts through the operator port (O-2), and more kinds of history: every act of an operator has one.

do $$
begin
        if not exists (select from pg_roles where rolname = 'orch_operatord') then
                create role orch_operatord login;
                comment on role orch_operatord is 'Daemon: the operator port; acts for the people whose tokens it has checked';
        end if;
exception
        -- another database of the cluster is being migrated at this moment
        when duplicate_object or unique_violation then
                null;
end
$$;
grant usage on schema orch to orch_operatord;
set local role orch_owner;

comment on column orch.audit.actor is 'Who acted: the name of a token on the operator port, else the database user (orch.actor())';
comment on column orch.history.actor is 'Who did it: a daemon, the name of a token on the operator port, or a database user';

-- not valid: rows that met the narrower list meet this one, and need no look under the lock
alter table orch.history drop constraint history_kind_check;
alter table orch.history add constraint history_kind_check check (kind in ('intake', 'stage', 'claim', 'outcome', 'release', 'reap', 'decision',
        'freeze', 'unfreeze', 'pause', 'resume', 'cancel', 'escalate', 'setting', 'operator', 'process', 'orphan', 'adopt', 'lease',
        'priority', 'retry', 'dependency', 'limit', 'circuit', 'dead-letter', 'project', 'waits', 'axis')) not valid;
