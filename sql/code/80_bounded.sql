-- 80_bounded: counts and lists that cost the same whatever the backlog is (O-1). No row anywhere counts jobs: it would be
-- written by everybody, and wait for everybody. What is few is counted, what is many is estimated, and said to be.

create function orch.count_bound() returns integer
language sql immutable
return 5000;
comment on function orch.count_bound() is 'How far the snapshots and the metrics count before they estimate';

create function orch.page_rows() returns integer
language sql immutable
return 25;
comment on function orch.page_rows() is 'Rows of a page of /queue: each waiting one costs a look at every axis';

create function orch.counted(p_table text, p_where text, p_column text default null, p_value text default null, out n bigint, out about bigint)
language plpgsql stable
-- statistics may be old: a scan of the table, or a bitmap of all that matches, must not seem the cheaper way to 5000 rows
set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
        execute format('select count(*) from (select from orch.%I where %s limit %s) x', p_table, p_where, orch.count_bound() + 1) into n;
        if n > orch.count_bound() then
                n := orch.count_bound();
                select (k.reltuples * f.share)::bigint into about
                from pg_stats s join pg_class k on k.oid = to_regclass(format('orch.%I', p_table))
                cross join lateral unnest(s.most_common_vals::text::text[], s.most_common_freqs) f (value, share)
                where s.schemaname = 'orch' and s.tablename = p_table and s.attname = p_column and f.value = p_value and k.reltuples * f.share > n;
        end if;
end
$$;
comment on function orch.counted(text, text, text, text) is
        'O-1: how many rows of a table fulfil a condition of ours, to count_bound(); where there are more, PostgreSQL''s statistics say about how many rows have that value in that column. about is null when they do not know';

create function orch.count_json(p_n bigint, p_about bigint default null, p_bound bigint default orch.count_bound()) returns jsonb
language sql immutable
return case when p_n < p_bound then to_jsonb(p_n) else jsonb_strip_nulls(jsonb_build_object('at_least', p_n, 'about', p_about, 'estimated', true)) end;
comment on function orch.count_json(bigint, bigint, bigint) is 'A count as people see it: a number, or {"at_least", "about", "estimated"} when it was too long to count';

create function orch.counted_json(p_table text, p_where text, p_column text default null, p_value text default null) returns jsonb
language sql stable
return (select orch.count_json(c.n, c.about) from orch.counted(p_table, p_where, p_column, p_value) c);
comment on function orch.counted_json(text, text, text, text) is 'orch.counted() as people see it';

create function orch.estimated(p_table text, p_where text, p_column text default null, p_value text default null) returns bigint
language sql stable
return (select coalesce(c.about, c.n) from orch.counted(p_table, p_where, p_column, p_value) c);
comment on function orch.estimated(text, text, text, text) is 'orch.counted() as one number, for metrics: exact to count_bound()';

create function orch.inbox_age_s() returns integer
language sql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
return (select floor(extract(epoch from clock_timestamp() - min(x.received_at)))::integer from (
        (select e.received_at from orch.event e where e.status = 'received' order by e.id limit 1)
        union all (select e.received_at from orch.event e where e.status = 'routed' order by e.key, e.id limit orch.count_bound())) x);
comment on function orch.inbox_age_s() is 'Seconds since the oldest event came that is not handled; of those that are routed, of the first count_bound() in the order of their keys';

create function orch.outbox_age_s() returns integer
language sql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
return (select floor(extract(epoch from clock_timestamp() - min(x.created_at)))::integer from (
        select f.created_at from orch.effect f where f.status in ('pending', 'running') order by f.object_key, f.id limit orch.count_bound()) x);
comment on function orch.outbox_age_s() is 'Seconds since the oldest effect was decided on that is not executed; of the first count_bound() in the order of their objects';

create function orch.block(p_query text) returns jsonb
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
        answer jsonb;
        failure text;
begin
        execute p_query into answer;
        return answer;
exception when others then
        get stacked diagnostics failure = message_text;
        return jsonb_build_object('error', failure);
end
$$;
comment on function orch.block(text) is 'One block of a snapshot: the value of a query of ours, or {"error": why it has none}';

create function orch.block_page(p_query text, p_after text, p_rows integer) returns table (page jsonb, next text)
language plpgsql stable
-- a page is some rows along an index, whatever the statistics think of the tables: nothing is read whole
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set jit = off as $$
declare
        keys text[];
        items jsonb[];
        failure text;
begin
        execute format('select array_agg(q.key order by q.n), array_agg(q.item order by q.n) from (select x.*, row_number() over () as n from (%s) x) q', p_query)
        into keys, items using p_after, p_rows + 1;
        page := to_jsonb(coalesce(items[1:p_rows], '{}'));
        next := case when cardinality(keys) > p_rows then keys[p_rows] end;
        return next;
exception when others then
        get stacked diagnostics failure = message_text;
        page := jsonb_build_object('error', failure);
        return next;
end
$$;
comment on function orch.block_page(text, text, integer) is
        'One list of a snapshot: the rows (key, item) of a query of ours that takes the key it goes on after and how many, and the key to go on after when there are more';
