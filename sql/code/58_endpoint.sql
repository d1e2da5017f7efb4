-- 58_endpoint: whether a service outside can be asked, and how often (I-7). What is asked is an effect or a look; each
-- claim of them asks endpoint_admit() first, and each answer goes to endpoint_note(). Both are the only ones who know.

create function orch.endpoint_bucket(e orch.endpoint) returns numeric
language sql immutable
return greatest(e.per_minute / 10.0, 1);
comment on function orch.endpoint_bucket(orch.endpoint) is 'I-7: requests that an endpoint may be sent at once when none was sent for a while';

create function orch.endpoint_tokens(e orch.endpoint) returns numeric
language sql stable
-- a bucket of a tenth, filled at eight tenths: no sixty seconds see more than per_minute, if that is more than a question takes
return case when e.per_minute is null then e.tokens
            else least(orch.endpoint_bucket(e), e.tokens + extract(epoch from clock_timestamp() - e.refilled_at) * e.per_minute * 0.8 / 60) end;
comment on function orch.endpoint_tokens(orch.endpoint) is 'I-7: requests that an endpoint may be sent now';

create function orch.endpoint_room(e orch.endpoint, p_cost integer default 1) returns integer
language sql stable
return case when e.not_before > clock_timestamp() then 0
            when e.state <> 'ok' then 1 -- one tries; the others wait for what it finds
            when e.per_minute is null then 2147483647
            -- what is more than the bucket holds is asked when it is full, and owed
            else floor(orch.endpoint_tokens(e) / least(p_cost, orch.endpoint_bucket(e)))::integer end;
comment on function orch.endpoint_room(orch.endpoint, integer) is 'I-7: how many questions of so many requests each an endpoint may be asked now';

create function orch.endpoint_admit(p_endpoint bigint, p_wanted integer, p_cost integer default 1) returns integer
language plpgsql as $$
declare
        e orch.endpoint;
        n integer;
begin
        if p_endpoint is null then
                return p_wanted; -- ours: no service outside
        end if;
        select * into e from orch.endpoint where id = p_endpoint for no key update skip locked;
        if not found then
                return 0; -- somebody else decides at this moment
        end if;
        n := least(p_wanted, orch.endpoint_room(e, p_cost));
        if n <= 0 then
                return 0;
        elsif e.per_minute is not null or e.state <> 'ok' then
                update orch.endpoint set tokens = orch.endpoint_tokens(e) - n * p_cost, refilled_at = clock_timestamp(),
                        not_before = case when state <> 'ok' then clock_timestamp() + make_interval(secs => 60) end,
                        trying_at = case when state <> 'ok' then clock_timestamp() end
                where id = e.id;
        end if;
        return n;
end
$$;
comment on function orch.endpoint_admit(bigint, integer, integer) is
        'I-7: how many of the wanted questions may be asked now, each of so many requests: all of a null endpoint; none while it is not to be asked, or somebody else decides at this moment; one, to try, when its wait is over';

create function orch.endpoint_unasked(p_endpoint bigint) returns void
language sql
begin atomic
        update orch.endpoint set tokens = tokens + 1, trying_at = null, not_before = case when state <> 'ok' then clock_timestamp() end where id = p_endpoint;
end;
comment on function orch.endpoint_unasked(bigint) is 'I-7: what was admitted turned out to need no question: the trial, or its share of the minute, is another''s';

create function orch.endpoint_note(p_endpoint bigint, p_outcome text, p_reason text, p_retry_after_s integer) returns boolean
language plpgsql as $$
declare
        e orch.endpoint;
        now_state text := case p_outcome when 'denied' then 'denied' when 'limited' then 'limited' when 'unavailable' then 'down' when 'unknown' then null else 'ok' end;
        pause interval;
