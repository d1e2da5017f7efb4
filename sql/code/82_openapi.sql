-- 82_openapi: what the operator port takes and answers, as an OpenAPI 3.1 document, made of orch.act, orch.problem and
-- the pages of the port (O-2). Nothing is described here that is described there. A test asks for every path of it.

create view orch.page as
select * from (values
        ('health', '/health', 'application/json', 'How this process is: ok, degraded or draining, its version, and whether it has the database'),
        ('livez', '/livez', 'application/json', 'The process answers'),
        ('readyz', '/readyz', 'application/json', 'Whether work should be sent here; 503 when not. With ?verbose each check by name'),
        ('status', '/status', 'application/json', 'The live tasks: stage, job, and why they wait'),
        ('queue', '/queue', 'application/json', 'What runs, what waits and for what, state of the repos, leases, inbox, outbox, processes. With ?after=LIST:KEY, taken from "next", the next page of a list'),
        ('metrics', '/metrics', 'text/plain', 'Metrics in the text format of Prometheus'),
        ('openapi', '/openapi.json', 'application/json', 'This document'))
        v (key, path, media_type, about);
comment on view orch.page is 'O-1: the pages that the operator port has beside the acts; web/routes.c serves them, and a test compares';
comment on column orch.page.key is 'Name';
comment on column orch.page.path is 'Path; it takes GET and HEAD';
comment on column orch.page.media_type is 'What it answers with';
comment on column orch.page.about is 'What it shows';

create function orch.openapi_responses(p_media_type text, p_statuses integer[]) returns jsonb
language sql stable
return (select jsonb_build_object('200', jsonb_build_object('description', 'The resulting state, or what was asked for',
                        'content', jsonb_build_object(p_media_type, jsonb_build_object('schema',
                                jsonb_build_object('type', case p_media_type when 'application/json' then 'object' else 'string' end)))))
                || jsonb_object_agg(s::text, jsonb_build_object('$ref', '#/components/responses/' || s))
        from unnest(p_statuses) s);
comment on function orch.openapi_responses(text, integer[]) is 'The answers of an operation: 200, and references to problems';

create function orch.openapi_type(p_type text) returns jsonb
language sql immutable
return case p_type when 'object' then '["object", "array"]'::jsonb else to_jsonb(p_type) end;
comment on function orch.openapi_type(text) is 'A parameter''s type as JSON Schema has it; what is no single value may be an object or a list';

create function orch.openapi_act(a orch.act) returns jsonb
language sql stable
return jsonb_strip_nulls(jsonb_build_object(
        'operationId', a.key, 'summary', a.about, 'tags', jsonb_build_array(split_part(a.path, '/', 2)),
        'description', format('Scope of the token: %s. On the command line: orchctl %s.', a.scope, a.command),
        'parameters', (select jsonb_agg(jsonb_build_object('name', p ->> 'name', 'in', p ->> 'in', 'description', p ->> 'about',
                                'required', case when p ->> 'in' = 'path' or a.method = 'GET' then (p ->> 'required')::boolean else false end,
                                'schema', jsonb_build_object('type', orch.openapi_type(p ->> 'type'))) order by n)
                       from jsonb_array_elements(a.parameters) with ordinality e (p, n)),
        'requestBody', case when a.method = 'POST' then (
                select jsonb_build_object('description', 'The parameters of the query may stand here instead; none in both places.'
                                || coalesce(' Needed in one of them: ' || string_agg(p ->> 'name', ', ' order by n) filter (where (p ->> 'required')::boolean) || '.', ''),
                        'required', false, 'content', jsonb_build_object('application/json', jsonb_build_object('schema', jsonb_build_object('type', 'object',
                                'additionalProperties', false, 'properties', jsonb_object_agg(p ->> 'name',
                                        jsonb_build_object('type', orch.openapi_type(p ->> 'type'), 'description', p ->> 'about'))))))
                from jsonb_array_elements(a.parameters) with ordinality e (p, n) where p ->> 'in' = 'query'
                having count(*) > 0) end,
        'responses', orch.openapi_responses('application/json', array(select distinct status from orch.problem
                where status not in (403, 409) or a.scope = 'operator'))));
comment on function orch.openapi_act(orch.act) is 'An act as an operation of OpenAPI';

create function orch.openapi_page(p orch.page) returns jsonb
language sql stable
return jsonb_build_object('operationId', p.key, 'summary', p.about, 'tags', jsonb_build_array('pages'), 'description', 'Scope of the token: read.',
        'responses', orch.openapi_responses(p.media_type, '{401,429,503}'));
comment on function orch.openapi_page(orch.page) is 'A page as an operation of OpenAPI';

create function orch.openapi() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object(
                'openapi', '3.1.0',
                'info', jsonb_build_object('title', 'Operator port of the orchestrator', 'version', orch.schema_version()::text,
                        'description', 'What people and programs with a token can see and do. Every act may be repeated: it answers with the resulting state, and done already changes nothing.'),
                'servers', '[{"url": "/"}]'::jsonb,
                'security', '[{"token": []}]'::jsonb,
                'paths', (select jsonb_object_agg(o.path, o.operations) from (
                        select r.path, jsonb_object_agg(r.method, r.operation) as operations from (
                                select a.path, lower(a.method) as method, orch.openapi_act(a) as operation from orch.act a
                                union all
                                select p.path, 'get', orch.openapi_page(p) from orch.page p) r
                        group by r.path) o),
                'components', jsonb_build_object(
                        'securitySchemes', '{"token": {"type": "http", "scheme": "bearer", "description": "A line of operator_tokens_file; orchctl token new makes one"}}'::jsonb,
                        'responses', (select jsonb_object_agg(s.status::text, jsonb_build_object('description', s.about, 'content',
                                        '{"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}'::jsonb))
                                from (select p.status, string_agg(format('%s: %s. %s.', p.key, p.title, p.about), ' ' order by p.key) as about
                                      from orch.problem p group by p.status) s),
                        'schemas', jsonb_build_object('Problem', jsonb_build_object('type', 'object', 'description', 'An error, as RFC 9457 has it',
                                'required', '["title", "status"]'::jsonb,
                                'properties', jsonb_build_object(
                                        'type', jsonb_build_object('type', 'string', 'description', 'Absent when the status says all',
                                                'enum', (select jsonb_agg('/problems/' || p.key order by p.key) from orch.problem p)),
                                        'title', '{"type": "string"}'::jsonb, 'status', '{"type": "integer"}'::jsonb,
                                        'detail', '{"type": "string", "description": "What went wrong this time"}'::jsonb,
                                        'hint', '{"type": "string", "description": "What to do about it"}'::jsonb,
                                        'instance', '{"type": "string", "description": "The path of the request"}'::jsonb)))));
end;
comment on function orch.openapi() is 'O-2: the OpenAPI document of the operator port';
