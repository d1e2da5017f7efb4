-- 42_deploy: the phases of a deploy (M-3). A: the stage is entered. B: deploy_initiate() commits that it begins, and only
-- then a worker starts the command, on the record's host. C: deploy_ended() stores what came of it.
--
-- A record is started once, whatever dies. The database lets one claim at a time try, and of those that try the one
-- that makes the record's folder starts the command: mkdir(2) succeeds once. Another boot, or another host, does not try.

create function orch.deploy_await(t orch.task) returns void
language plpgsql as $$
begin
        insert into orch.deploy_record (task_id, stage_version, awaiting_since) values (t.id, t.stage_version, clock_timestamp()) on conflict do nothing;
end
$$;
comment on function orch.deploy_await(orch.task) is 'M-3, phase A: the stage was entered';

create function orch.deploy_of(t orch.task) returns orch.deploy_record
language sql stable
return (select d from orch.deploy_record d where d.task_id = t.id and d.stage_version = t.stage_version and d.kind = 'deploy');
comment on function orch.deploy_of(orch.task) is 'The deploy of the present visit to the stage; null before it';

create function orch.project_command_of(t orch.task, p_kind text) returns text
language sql stable
return (select c.command from orch.project_command c where c.project_id = t.project_id and c.kind = p_kind);
comment on function orch.project_command_of(orch.task, text) is 'A command of the task''s project; null when it has none of the kind';