begin
        if p_endpoint is null or p_outcome is null then
                return false;
        elsif p_outcome = 'forbidden' then
                perform orch.endpoint_note(p_endpoint, 'ok', null, null); -- it answers, and knows our token
                perform orch.alert_cluster('endpoint:' || n.id, format('endpoint:%s:forbidden:%s:%s', n.id, (clock_timestamp() at time zone 'UTC')::date,
                                md5(regexp_replace(coalesce(p_reason, ''), 'https?://[^ ]+|"[^"]*"', '', 'g'))), -- whatever the repository is
                        format('%s does not let our token do this; give it the right, or put one that has it into %s: %s', n.name, n.token_file, left(p_reason, 500)))
                from orch.endpoint n where n.id = p_endpoint;
                return true;
        elsif now_state is null then
                update orch.endpoint set not_before = clock_timestamp() + orch.backoff(failures, orch.setting_int('endpoint_backoff_s')), trying_at = null
                where id = p_endpoint and state <> 'ok'; -- it was the one that tries, and knows no more: the next one soon
                return false;
        elsif now_state = 'ok' and exists (select from orch.endpoint where id = p_endpoint and state = 'ok') then
                return false; -- as nearly always, and without a lock
        end if;
        select * into e from orch.endpoint where id = p_endpoint for no key update;
        if now_state = 'ok' and e.state = 'limited' and e.trying_at is null and e.not_before > clock_timestamp() then
                return false; -- it was sent before that was known
        elsif now_state = 'ok' then
                update orch.endpoint set state = 'ok', not_before = null, trying_at = null, reason = null, failures = 0, since = clock_timestamp() where id = e.id;
                if e.state <> 'limited' then
                        perform orch.record('circuit', 'orchestrator', null, null, null, jsonb_build_object('endpoint', e.name, 'from', e.state, 'to', 'ok'));
                        if e.state = 'denied' or e.since < clock_timestamp() - make_interval(secs => orch.setting_int('endpoint_alert_s')) then
                                perform orch.alert_cluster('endpoint:' || e.id, format('endpoint:%s:%s:ok', e.id, extract(epoch from e.since)), format('%s answers again', e.name));
                        end if;
                end if;
                perform orch.wake();
                return false;
        end if;
        if e.state = now_state and e.trying_at is null and e.not_before > clock_timestamp() and p_retry_after_s is null then
                return true; -- it was sent before that was known
        end if;
        pause := case when p_retry_after_s is not null then orch.told_wait(p_retry_after_s) + make_interval(secs => random())
                      else orch.backoff(e.failures + 1, orch.setting_int('endpoint_backoff_s')) end;
        update orch.endpoint set state = now_state, reason = left(p_reason, 500), failures = failures + 1, trying_at = null,
                not_before = clock_timestamp() + pause, -- also when it was longer: that was for whoever tries, and this one has
                since = case when e.state in ('ok', 'limited') or now_state = 'denied' and e.state <> 'denied' then clock_timestamp() else e.since end
        where id = e.id returning * into e;
        if e.failures = 1 then
                perform orch.record('circuit', 'orchestrator', null, null, null, jsonb_build_object('endpoint', e.name, 'to', e.state, 'reason', e.reason));
        end if;
        if e.state = 'denied' or (e.state = 'down' and e.since < clock_timestamp() - make_interval(secs => orch.setting_int('endpoint_alert_s'))) then
                perform orch.alert_cluster('endpoint:' || e.id, format('endpoint:%s:%s:%s', e.id, extract(epoch from e.since), e.state),
                        format('%s %s: %s', e.name, case when e.state <> 'denied' then 'does not answer'
                                when e.kind = 'telegram' then format('does not take our token, or does not let its bot into chat %s; put a good one into %s, or the bot back', e.chat, e.token_file)
                                else 'does not take our token; put a good one into ' || e.token_file end, e.reason));
        end if;
        return true;
