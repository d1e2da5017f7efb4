-- 85_doctor: what is wrong with the installation as far as the database knows, for `orchctl doctor`. To look at one thing
-- more: a branch of the view, under the name of a check in ctl/cmd_doctor.c.

create view orch.doctor_finding as
-- rights: a daemon logs in as its own role, and may do nothing but call the functions of its part
select 'rights' as check_name, 'wrong' as level, g.role as subject, format('there is no role %s that can log in', g.role) as says,
       'run `orchctl migrate`; then, as a superuser: alter role ' || g.role || ' login' as mend
from (values ('orch_webhookd'), ('orch_workerd'), ('orch_reaperd'), ('orch_reconcilerd'), ('orch_operatord'), ('orch_operator'), ('orch_readonly')) g (role)
where not exists (select from pg_roles r where r.rolname = g.role and r.rolcanlogin)
union all
select 'rights', 'wrong', g.role, format('%s may not call orch.%s()', g.role, g.called), 'run `orchctl migrate`: it gives all rights anew'
from (values ('orch_webhookd', 'event_intake'), ('orch_workerd', 'job_claim'), ('orch_reaperd', 'process_beats'), ('orch_reconcilerd', 'reconcile_gates'), ('orch_operatord', 'http_act')) g (role, called)
where exists (select from pg_roles r where r.rolname = g.role)
  and not exists (select from pg_proc f where f.pronamespace = 'orch'::regnamespace and f.proname = g.called and has_function_privilege(g.role, f.oid, 'execute'))
union all
select 'rights', 'wrong', r.rolname, format('%s may do everything, also what only functions may', r.rolname), format('as a superuser: alter role %I nosuperuser', r.rolname)
from pg_roles r where r.rolname in ('orch_webhookd', 'orch_workerd', 'orch_reaperd', 'orch_reconcilerd', 'orch_operatord', 'orch_readonly') and r.rolsuper
union all
select 'hosts', 'wrong', d.daemon, format('no %s is alive on any host', d.daemon), 'start the suite: orchctl up'
from (values ('webhookd'), ('workerd'), ('reaperd'), ('reconcilerd')) d (daemon)
where not exists (select from orch.live_process p where p.daemon = d.daemon and p.state <> 'silent')
union all
select 'hosts', 'wrong', p.host, format('%s %s has been silent for %s', p.daemon, p.pid, p.last_beat), 'look whether the host runs and reaches the database; its reaper, or that of another host, clears up'
from orch.live_process p where p.state = 'silent'
union all
select 'hosts', 'warning', null, format('daemons of %s versions run: %s', count(distinct p.version), string_agg(distinct p.version || ' on ' || p.host, ', ')), 'bring all hosts to one: orchctl upgrade on each'
from orch.live_process p having count(distinct p.version) > 1
union all
select 'disk', 'wrong', w.host, coalesce(w.detail, format('%s %s is in trouble', w.what, w.path)), 'make room, or change watch_min_free, watch_paths or cache_prune_command there'
from orch.host_room w where w.bad
union all
select 'agents', 'wrong', w.host, format('%s: %s', case r.key when '*' then 'all roles' else r.key end, r.value), 'mend agent_command, agent_adapter or agent_path of that host; its worker looks again every ten seconds'
from (select w.host, w.preflight from orch.worker w group by w.host, w.preflight) w, lateral jsonb_each_text(w.preflight) r
union all
select 'services', case e.state when 'limited' then 'warning' else 'wrong' end, e.name,
       format('the suite has found it %s since %s: %s', e.state, to_char(e.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), e.reason),
       case e.state when 'denied' then format('put a good token into %s on every host; it counts at once', e.token_file)
            when 'limited' then 'wait: it is asked again by itself' else 'mend the service or the way to it; it is asked again by itself' end
from orch.endpoint_status e where e.state <> 'ok'
union all
-- deliveries: Plane switches a webhook off without a word
select 'hooks', 'warning', p.name, format('no delivery has ever come from %s', e.name),
       case e.kind when 'plane' then 'in Plane: workspace settings, Webhooks: is ours there and active? A private address wants WEBHOOK_ALLOWED_IPS'
            else 'look at its deliveries in Gitea: settings of the repository, Webhooks; a private address wants ALLOWED_HOST_LIST' end
