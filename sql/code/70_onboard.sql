-- 70_onboard: a project with its services outside, registered at once: all of it or nothing (I-1).

create function orch.onboard_endpoint(p_kind text, e jsonb) returns void
language plpgsql as $$
declare
        known orch.endpoint;
begin
        select * into known from orch.endpoint where name = e ->> 'name' for no key update;
        if known.id is not null and (known.kind, known.url, known.workspace) is distinct from (p_kind, rtrim(e ->> 'url', '/'), e ->> 'workspace') then
                perform orch.refuse('OR002', format('endpoint %s is %s at %s%s already', known.name, known.kind, known.url, coalesce(', workspace ' || known.workspace, '')),
                        'Give the new one another name, or change that one with: orchctl endpoint set');
        end if;
        perform orch.endpoint_set(e ->> 'name', p_kind, e ->> 'url', e ->> 'token_file', e ->> 'workspace', p_hook_url => e ->> 'hook_url', p_account => e ->> 'account');
end
$$;
comment on function orch.onboard_endpoint(text, jsonb) is 'Registers an endpoint, or takes the one of that name when it is the same service';

create function orch.project_onboard(p_name text, p_repo text, p_location text, p_default_branch text, p_prefix text, p_test_command text, p_tracker jsonb default null, p_forge jsonb default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        answer jsonb;
begin
        answer := orch.project_add(p_name, p_repo, 'local', p_location, p_default_branch, p_prefix, p_test_command);
        if p_tracker is not null then
                perform orch.onboard_endpoint('plane', p_tracker);
                answer := orch.project_connect(p_name, 'tracker', p_tracker ->> 'name', p_tracker ->> 'place');
        end if;
        if p_forge is not null then
                perform orch.onboard_endpoint('gitea', p_forge);
                answer := orch.project_connect(p_name, 'forge', p_forge ->> 'name', p_forge ->> 'place');
        end if;
        return answer;
end
$$;
comment on function orch.project_onboard(text, text, text, text, text, text, jsonb, jsonb) is
        'I-1: registers a project together with its tracker and its forge ({name, url, token_file, workspace, hook_url, account, place}; null: local), or changes nothing. The same again changes nothing.';
