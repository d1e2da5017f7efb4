-- 59_board: which state of a board outside stands for which of ours (I-2). By name, but a state's group comes first:
-- whatever is in completed is done, whatever is in cancelled is cancelled, STOP apart. Ids decide nothing.

create function orch.state_word(p_name text) returns text
language sql immutable
return lower(btrim(regexp_replace(p_name, '\s+', ' ', 'g')));
comment on function orch.state_word(text) is 'I-2: a state''s name as it is compared';

create function orch.state_key(p_name text, p_group text) returns text
language sql stable
begin atomic
        select case when orch.state_word(p_name) = 'stop' then 'stop'
                    when p_group = 'completed' then 'done'
                    when p_group = 'cancelled' then 'cancelled'
                    else (select s.key from orch.tracker_state s where orch.state_word(s.label) = orch.state_word(p_name) and s.remote_group not in ('completed', 'cancelled')) end;
end;
comment on function orch.state_key(text, text) is 'I-2: what a state of a board stands for, or null; one that is called Done and not in the group completed is not done';

create function orch.state_is_named(p_key text, p_group text) returns boolean
language sql immutable
return p_key = 'stop' or p_group not in ('completed', 'cancelled');
comment on function orch.state_is_named(text, text) is 'I-2: whether a state stands for one of ours by its name; the others do by their group, and there may be several';

create function orch.board_is_stale(p_project bigint) returns boolean
language sql stable
return not exists (select from orch.tracker_board b where b.project_id = p_project
        and b.refreshed_at > clock_timestamp() - make_interval(secs => orch.setting_int('plane_states_ttl_s')));
comment on function orch.board_is_stale(bigint) is 'I-2: whether the states of a project''s board are to be read again before they are relied on';

create function orch.state_remote(p_project bigint, p_key text) returns text
language sql stable
begin atomic
        select m.remote_id from orch.tracker_state_map m join orch.tracker_state s on s.key = p_key
        where m.project_id = p_project
          and (m.key = p_key or (m.remote_group = s.remote_group and m.key is distinct from 'stop'
                -- the base state of the board: no verb of people, and none that has a name of ours and does not count
                and not exists (select from orch.tracker_state v where (v.key = m.key and v.human) or (m.key is null and orch.state_word(v.label) = orch.state_word(m.name)))))
        order by (m.key is not distinct from p_key) desc, (orch.state_word(m.name) = orch.state_word(s.label)) desc, (m.key is null) desc, m.position, m.remote_id limit 1;
end;
comment on function orch.state_remote(bigint, text) is 'I-2: the state of a board that shows one of ours: that of its name, else the base state of its group; null: the board has nothing for it';

create function orch.state_disables(p_key text) returns text
language sql immutable
return case p_key
        when 'to_analyse' then 'no work can be started there'
        when 'approved' then 'nobody can approve an analysis there; orchctl approve can'
        when 'rejected' then 'nobody can send work back there; orchctl reject can'
        when 'needs_input' then 'a question of the analyst is shown as a comment only; a comment and To Analyse, or orchctl answer, answers it'
        when 'confirm_deploy' then 'nobody can confirm a deploy there; orchctl approve can'
        when 'stop' then 'nobody can stop work there; orchctl cancel can'
        else 'another state of its group is shown instead' end;
comment on function orch.state_disables(text) is 'I-2: what is not possible on a board that has no state for one of ours';

create function orch.board_words(p_missing text[]) returns text
language sql stable
begin atomic
        select string_agg(format('%s (%s)', s.label, orch.state_disables(s.key)), ', ' order by s.position) from orch.tracker_state s where s.label = any (p_missing);
end;
comment on function orch.board_words(text[]) is 'I-2: what a board lacks, and what that disables';

create view orch.board as
select p.name as project, e.name as endpoint, b.refreshed_at, b.gone_at, b.missing, b.colliding, orch.board_words(b.missing) as disabled
from orch.project p join orch.endpoint e on e.id = p.tracker_endpoint left join orch.tracker_board b on b.project_id = p.id;
comment on view orch.board is 'I-2: the boards of trackers outside, and what each lacks';
comment on column orch.board.project is 'Project';
comment on column orch.board.endpoint is 'Its tracker';
comment on column orch.board.refreshed_at is 'When its states were last read; null: never';
comment on column orch.board.gone_at is 'Since when the tracker has no such project';
comment on column orch.board.missing is 'Names that it has no state of';
comment on column orch.board.colliding is 'Names that stand for the same, so that none of them counts';
comment on column orch.board.disabled is 'What is not possible without the missing ones';