from orch.project p join orch.endpoint e on e.id in (p.tracker_endpoint, p.forge_endpoint)
where p.active and not exists (select from orch.event v where v.source = e.kind and v.delivery is not null)
union all
select 'notifications', 'warning', null, 'alerts go to the log only', 'give them a chat: orchctl endpoint set NAME https://api.telegram.org --kind telegram --chat=CHAT --token-file FILE --alerts'
where not exists (select from orch.endpoint e where e.alerts)
union all
select 'letters', 'wrong', null, format('%s events and effects were given up', count(*)), 'look at them, then retry or drop each: orchctl dead-letter list'
from (select from orch.dead_letter limit orch.count_bound()) x having count(*) > 0
union all
select 'letters', 'wrong', null, format('the oldest event that is not handled came %s s ago', a.age), 'is a worker alive? orchctl status; the reasons are in the log of workerd'
from orch.inbox_age_s() a (age) where a.age > 300
union all
select 'alerts', 'warning', x.work_item, format('waits for a person: %s', x.reason), format('orchctl why %1$s; orchctl ack %1$s says that you look after it', x.work_item)
from orch.open_escalation x where x.acked_at is null
union all
select 'alerts', 'wrong', f.axis, format('the rule %s of the scheduler cannot be evaluated: %s', f.axis, f.error), 'run `orchctl migrate`, which makes all views anew; else look at its data'
from orch.axis_fault f where f.cleared_at is null
union all
select 'alerts', 'warning', c.provider, format('the provider %s cannot be asked: %s', c.provider, c.reason), 'orchctl circuit list; it is tried again by itself'
from orch.provider_circuit c where c.state <> 'closed'
union all
select 'alerts', 'warning', (select t.work_item from orch.task t where t.id = w.task_id), format('%s: %s', w.kind, w.about), coalesce('the cheapest way out: ' || w.cut, 'orchctl waits')
from orch.wait_finding w where w.ended_at is null and w.alerted_at is not null;
comment on view orch.doctor_finding is 'What is wrong with the installation, as far as the database knows, and how to mend it';
comment on column orch.doctor_finding.check_name is 'Check of orchctl doctor that it belongs to';
comment on column orch.doctor_finding.level is 'wrong or warning';
comment on column orch.doctor_finding.subject is 'Host, role, endpoint or work item that it is about; null: the whole';
comment on column orch.doctor_finding.says is 'What was found';
comment on column orch.doctor_finding.mend is 'How to mend it';

create function orch.doctor() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('server', current_setting('server_version'), 'database', current_database(),
                'findings', (select coalesce(jsonb_agg(to_jsonb(f) order by f.check_name, f.level desc, f.subject, f.says), '[]') from orch.doctor_finding f),
                'endpoints', (select coalesce(jsonb_agg(jsonb_build_object('name', e.name, 'config', orch.endpoint_json(e, null)) order by e.name), '[]') from orch.endpoint e),
                'projects', (select coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'forge', p.forge, 'location', p.forge_location, 'default_branch', p.default_branch,
                        'tracker', t.name, 'tracker_config', orch.endpoint_json(t, p), 'tracker_hook', t.hook_url,
                        'forge_endpoint', f.name, 'forge_config', orch.endpoint_json(f, p), 'forge_hook', f.hook_url) order by p.name), '[]')
                        from orch.project p left join orch.endpoint t on t.id = p.tracker_endpoint left join orch.endpoint f on f.id = p.forge_endpoint where p.active));
end;
comment on function orch.doctor() is 'What is wrong as far as the database knows, and the endpoints and projects that orchctl doctor asks about outside';

create function orch.states_report(p_states jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        with there as (
                select x.name, orch.state_key(x.name, x."group") as key from jsonb_to_recordset(p_states) as x (name text, "group" text) where btrim(x.name) <> ''
        ), met as (
                select s.key, s.label, s.position, s.remote_group, s.key <> 'stop' and s.remote_group in ('completed', 'cancelled') as may_be_many, array_agg(t.name order by t.name) filter (where t.key is not null) as names
                from orch.tracker_state s left join there t on t.key = s.key group by s.key
        )
        select jsonb_build_object('found', coalesce(string_agg(m.label, ', ' order by m.position) filter (where cardinality(m.names) > 0), 'none'),
                'missing', coalesce(jsonb_agg(jsonb_build_object('label', m.label, 'group', m.remote_group, 'wrong', m.key = 'to_analyse', 'disables', orch.state_disables(m.key))
                        order by m.position) filter (where m.names is null), '[]'),
                'colliding', coalesce(jsonb_agg(jsonb_build_object('label', m.label, 'names', array_to_string(m.names, ', ')) order by m.position)
                        filter (where cardinality(m.names) > 1 and not m.may_be_many), '[]'))
        from met m;
end;
comment on function orch.states_report(jsonb) is 'I-2: which states a board has for us, which it lacks, and what that disables; a board without To Analyse can start nothing. Names that cannot be told apart count for nothing.';
