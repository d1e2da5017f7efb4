-- 79_http_act: the acts over HTTP (O-2). The operator port has checked who asks; here the route is found, the scope and
-- the parameters are looked at, the function is called. What a client can cause is an answer (RFC 9457), never an error.

create view orch.problem as
select * from (values
        ('no-route', 404, '{}', 'There is no such path', 'GET /acts lists the paths that there are'),
        ('method', 405, '{}', 'The path does not take this method', 'GET looks, POST acts; the header Allow says which the path takes'),
        ('parameter', 400, '{}', 'The parameters are not those of the act', 'One is unknown, missing, or given twice, or the body is no JSON object'),
        ('unauthorized', 401, '{}', 'A bearer token is needed', 'The token is missing, unknown or expired'),
        ('forbidden', 403, '{}', 'The token is not good for this', 'It may only look'),
        ('not-found', 404, '{OR001}', 'There is no such thing', 'The work item, repo, setting or whatever else was named does not exist'),
        ('refused', 409, '{OR002}', 'Not in this state', 'The act is known, and what it is about does not allow it now'),
        ('value', 422, '{OR003,22003}', 'A value is not acceptable', 'It has the wrong type or form, or is out of range'),
        ('limited', 429, '{}', 'Too many tokens that are none', 'The address has come with too many of them; a good token is let in all the same'),
        ('busy', 503, '{55P03,40001,40P01,57014}', 'Somebody else is at it', 'Nothing was changed; asking again will do'),
        ('unavailable', 503, '{}', 'The database does not answer', 'Nothing was changed; asking again will do'),
        ('unknown', 503, '{}', 'It is not known whether it was done', 'The answer of the database was lost; every act may be repeated'),
        ('internal', 500, '{}', 'It went wrong', 'A defect; nothing was changed'))
        v (key, status, sqlstates, title, about);
comment on view orch.problem is 'The problems that the operator port answers with (RFC 9457)';
comment on column orch.problem.key is 'Last part of the problem''s type';
comment on column orch.problem.status is 'Status of HTTP';
comment on column orch.problem.sqlstates is 'Errors of PostgreSQL, and of ours, that are this problem';
comment on column orch.problem.title is 'What it is, for people';
comment on column orch.problem.about is 'What it means';

create function orch.problem_json(p_key text, p_detail text, p_hint text, p_instance text) returns jsonb
language sql stable
return (select jsonb_strip_nulls(jsonb_build_object('type', '/problems/' || p.key, 'title', p.title, 'status', p.status, 'detail', p_detail,
                'hint', nullif(p_hint, ''), 'instance', p_instance)) from orch.problem p where p.key = p_key);
comment on function orch.problem_json(text, text, text, text) is 'A problem as RFC 9457 writes it';

create function orch.problem_answer(p_key text, p_detail text, p_hint text, p_instance text, p_headers jsonb default null) returns jsonb
language sql stable
return (select jsonb_strip_nulls(jsonb_build_object('status', p.status, 'headers', p_headers,
                'body', orch.problem_json(p_key, p_detail, p_hint, p_instance))) from orch.problem p where p.key = p_key);
comment on function orch.problem_answer(text, text, text, text, jsonb) is 'An answer of http_act() that is a problem';

create function orch.url_decode(p_text text) returns text
language plpgsql immutable as $$
begin
        if p_text ~ '%(?![0-9A-Fa-f]{2})' then
                return null;
        end if;
        return (select convert_from(string_agg(case when left(m[1], 1) = '%' then decode(substr(m[1], 2), 'hex') else convert_to(m[1], 'UTF8') end, '' order by n), 'UTF8')
                from regexp_matches(p_text, '%..|[^%]+', 'g') with ordinality r (m, n));
exception when character_not_in_repertoire then
        return null;
end
$$;
comment on function orch.url_decode(text) is 'A segment of a path without its percent encoding; null when it is none';

create function orch.path_arguments(p_pattern text, p_path text) returns jsonb
language plpgsql immutable as $$
declare
        patterns text[] := string_to_array(p_pattern, '/');
        segments text[] := string_to_array(p_path, '/');
        arguments jsonb := '{}';
        part text;
begin
        if cardinality(segments) is distinct from cardinality(patterns) then
                return null;
        end if;
        for i in 1 .. cardinality(patterns) loop
                if patterns[i] like '{%' then
                        part := nullif(orch.url_decode(segments[i]), '');
                        arguments := arguments || jsonb_build_object(trim(both '{}' from patterns[i]), part);
                else

                        part := case when segments[i] = patterns[i] then segments[i] end;
                end if;
                if part is null then
                        return null;
                end if;
        end loop;
        return arguments;
end
$$;
comment on function orch.path_arguments(text, text) is 'What a path says in the places of a pattern, /a/{x}/b; null when it is no such path';