end
$$;
comment on function orch.endpoint_note(bigint, text, text, integer) is
        'I-7: what an answer says of its endpoint, by the name of its outcome; null: nothing. True: it was the endpoint''s trouble and not the question''s, which burns no attempt. One alert when a token is not taken (or its bot is not in the chat), or nothing has answered for endpoint_alert_s, and one when it is over; and one a day of each thing that our token may not do, which holds up nothing else.';

create function orch.said_wait(p_outcome text, p_retry_after_s integer) returns interval
language sql volatile
return case when p_outcome = 'forbidden' then orch.backoff(5, orch.setting_int('endpoint_backoff_s')) else orch.told_wait(p_retry_after_s) end;
comment on function orch.said_wait(text, integer) is
        'I-7: how long what was asked waits by itself: as its peer wants; until people may have given our token a right; null: as what was asked does otherwise';

create function orch.effects_redirect() returns void
language sql
begin atomic
        update orch.effect f set endpoint_id = orch.effect_endpoint(f.project_id, f.port)
        where f.status = 'pending' and f.endpoint_id is distinct from orch.effect_endpoint(f.project_id, f.port);
        select orch.wake();
end;
comment on function orch.effects_redirect() is 'I-1: what waits goes where the connections now say';

create view orch.endpoint_status as
select e.name, e.kind, e.url, e.hook_url, e.workspace, e.chat, e.account, e.alerts, e.per_minute, e.token_file, e.state, e.reason, e.since, e.not_before, e.failures,
       array(select p.name from orch.project p where e.id in (p.tracker_endpoint, p.forge_endpoint, p.notifier_endpoint) order by p.name) as projects
from orch.endpoint e;
comment on view orch.endpoint_status is 'I-7: the services outside, and whether they can be asked now';
comment on column orch.endpoint_status.name is 'Name';
comment on column orch.endpoint_status.kind is 'plane, gitea or telegram';
comment on column orch.endpoint_status.url is 'Its server';
comment on column orch.endpoint_status.hook_url is 'Plane, Gitea: where its webhooks go';
comment on column orch.endpoint_status.workspace is 'Plane: slug of the workspace';
comment on column orch.endpoint_status.chat is 'Telegram: the chat';
comment on column orch.endpoint_status.account is 'Who we are there';
comment on column orch.endpoint_status.alerts is 'Whether it takes the alerts that are no project''s';
comment on column orch.endpoint_status.per_minute is 'Requests allowed in a minute';
comment on column orch.endpoint_status.token_file is 'Where its token is, on every host';
comment on column orch.endpoint_status.state is 'ok, denied, limited or down';
comment on column orch.endpoint_status.reason is 'Why it is not ok';
comment on column orch.endpoint_status.since is 'Since when it is in this state';
comment on column orch.endpoint_status.not_before is 'Until when it is not asked';
comment on column orch.endpoint_status.failures is 'Failures since it was last ok';
comment on column orch.endpoint_status.projects is 'Projects that use it';

create function orch.endpoint_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('endpoints', coalesce(jsonb_agg(to_jsonb(s) order by s.name), '[]')) from orch.endpoint_status s;
end;
comment on function orch.endpoint_list() is 'I-7: the services outside, and whether they can be asked now';