create function orch.deploy_look(p_job bigint, p_epoch bigint, p_token uuid)
returns table (record bigint, sha text, host text, boot_id text, dir text, command text, status text, exit_code integer, reason text, check_command text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
        t orch.task;
        d orch.deploy_record;
begin
        select k.* into t from orch.job j join orch.task k on k.id = j.task_id and k.stage_version = j.stage_version
        where j.id = p_job and j.epoch = p_epoch and j.token = p_token and j.status = 'running';
        if not found then
                return;
        end if;
        d := orch.deploy_of(t);
        return query select d.id, coalesce(d.sha, t.head_sha), d.host, d.boot_id, d.dir,
                case when d.initiated_at is null then orch.project_command_of(t, 'deploy') else d.command end,
                d.status, d.exit_code, d.reason, orch.project_command_of(t, 'deploy_check');
end
$$;
comment on function orch.deploy_look(bigint, bigint, uuid) is 'M-3: what the releaser and the finalizer of a task must know of its deploy; no row: the claim is over';

create function orch.deploy_begin(INOUT d orch.deploy_record, p orch.process, p_token uuid, p_command text, p_sha text, p_state_dir text) returns orch.deploy_record
language plpgsql as $$
begin
        update orch.deploy_record r set initiated_at = clock_timestamp(), sha = p_sha, command = p_command, token = p_token,
                host = (select h.name from orch.host h where h.id = p.host_id), boot_id = p.boot_id,
                dir = format('%s/deploys/%s', p_state_dir, r.id)
        where r.id = d.id returning * into d;
end
$$;
comment on function orch.deploy_begin(orch.deploy_record, orch.process, uuid, text, text, text) is 'M-3, phase B: the record of a start that is to come, on the host of that process';

create function orch.deploy_again(d orch.deploy_record, p orch.process, p_token uuid) returns text
language plpgsql as $$
begin
        if d.finished_at is not null or d.command is null or d.boot_id <> p.boot_id or d.host <> (select h.name from orch.host h where h.id = p.host_id) then
                return 'already';
        end if;
        update orch.deploy_record set token = p_token where id = d.id;
        return 'start';
end
$$;
comment on function orch.deploy_again(orch.deploy_record, orch.process, uuid) is
        'What a later claim of an initiated record is told: start, on the same host and boot only, where the folder says whether it was started already; else already';

create function orch.deploy_initiate(p_job bigint, p_epoch bigint, p_token uuid, p_state_dir text) returns table (answer text, record bigint, dir text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        j orch.job;
        t orch.task;
        d orch.deploy_record;
        p orch.process;
        deploy_command text;
begin
        select k.* into t from orch.task k where k.id = (select task_id from orch.job where id = p_job) for no key update;
        select * into j from orch.job where id = p_job and epoch = p_epoch and token = p_token and status = 'running' and stop_requested_at is null
                and kind = 'deploy' and stage_version = t.stage_version for no key update;
        if not found then
                return query select 'fenced', null::bigint, null::text;
                return;
        end if;
        select * into p from orch.process where id = j.process_id;
        perform orch.deploy_await(t); -- it is there, but for tasks that entered the stage under the release before
        d := orch.deploy_of(t);
        deploy_command := orch.project_command_of(t, 'deploy');
        if d.initiated_at is not null then
                answer := orch.deploy_again(d, p, p_token);
        elsif deploy_command is null then
                update orch.deploy_record r set sha = t.head_sha, initiated_at = clock_timestamp(), reason = 'the project has no deploy command' where r.id = d.id;
                answer := 'nothing';
        else
                d := orch.deploy_begin(d, p, p_token, deploy_command, t.head_sha, p_state_dir);
                update orch.job set host = d.host where id = j.id;
                perform orch.record('deploy', format('process %s', p.id), t.id, j.id, j.epoch,
                        jsonb_build_object('initiated', true, 'sha', d.sha, 'host', d.host, 'record', d.id));
                answer := 'start';
        end if;
        return query select answer, d.id, d.dir;
end
$$;
comment on function orch.deploy_initiate(bigint, bigint, uuid, text) is
        'M-3, phase B: commits that the deploy begins, before anything is started. start: whoever asks may make the folder and start; already: it may not; nothing: there is no command; fenced: the claim is over. Asked again, it answers the same.';

create function orch.deploy_close(d orch.deploy_record, p_actor text, p_status text, p_exit_code integer, p_reason text) returns void
language plpgsql as $$
begin
        update orch.deploy_record set finished_at = clock_timestamp(), status = p_status, exit_code = p_exit_code, reason = p_reason
        where id = d.id and finished_at is null;
        if found then
                perform orch.record('deploy', p_actor, d.task_id, null, null,
                        jsonb_strip_nulls(jsonb_build_object('kind', d.kind, 'status', p_status, 'exit_code', p_exit_code, 'reason', p_reason, 'record', d.id)));
        end if;
end
$$;
comment on function orch.deploy_close(orch.deploy_record, text, text, integer, text) is 'M-3, phase C: stores what came of it, once';

create function orch.deploy_ended(j orch.job, p_actor text, p_report jsonb) returns void
language plpgsql as $$
declare
        t orch.task;
begin
        select * into t from orch.task where id = j.task_id;
        perform orch.deploy_close(orch.deploy_of(t), p_actor, p_report -> 'deploy' ->> 'status', (p_report -> 'deploy' ->> 'exit_code')::integer,
                p_report -> 'deploy' ->> 'reason');
end
$$;
comment on function orch.deploy_ended(orch.job, text, jsonb) is 'M-3, phase C: what the finalizer has found; part of job_finish()';

create function orch.deploy_resolve(t orch.task, p_actor text) returns void
language sql
begin atomic
        update orch.deploy_record set resolved_by = p_actor
        where task_id = t.id and stage_version = t.stage_version and kind = 'deploy' and status = 'UNKNOWN' and resolved_by is null;
end;
comment on function orch.deploy_resolve(orch.task, text) is 'A person has decided what nobody could find out: the deploy is not in doubt any more';

create view orch.deploy_stranded as
select d.id as record, d.task_id, d.host, d.initiated_at
from orch.deploy_record d
where d.initiated_at is not null and d.finished_at is null and d.command is not null
  and not exists (select from orch.process p join orch.host h on h.id = p.host_id where h.name = d.host and p.daemon = 'workerd' and p.ended_at is null)
  and greatest(d.initiated_at, (select max(p.ended_at) from orch.process p join orch.host h on h.id = p.host_id where h.name = d.host and p.daemon = 'workerd'))
        < clock_timestamp() - make_interval(secs => orch.setting_int('deploy_host_gone_s'));
comment on view orch.deploy_stranded is 'M-3: deploys whose host has had no worker for deploy_host_gone_s: nobody can read what came of them';
comment on column orch.deploy_stranded.record is 'The record';
comment on column orch.deploy_stranded.task_id is 'Its task';
comment on column orch.deploy_stranded.host is 'The host that is gone';
comment on column orch.deploy_stranded.initiated_at is 'When it began';

create function orch.deploy_sweep(p_limit integer) returns integer
language plpgsql as $$
declare
        s orch.deploy_stranded;
        d orch.deploy_record;
        why text;
        n integer := 0;
begin
        for s in select * from orch.deploy_stranded order by record limit p_limit loop
                perform from orch.task where id = s.task_id for no key update;
                select * into d from orch.deploy_record where id = s.record and finished_at is null for no key update;
                continue when not found or exists (select from orch.job j where j.task_id = s.task_id and j.status = 'running');
                why := format('host %s, which ran it, is gone: nobody can read what came of it', s.host);
                perform orch.deploy_close(d, session_user, 'UNKNOWN', null, why);
                update orch.job set status = 'cancelled', outcome = 'cancelled', reason = why, ended_at = clock_timestamp()
                where task_id = s.task_id and status = 'queued' and kind in ('deploy', 'finalize') and d.kind = 'deploy';
                perform orch.advance(s.task_id, session_user);
                n := n + 1;
        end loop;
        return n;
end
$$;
comment on function orch.deploy_sweep(integer) is 'M-3: deploys whose host is gone for good become UNKNOWN, and a person decides. Part of the reconciler''s tick. Returns how many.';

create view orch.deploy as
select d.id, orch.item_name(t) as work_item, r.name as repo, d.kind,
       case when d.status is not null then d.status when d.initiated_at is not null then 'under way' else 'awaiting' end as state,
       d.sha, d.host, case when d.files_removed_at is null then d.dir || '/log' end as log, d.exit_code, d.reason, d.resolved_by, d.awaiting_since, d.initiated_at, d.finished_at
from orch.deploy_record d join orch.task t on t.id = d.task_id join orch.repo r on r.id = t.repo_id;
comment on view orch.deploy is 'M-3: every deploy and rollback, and how far it has come';
comment on column orch.deploy.id is 'The record';
comment on column orch.deploy.work_item is 'Work item';
comment on column orch.deploy.repo is 'Repo';
comment on column orch.deploy.kind is 'deploy or rollback';
comment on column orch.deploy.state is 'awaiting: a person is to confirm; under way; SUCCESS, FAILED or UNKNOWN';
comment on column orch.deploy.sha is 'Commit that is deployed';
comment on column orch.deploy.host is 'Host whose worker started the command';
comment on column orch.deploy.log is 'Path of the command''s log there; null when it has been kept long enough and is gone';
comment on column orch.deploy.exit_code is 'Its exit code';
comment on column orch.deploy.reason is 'Why the state is what it is';
comment on column orch.deploy.resolved_by is 'Who decided an UNKNOWN one';
comment on column orch.deploy.awaiting_since is 'Since when a person was awaited';
comment on column orch.deploy.initiated_at is 'When it began';
comment on column orch.deploy.finished_at is 'When its end was known';