create function orch.board_gone(p orch.project) returns text
language plpgsql as $$
begin
        update orch.tracker_board set gone_at = clock_timestamp(), refreshed_at = clock_timestamp() where project_id = p.id and gone_at is null;
        perform orch.alert_cluster('board:' || p.id, format('board:%s:%s', p.id, (select extract(epoch from gone_at) from orch.tracker_board where project_id = p.id)),
                format('%s: its tracker has no project %s any more. Connect it to another one (orchctl project connect), or cancel its work items.', p.name, p.tracker_project));
        return format('gone: the tracker has no project %s', p.tracker_project);
end
$$;
comment on function orch.board_gone(orch.project) is 'I-2, I-7: the project was deleted in the tracker: one alert; nothing of ours is lost';

create function orch.seen_states(p orch.project, p_object text, p_answer jsonb) returns text
language plpgsql as $$
declare
        lacks text[];
        alike text[];
begin
        if p_answer is null then
                return orch.board_gone(p);
        elsif jsonb_typeof(p_answer -> 'states') is distinct from 'array' or jsonb_array_length(p_answer -> 'states') not between 1 and 1000 then
                raise exception 'that is no list of states';
        end if;
        update orch.endpoint set account = p_answer ->> 'account' where id = p.tracker_endpoint and account is distinct from p_answer ->> 'account' and p_answer ->> 'account' <> '';
        insert into orch.tracker_board as b (project_id) values (p.id)
        on conflict (project_id) do update set refreshed_at = clock_timestamp(), gone_at = null;
        delete from orch.tracker_state_map where project_id = p.id;
        insert into orch.tracker_state_map (project_id, remote_id, name, remote_group, key, position)
        select p.id, s.id, left(s.name, 200), coalesce(s."group", ''), orch.state_key(s.name, s."group"), s.n
        from rows from (jsonb_to_recordset(p_answer -> 'states') as (id text, name text, "group" text)) with ordinality as s (id, name, "group", n)
        where s.id <> '' and btrim(s.name) <> '' on conflict do nothing;
        if not found then
                raise exception 'none of its states has an id and a name';
        end if;
        -- two of one name: whichever was meant, the other would do something else
        alike := array(select m.key from orch.tracker_state_map m where m.project_id = p.id and m.key is not null and orch.state_is_named(m.key, m.remote_group) group by m.key having count(*) > 1 order by 1);
        update orch.tracker_board set
                missing = array(select s.label from orch.tracker_state s where not exists (select from orch.tracker_state_map m where m.project_id = p.id and m.key = s.key) order by s.position),
                colliding = array(select m.name from orch.tracker_state_map m where m.project_id = p.id and m.key = any (alike) order by m.name, m.remote_id)
        where project_id = p.id returning missing, colliding into lacks, alike;
        if alike <> '{}' then
                update orch.tracker_state_map m set key = null from orch.tracker_state_map o
                where m.project_id = p.id and o.project_id = p.id and o.key = m.key and o.remote_id <> m.remote_id and orch.state_is_named(m.key, m.remote_group);
                perform orch.alert_cluster('board:' || p.id, format('board:%s:colliding:%s', p.id, md5(alike::text)),
                        format('%s: its board has states that cannot be told apart: %s. None of them counts until all but one are renamed.', p.name, array_to_string(alike, ', ')));
        end if;
        return format('%s states; %s', (select count(*) from orch.tracker_state_map m where m.project_id = p.id), coalesce('missing: ' || orch.board_words(lacks), 'none is missing'));
end
$$;
comment on function orch.seen_states(orch.project, text, jsonb) is
        'I-2: the states of a board as they are now, and who we are there. Names that cannot be told apart count for nothing, with an alert. What cannot be read leaves the last good set.';

create function orch.board_forget(p orch.project) returns void
language plpgsql as $$
begin
        delete from orch.look where project_id = p.id and port = 'tracker';
        delete from orch.sweep where project_id = p.id and kind = 'items';
        delete from orch.tracker_board where project_id = p.id;
        delete from orch.tracker_item where project_id = p.id;
        if p.tracker_endpoint is not null then
                perform orch.look_want(p.id, 'states', '');
        end if;
end
$$;
comment on function orch.board_forget(orch.project) is 'I-1: its project is connected elsewhere: what was known of its board does not hold any more, and is asked for anew';