create function orch.endpoint_set(p_name text, p_kind text, p_url text, p_token_file text, p_workspace text default null, p_chat bigint default null,
        p_thread bigint default null, p_per_minute integer default null, p_alerts boolean default null, p_segment text default null, p_hook_url text default null, p_account text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb := (select to_jsonb(s) from orch.endpoint_status s where s.name = p_name);
        after jsonb;
begin
        insert into orch.endpoint as e (name, kind, url, token_file, workspace, chat, thread, per_minute, alerts, segment, hook_url, account)
        values (p_name, p_kind, rtrim(p_url, '/'), p_token_file, p_workspace, p_chat, p_thread,
                coalesce(p_per_minute, case p_kind when 'plane' then 60 when 'telegram' then 20 end), coalesce(p_alerts, false), coalesce(p_segment, 'work-items'), p_hook_url, p_account)
        on conflict (name) do update set url = excluded.url, token_file = excluded.token_file, workspace = excluded.workspace, chat = excluded.chat,
                thread = excluded.thread, per_minute = coalesce(p_per_minute, e.per_minute), alerts = coalesce(p_alerts, e.alerts), segment = coalesce(p_segment, e.segment), hook_url = coalesce(p_hook_url, e.hook_url), account = coalesce(p_account, e.account),
                state = 'ok', not_before = null, trying_at = null, reason = null, failures = 0, since = clock_timestamp()
        where e.kind = excluded.kind;
        if not found then
                perform orch.refuse('OR002', format('%s is of kind %s', p_name, before ->> 'kind'), 'Choose another name');
        end if;
        perform orch.effects_redirect();
        after := (select to_jsonb(s) from orch.endpoint_status s where s.name = p_name);
        perform orch.audit_act('endpoint_set', p_name, jsonb_build_object('url', p_url), before, after);
        return after;
exception
        when check_violation or not_null_violation then
                perform orch.refuse('OR003', format('endpoint %s cannot be registered: %s', orch.quoted(p_name), sqlerrm),
                        'A kind is plane (with a workspace), gitea or telegram (with a chat); an address is https://HOST without a path''s last slash; a token file has an absolute path; webhooks go to an address of ours that ends in /webhook/plane or /webhook/gitea');
                return null;
        when unique_violation then
                perform orch.refuse('OR002', 'another endpoint takes the alerts already', 'Set that one first with alerts off: orchctl endpoint list');
                return null;
end
$$;
comment on function orch.endpoint_set(text, text, text, text, text, bigint, bigint, integer, boolean, text, text, text) is 'I-1: registers a service outside, or changes it; what waited for it is tried at once';

create function orch.endpoint_remove(p_name text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb := (select to_jsonb(s) from orch.endpoint_status s where s.name = p_name);
        said text := format('there is no endpoint %s', left(p_name, 80));
begin
        if p_name is null then
                perform orch.refuse('OR003', 'which endpoint?', 'List them with: orchctl endpoint list');
        elsif before is not null and before ->> 'projects' <> '[]' then
                perform orch.refuse('OR002', format('%s is used by %s', p_name, before -> 'projects'), 'Connect these projects elsewhere first: orchctl project connect');
        end if;
        delete from orch.endpoint where name = p_name; -- alerts that wait for it go to the log
        if found then
                said := format('endpoint %s is gone', p_name);
        end if;
        perform orch.audit_act('endpoint_remove', p_name, '{}', before, null);
        return orch.endpoint_list() || jsonb_build_object('message', said);
end
$$;
comment on function orch.endpoint_remove(text) is 'I-1: forgets a service outside that no project uses';

create function orch.under_way(p orch.project) returns boolean
language sql stable
return exists (select from orch.task t where t.repo_id = p.repo_id and not t.terminal and t.project_id = p.id);
comment on function orch.under_way(orch.project) is 'Whether a task of the project is not over';

create function orch.watched(p orch.project) returns boolean
language sql stable
return p.active or orch.under_way(p);
comment on function orch.watched(orch.project) is 'R-1: whether a project''s board and webhook are looked at: as long as it takes work in, or has some';

create function orch.project_connect(p_project text, p_port text, p_endpoint text, p_place text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        p orch.project;
        was orch.project;
        e orch.endpoint;
        before jsonb;
begin
        select * into p from orch.project where name = p_project for no key update;
        was := p;
        before := orch.project_json(p);
        select * into e from orch.endpoint where name = p_endpoint;
        if p.id is null then
                perform orch.refuse('OR001', format('there is no project %s', orch.quoted(p_project)), 'List them with: orchctl project list');
        elsif e.id is null and p_endpoint <> 'local' then
                perform orch.refuse('OR001', format('there is no endpoint %s', orch.quoted(p_endpoint)), 'List them with: orchctl endpoint list; "local" is always there');
        elsif not coalesce((p_port, coalesce(e.kind, 'local')) in (('tracker', 'plane'), ('tracker', 'local'), ('forge', 'gitea'), ('forge', 'local'),
                        ('notifier', 'telegram'), ('notifier', 'local')), false) then
                perform orch.refuse('OR003', format('%s is no %s', coalesce(e.kind, 'local'), p_port), 'A tracker is plane, a forge is gitea, a notifier is telegram; each may be local');
        elsif p_port <> 'notifier' and e.id is not null and btrim(coalesce(p_place, '')) = '' then
                perform orch.refuse('OR003', format('which %s of %s?', case p_port when 'tracker' then 'project' else 'repository' end, p_endpoint),
                        'A tracker''s place is the UUID of its project, a forge''s OWNER/NAME');
        elsif p_port = 'forge' and e.id is null and p_place is null and p.forge <> 'local' and p.forge_location !~ '^/' then
                perform orch.refuse('OR003', 'which repository?', 'The place of a local forge is the path of its repository');
        elsif e.id is null and p_place is not null and (p_port <> 'forge' or p_place !~ '^/') then
                perform orch.refuse('OR003', format('%s is no place of the local %s', orch.quoted(p_place), p_port), 'The place of a local forge is the path of its repository; nothing else local has one');
        elsif p_port = 'tracker' and coalesce(e.kind, 'local') <> p.tracker and orch.under_way(p) then
                perform orch.refuse('OR002', format('%s has tasks under way', p.name), 'Let them end, or cancel them, before its tracker changes');
        end if;
        update orch.project set
                tracker = case when p_port = 'tracker' then coalesce(e.kind, 'local') else tracker end,
                tracker_endpoint = case when p_port = 'tracker' then e.id else tracker_endpoint end,
                tracker_project = case when p_port = 'tracker' then case when e.id is not null then p_place end else tracker_project end,
                forge = case when p_port = 'forge' then coalesce(e.kind, 'local') else forge end,
                forge_location = case when p_port = 'forge' and e.id is null then coalesce(p_place, forge_location) else forge_location end,
                forge_endpoint = case when p_port = 'forge' then e.id else forge_endpoint end,
                forge_name = case when p_port = 'forge' then case when e.id is not null then p_place end else forge_name end,
                notifier_endpoint = case when p_port = 'notifier' then e.id else notifier_endpoint end
        where id = p.id returning * into p;
        perform orch.effects_redirect();
        if (p.tracker_endpoint, p.tracker_project) is distinct from (was.tracker_endpoint, was.tracker_project) then
                perform orch.board_forget(p);
        end if;
        perform orch.record('project', orch.actor(), null, null, null, jsonb_build_object('project', p.name, 'port', p_port, 'endpoint', p_endpoint, 'place', p_place), p.repo_id);
        perform orch.audit_act('project_connect', p.name, jsonb_build_object('port', p_port, 'endpoint', p_endpoint, 'place', p_place), before, orch.project_json(p));
        return orch.project_json(p);
end
$$;
comment on function orch.project_connect(text, text, text, text) is 'I-1: who is the tracker, the forge or the notifier of a project, and which project or repository it is there; local: our own, and for the forge the path of its repository';

create function orch.endpoint_json(e orch.endpoint, p orch.project) returns jsonb
language sql immutable
return case when e.id is not null then jsonb_strip_nulls(jsonb_build_object('kind', e.kind, 'url', e.url, 'token_file', e.token_file, 'workspace', e.workspace,
        'segment', e.segment, 'chat', e.chat, 'thread', e.thread, 'project', p.tracker_project, 'repo', p.forge_name)) end;
comment on function orch.endpoint_json(orch.endpoint, orch.project) is 'What an adapter has to know to ask an endpoint on behalf of a project';
