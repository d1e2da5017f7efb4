-- 66_host_watch: room on the disks of hosts, and their cache pruners: alerts when it changes, both ways (R-9).

create function orch.label_text(p_text text) returns text
language sql immutable
return replace(replace(replace(p_text, '\', '\\'), '"', '\"'), chr(10), '\n');
comment on function orch.label_text(text) is 'A text as the value of a label of a metric';

create function orch.host_watch_note(p_host bigint, p_what text, p_path text, p_bad boolean, p_detail text, p_free bigint default null, p_inodes bigint default null) returns boolean
language plpgsql as $$
declare
        was boolean;
        w orch.host_watch;
begin
        insert into orch.host_watch (host_id, what, path) values (p_host, p_what, p_path) on conflict do nothing;
        select bad into was from orch.host_watch where host_id = p_host and what = p_what and path = p_path for no key update;
        update orch.host_watch k set bad = p_bad, detail = left(p_detail, 2000), seen_at = clock_timestamp(), free_bytes = p_free, free_inodes = p_inodes,
                crossings = k.crossings + (was <> p_bad)::integer, changed_at = case when was <> p_bad then clock_timestamp() else k.changed_at end
        where host_id = p_host and what = p_what and path = p_path returning * into w;
        if was = p_bad then
                return false;
        end if;
        perform orch.alert_cluster(format('host:%s', p_host), format('host:%s:%s:%s:%s', p_host, p_what, p_path, w.crossings),
                format('host %s: %s', (select name from orch.host where id = p_host), left(p_detail, 500)));
        return true;
end
$$;
comment on function orch.host_watch_note(bigint, text, text, boolean, text, bigint, bigint) is 'R-9: notes what was seen; true, and one alert, when good has become bad or bad good';

create function orch.disk_report(p_process bigint, p_epoch bigint, p_disks jsonb, p_min_bytes bigint, p_min_inodes bigint)
returns table (path text, bad boolean, detail text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        h bigint := orch.process_host(p_process, p_epoch);
        d record;
begin
        if h is null then
                return;
        end if;
        delete from orch.host_watch w where w.host_id = h and w.what = 'disk' and w.path not in (select x ->> 'path' from jsonb_array_elements(p_disks) x);
        for d in select x.*, case when w.bad then 5 else 4 end as quarters -- what was low is low until there is a quarter more
                 from jsonb_to_recordset(p_disks) as x (path text, bytes bigint, inodes bigint, error text)
                 left join orch.host_watch w on w.host_id = h and w.what = 'disk' and w.path = x.path order by x.path
        loop
                path := d.path;
                bad := coalesce(d.error is not null or d.bytes < p_min_bytes / 4 * d.quarters or d.inodes < p_min_inodes * d.quarters / 4, false);
                detail := case when d.error is not null then format('%s cannot be looked at: %s', d.path, d.error)
                               when d.bytes < p_min_bytes / 4 * d.quarters then format('only %s are free in %s', pg_size_pretty(d.bytes), d.path)
                               when bad then format('only %s more files can be made in %s', d.inodes, d.path)
                               else format('%s are free in %s', pg_size_pretty(d.bytes), d.path) end;
                if orch.host_watch_note(h, 'disk', d.path, bad, detail, d.bytes, d.inodes) then
                        return next;
                end if;
        end loop;
end
$$;
comment on function orch.disk_report(bigint, bigint, jsonb, bigint, bigint) is
        'R-9: the reaper of a host says how much room there is: [{path, bytes, inodes, error}]. Low below the minimum, and then until there is a quarter more than that. A row for each that has crossed the line; those have an alert. Paths that are not named are forgotten.';

create function orch.prune_report(p_process bigint, p_epoch bigint, p_failed boolean, p_detail text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        h bigint := orch.process_host(p_process, p_epoch);
begin
        return h is not null and orch.host_watch_note(h, 'cache-prune', '', p_failed,
                case when p_failed then 'the cache pruner failed: ' || p_detail else 'the cache pruner works again' end);
end
$$;
comment on function orch.prune_report(bigint, bigint, boolean, text) is 'R-9: the reaper of a host says how a run of its cache pruner went; true, and one alert, when the one before went otherwise';

create view orch.host_room as
select h.name as host, w.what, w.path, w.bad, w.detail, w.free_bytes, w.free_inodes, w.changed_at, w.seen_at
from orch.host_watch w join orch.host h on h.id = w.host_id;
comment on view orch.host_room is 'R-9: room on the disks of hosts, and how their cache pruners do';
comment on column orch.host_room.host is 'Host';
comment on column orch.host_room.what is 'disk or cache-prune';
comment on column orch.host_room.path is 'disk: the path';
comment on column orch.host_room.bad is 'disk: too little room; cache-prune: its last run failed';
comment on column orch.host_room.detail is 'Why, in words';
comment on column orch.host_room.free_bytes is 'disk: bytes that are free';
comment on column orch.host_room.free_inodes is 'disk: files that can be made';
comment on column orch.host_room.changed_at is 'When it last became good or bad';
comment on column orch.host_room.seen_at is 'When it was last looked at';