create function orch.act_refusal(a orch.act, p_arguments jsonb) returns text
language sql stable
return (select min(case when p.key is null then format('there is no parameter %s', orch.quoted(g.key))
                        when p.place = 'path' and g.key is not null then format('"%s" is part of the path', p.key)
                        when p.required and p.place <> 'path' and g.value is null then format('the parameter "%s" is missing', p.key) end)
        from (select j ->> 'name' as key, j ->> 'in' as place, (j ->> 'required')::boolean as required from jsonb_array_elements(a.parameters) j) p
        full join jsonb_each(jsonb_strip_nulls(p_arguments)) g on g.key = p.key);
comment on function orch.act_refusal(orch.act, jsonb) is 'What is wrong with the names of an act''s arguments, or null';

create function orch.act_call(a orch.act, p_arguments jsonb) returns jsonb
language plpgsql as $$
declare
        answer jsonb;
        bad text;
begin
        select format('%s must be %s', p.name, case p.type when 'integer' then 'a whole number' when 'boolean' then 'true or false' else 'one value' end) into bad
        from orch.act_parameter p join jsonb_each(p_arguments) g on g.key = p.name
        where p.act = a.key and case when jsonb_typeof(g.value) in ('array', 'object') then p.type <> 'object'
                                     when p.type = 'integer' then (g.value #>> '{}') !~ '^-?[0-9]{1,18}$'
                                     when p.type = 'boolean' then (g.value #>> '{}') not in ('true', 'false') end
        order by p.position limit 1;
        if found then
                perform orch.refuse('OR003', bad);
        end if;
        -- names and types come from orch.act and the catalogue, values go as a parameter
        execute (select case when p.proretset
                             then format('select jsonb_build_object(%L, coalesce(jsonb_agg(to_jsonb(x)), ''[]'')) from orch.%I(%s) x', a.key, a.key, v.list)
                             else format('select orch.%I(%s)', a.key, v.list) end
                 from pg_proc p cross join lateral (
                        select string_agg(format('%I => ($1 ->> %L)::%s', p.proargnames[s.n + 1], substr(p.proargnames[s.n + 1], 3),
                                format_type(p.proargtypes[s.n], null)), ', ') as list
                        from generate_subscripts(p.proargtypes, 1) s (n)) v
                 where p.pronamespace = 'orch'::regnamespace and p.proname = a.key)
        into answer using p_arguments;
        return answer;
end
$$;
comment on function orch.act_call(orch.act, jsonb) is 'Calls the function of an act with its arguments by name';

create function orch.http_act(p_method text, p_path text, p_arguments jsonb, p_actor text, p_scope text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        a orch.act;
        from_path jsonb;
        refusal text;
        state text;
        message text;
        hint text;
        problem text;
begin
        if coalesce(p_actor, '') !~ '^[A-Za-z0-9._@-]{1,64}$' or coalesce(p_scope, '') not in ('read', 'operator') then
                raise exception 'no actor, or no scope' using errcode = '22023';
        end if;
        select * into a from orch.act t where orch.path_arguments(t.path, p_path) is not null order by t.method <> p_method limit 1;
        if not found then
                return orch.problem_answer('no-route', format('nothing is at %s', left(p_path, 200)), null, p_path);
        elsif a.method <> p_method then
                return orch.problem_answer('method', format('%s takes %s', a.path, a.method), null, p_path, jsonb_build_object('Allow',
                        (select string_agg(t.method, ', ' order by t.method) from orch.act t where t.path = a.path)));
        elsif a.scope = 'operator' and p_scope <> 'operator' then
                return orch.problem_answer('forbidden', format('%s wants a token with the scope operator', a.key), null, p_path);
        end if;
        refusal := orch.act_refusal(a, p_arguments);
        if refusal is not null then
                return orch.problem_answer('parameter', refusal, 'They are listed at GET /acts', p_path);
        end if;
        from_path := orch.path_arguments(a.path, p_path);
        perform set_config('orch.actor', p_actor, true), set_config('lock_timeout', '5s', true);
        return jsonb_build_object('status', 200, 'body', orch.act_call(a, p_arguments || from_path));
exception when others then
        get stacked diagnostics state = returned_sqlstate, message = message_text, hint = pg_exception_hint;
        if state = '22023' and message = 'no actor, or no scope' then
                raise;
        end if;
        select key into problem from orch.problem p where state = any (p.sqlstates::text[]);
        return orch.problem_answer(coalesce(problem, 'internal'), message, hint, p_path, case problem when 'busy' then '{"Retry-After": "1"}'::jsonb end);
end
$$;
comment on function orch.http_act(text, text, jsonb, text, text) is
        'O-2: an act, or a look, by method and path, for somebody whom the operator port has let in. Answers {status, body, headers}; one that is refused has changed nothing.';
