-- 78_acts: the one list of what people can do and ask for (O-2). The routes of the operator port, its OpenAPI document
-- and `orchctl act list` are made of it. To add an act: its function, a row here for it and one for each parameter, a
-- line in 90_grants.sql. Names and types of the parameters are those of the function; a test compares.

create view orch.act_parameter as
select v.act, a.position, v.name,
       case a.type when 'text' then 'string' when 'boolean' then 'boolean' when 'jsonb' then 'object' else 'integer' end as type,
       v.required, v.about
from (values
        ('ack', 'work_item', true, 'The work item'),
        ('ack', 'comment', false, 'Kept in the history'),
        ('asof', 'at', false, 'When: 2026-11-20 14:30, or 20 min ago; now when absent'),
        ('asof', 'work_item', false, 'This work item only, with all that bore on it'),
        ('asof_changes', 'from', false, 'The earlier instant; an hour ago when absent'),
        ('asof_changes', 'to', false, 'The later one; now when absent'),
        ('asof_changes', 'work_item', false, 'Changes to this work item only'),
        ('answer', 'work_item', true, 'The work item'),
        ('answer', 'answer', true, 'What the analyst reads next'),
        ('approve', 'work_item', true, 'The work item'),
        ('approve', 'comment', false, 'Kept in the history'),
        ('cancel', 'work_item', true, 'The work item'),
        ('cancel', 'reason', false, 'Kept in the history'),
        ('gates', 'work_item', true, 'The work item'),
        ('item', 'work_item', true, 'The work item'),
        ('item_create', 'project', true, 'Project it is for'),
        ('item_create', 'title', true, 'Title'),
        ('item_create', 'description', false, 'Text'),
        ('item_create', 'priority', false, '0 (most urgent) to 4 (least); 2 when absent'),
        ('item_create', 'blocked_by', false, 'Work items that must be over first, separated by blanks or commas'),
        ('item_create', 'key', false, 'A name for the request: given again, it finds the item that it made'),
        ('item_create', 'labels', false, 'Labels, separated by blanks or commas'),
        ('item_label', 'work_item', true, 'The work item'),
        ('item_label', 'label', true, 'The label, or several, separated by blanks or commas'),
        ('item_label', 'on', false, 'false takes it away'),
        ('item_move', 'work_item', true, 'The work item'),
        ('item_move', 'state', true, 'Logical key of a state of the tracker, such as stop'),
        ('item_move', 'comment', false, 'What the next run is told'),
        ('circuit_close', 'provider', true, 'Name of the provider'),
        ('dead_letter_drop', 'letter', true, 'Name of the dead letter: effect-ID or event-ID'),
        ('dead_letter_drop', 'reason', false, 'Kept in the history'),
        ('dead_letter_list', 'limit', false, 'How many; 200 when absent, 1000 at most'),
        ('dead_letter_retry', 'letter', true, 'Name of the dead letter: effect-ID or event-ID'),
        ('dependency_add', 'work_item', true, 'The work item that waits'),
        ('dependency_add', 'waits_for', true, 'The work item that it waits for'),
        ('dependency_list', 'work_item', false, 'Those of this work item only, both ways'),
        ('dependency_remove', 'work_item', true, 'The work item that waits'),
        ('dependency_remove', 'waits_for', true, 'The work item that it waits for'),
        ('endpoint_remove', 'name', true, 'Name of the endpoint'),
        ('endpoint_set', 'name', true, 'Name of the endpoint'),
        ('endpoint_set', 'kind', true, 'plane, gitea or telegram'),
        ('endpoint_set', 'url', true, 'Of the server, as in https://git.example.org'),
        ('endpoint_set', 'token_file', true, 'Path, on every host, of the file whose first line is the token'),
        ('endpoint_set', 'workspace', false, 'Plane: slug of the workspace'),
        ('endpoint_set', 'chat', false, 'Telegram: number of the chat'),
        ('endpoint_set', 'thread', false, 'Telegram: topic of a forum'),
        ('endpoint_set', 'per_minute', false, 'Requests that all hosts together may send in a minute; 60 for plane, 20 for telegram'),
        ('endpoint_set', 'alerts', false, 'Telegram: whether it takes the alerts that are no project''s'),
        ('endpoint_set', 'segment', false, 'Plane: work-items, or issues of servers before 1.1'),
        ('endpoint_set', 'hook_url', false, 'Plane, Gitea: where its webhooks go, as in https://orch.example.org/webhook/gitea'),
        ('endpoint_set', 'account', false, 'Plane, Gitea: who we are there; what that account does is our own echo'),
        ('deploy_list', 'work_item', false, 'Those of this work item only'),
        ('freeze', 'repo', true, 'The repo'),
        ('freeze', 'reason', true, 'Why: shown to everybody who asks why nothing starts'),
        ('freeze', 'work_item', false, 'Work item of the repo that caused it'),
        ('lease_release', 'work_item', true, 'The work item'),
        ('limit_remove', 'scope', true, 'global, repo, role or host'),
        ('limit_remove', 'name', false, 'Name of the repo, role or host'),
        ('label_set', 'scope', true, 'role or project'),
        ('label_set', 'name', true, 'Name of the role or project'),
        ('label_set', 'labels', false, 'Labels, separated by commas; any host may when absent'),
        ('limit_set', 'scope', true, 'global, repo, role or host'),
        ('limit_set', 'name', false, 'Name of the repo, role or host'),
        ('limit_set', 'slots', true, 'How many jobs may run at once, 0 to 10000'),
        ('observe', 'work_item', true, 'The work item'),
        ('observe', 'verdict', true, 'healthy or degraded'),
        ('observe', 'comment', false, 'Kept in the history, and in 16-post-deploy.md'),
        ('pause', 'work_item', true, 'The work item'),
        ('pause', 'reason', false, 'Kept in the history'),
        ('priority_set', 'work_item', true, 'The work item'),
        ('priority_set', 'priority', true, '0 (most urgent) to 4 (least)'),
        ('project_add', 'name', true, 'Name of the project'),
        ('project_add', 'repo', true, 'Name of its repo'),
        ('project_add', 'forge', false, 'Adapter of the forge; local when absent'),
        ('project_add', 'location', true, 'Where the forge has the repo'),
        ('project_add', 'default_branch', false, 'main when absent'),
        ('project_add', 'prefix', true, 'Prefix of its work items, as in ORCH-124'),
        ('project_add', 'test_command', true, 'Shell command that tests a checkout'),
        ('project_command_remove', 'name', true, 'Name of the project'),
        ('project_command_remove', 'kind', true, 'What the command is for, as orch.command_kind lists it'),
        ('project_command_set', 'name', true, 'Name of the project'),
        ('project_command_set', 'kind', true, 'What the command is for, as orch.command_kind lists it'),
        ('project_command_set', 'command', true, 'Shell command, run in a checkout of the branch head'),
        ('project_set', 'name', true, 'Name of the project'),
        ('project_set', 'key', true, 'Option, as orch.project_option lists it'),
        ('project_set', 'value', false, 'Its new value; as in a new project when absent'),
        ('project_show', 'name', true, 'Name of the project'),
        ('project_connect', 'project', true, 'Name of the project'),
        ('project_connect', 'port', true, 'tracker, forge or notifier'),
        ('project_connect', 'endpoint', true, 'Name of the endpoint; local: our own'),
        ('project_connect', 'place', false, 'A tracker''s: UUID of its project; a forge''s: OWNER/NAME'),
        ('reject', 'work_item', true, 'The work item'),
        ('reject', 'comment', true, 'What the next run is told'),
        ('resume', 'work_item', true, 'The work item'),
        ('retry', 'work_item', true, 'The work item'),
        ('retry', 'comment', false, 'What the next run is told'),
        ('setting_list', 'key', false, 'This setting only'),
        ('setting_set', 'key', true, 'Name of the setting'),
        ('setting_set', 'value', true, 'Its new value'),
        ('usage', 'days', false, 'So many days, today among them; 7 when absent'),
        ('unfreeze', 'repo', true, 'The repo'),
        ('waits_chain', 'work_item', true, 'The work item'),
        ('whatif', 'changes', false, 'What to suppose: a list of {"act": KEY, its parameters}'),
        ('whatif', 'limit', false, 'How many starts; 20 when absent, 200 at most'),
        ('why', 'work_item', true, 'The work item'))
        v (act, name, required, about)
cross join lateral (
        select s.n + 1 as position, format_type(p.proargtypes[s.n], null) as type
        from pg_proc p, generate_subscripts(p.proargtypes, 1) s (n)
        where p.pronamespace = 'orch'::regnamespace and p.proname = v.act and p.proargnames[s.n + 1] = 'p_' || v.name) a;
comment on view orch.act_parameter is 'O-2: what each act is told';
comment on column orch.act_parameter.act is 'The act';
comment on column orch.act_parameter.position is 'Place among the arguments of the function, from 1';
comment on column orch.act_parameter.name is 'Name; the function''s argument is p_NAME';
comment on column orch.act_parameter.type is 'string, integer, boolean or object (JSON Schema): the type of the function''s argument';
comment on column orch.act_parameter.required is 'Whether the act refuses to do without';
comment on column orch.act_parameter.about is 'What it means';

create view orch.act as
select v.key, v.method, v.path, case v.method when 'GET' then 'read' else 'operator' end as scope, v.about, v.command,
       coalesce((select jsonb_agg(jsonb_build_object('name', a.name, 'type', a.type, 'required', a.required, 'about', a.about,
                        'in', case when strpos(v.path, '{' || a.name || '}') > 0 then 'path' else 'query' end) order by a.position)
                 from orch.act_parameter a where a.act = v.key), '[]') as parameters
from (values
        ('ack', 'POST', '/tasks/{work_item}/ack', 'ack', 'P-5: say that somebody looks after an escalation; its alert is not repeated'),
        ('act_list', 'GET', '/acts', 'act list', 'Everything that can be done here'),
        ('answer', 'POST', '/tasks/{work_item}/answer', 'answer', 'P-9: answer what the analyst has asked; it works again'),
        ('approve', 'POST', '/tasks/{work_item}/approve', 'approve', 'P-9, M-3: pass the human gate that the task waits at'),
        ('asof', 'GET', '/asof', 'asof', 'O-4: how things stood at an instant'),
        ('asof_changes', 'GET', '/asof/changes', 'asof', 'B-3: what differs between two instants'),
        ('cancel', 'POST', '/tasks/{work_item}/cancel', 'cancel', 'C-1 to C-6: cancel a task'),
        ('circuit_close', 'POST', '/providers/{provider}/close', 'circuit close', 'J-4: let the jobs of a provider go on at once'),
        ('circuit_list', 'GET', '/providers', 'circuit list', 'J-4: the providers that have failed, and whether they can be asked now'),
        ('dead_letter_drop', 'POST', '/dead-letters/{letter}/drop', 'dead-letter drop', 'I-7: put a dead letter away that nobody will try again'),
        ('dead_letter_list', 'GET', '/dead-letters', 'dead-letter list', 'I-7: effects and events that were given up'),
        ('dead_letter_retry', 'POST', '/dead-letters/{letter}/retry', 'dead-letter retry', 'I-7: try an effect or event that was given up again'),
        ('dependency_add', 'POST', '/dependencies/add', 'dependency add', 'S-15: a work item waits until another is done or cancelled'),
        ('dependency_list', 'GET', '/dependencies', 'dependency list', 'S-15: which work item waits for which'),
        ('dependency_remove', 'POST', '/dependencies/remove', 'dependency remove', 'S-15: take a dependency away'),
        ('escalation_list', 'GET', '/escalations', 'escalation list', 'P-5: the tasks that wait for a person because nothing automatic is left to do'),
        ('endpoint_list', 'GET', '/endpoints', 'endpoint list', 'I-7: the services outside, and whether they can be asked now'),
        ('endpoint_remove', 'POST', '/endpoints/{name}/remove', 'endpoint remove', 'I-1: forget a service outside that no project uses'),
        ('endpoint_set', 'POST', '/endpoints/{name}/set', 'endpoint set', 'I-1: register a service outside, or change it; what waits for it is tried at once'),
        ('deploy_list', 'GET', '/deploys', 'deploy list', 'M-3, M-5: the newest deploys and rollbacks, and the watches in production'),
        ('finding_list', 'GET', '/waits', 'waits', 'B-6: the deadlocks and the starving jobs that are known now'),
        ('freeze', 'POST', '/serial-gate/freeze', 'freeze', 'S-16: close a repo to new work; what is under way goes on'),
        ('freeze_list', 'GET', '/serial-gate/freezes', 'frozen', 'S-16: the freezes in force'),
        ('gates', 'GET', '/tasks/{work_item}/gates', 'gates', 'B-4: what each gate says of a work item, and on what evidence'),
        ('item', 'GET', '/tasks/{work_item}', 'item show', 'Everything about a work item: its task, history, evidence and runs'),
        ('item_create', 'POST', '/tasks', 'item create', 'Make a work item in the local tracker, in To Analyse'),
        ('item_label', 'POST', '/tasks/{work_item}/label', 'item label', 'P-11: give a work item of the local tracker a label, or take it away'),
        ('item_list', 'GET', '/tasks', 'item list', 'The newest work items of the local tracker'),
        ('item_move', 'POST', '/tasks/{work_item}/move', 'item move', 'Move a work item of the local tracker, as on a board'),
        ('lease_list', 'GET', '/transition-lease', 'lease list', 'The transition leases that are held'),
        ('lease_release', 'POST', '/transition-lease/release', 'lease release', 'T-3: take a transition lease from its owner by force'),
        ('label_list', 'GET', '/labels', 'label list', 'S-7: the labels that hosts must have, and those that they have'),
        ('label_set', 'POST', '/labels/set', 'label set', 'S-7: let only hosts with certain labels run jobs of a role or a project'),
        ('limit_list', 'GET', '/limits', 'limit list', 'S-7: the limits on what runs at once'),
        ('limit_remove', 'POST', '/limits/remove', 'limit remove', 'S-7: take a limit away'),
        ('limit_set', 'POST', '/limits/set', 'limit set', 'S-7: let at most so many jobs run at once'),
        ('observe', 'POST', '/tasks/{work_item}/observe', 'observe', 'M-5: say whether production is healthy, when the watch could not'),
        ('pause', 'POST', '/serial-gate/pause', 'pause', 'S-8: the task''s next job waits, and holds nobody up behind it'),
        ('priority_set', 'POST', '/tasks/{work_item}/priority', 'priority', 'S-11: change the priority of a task'),
        ('project_add', 'POST', '/projects', 'project add', 'Register a project of the local tracker with its repo'),
        ('project_connect', 'POST', '/projects/{project}/connect', 'project connect', 'I-1: who is the tracker, the forge or the notifier of a project'),
        ('project_list', 'GET', '/projects', 'project list', 'The projects'),
        ('project_command_remove', 'POST', '/projects/{name}/commands/{kind}/remove', 'command remove', 'M-6: take a command from a project; its steps are skipped'),
        ('project_command_set', 'POST', '/projects/{name}/commands/{kind}', 'command set', 'M-6: give a project a command; its steps are there from then on'),
        ('project_set', 'POST', '/projects/{name}/options/{key}', 'project set', 'Set an option of a project'),
        ('project_show', 'GET', '/projects/{name}', 'project show', 'A project with its options and commands'),
        ('reject', 'POST', '/tasks/{work_item}/reject', 'reject', 'P-9: send the task back to the role of its stage'),
        ('resume', 'POST', '/serial-gate/resume', 'resume', 'S-8: end a pause'),
        ('usage', 'GET', '/usage', 'usage', 'J-7: what agents used and cost in the last days, and the dearest work items'),
        ('retention', 'GET', '/retention', 'retention', 'R-10, J-9: what is kept for how long, how much that is, and what goes next'),
        ('retry', 'POST', '/tasks/{work_item}/retry', 'retry', 'P-5: try an escalated task, or one that backs off, again'),
        ('setting_list', 'GET', '/settings', 'config show', 'S-12: the settings in force'),
        ('setting_set', 'POST', '/settings/{key}', 'config set', 'S-12: change a setting; every host sees it at its next claim'),
        ('unfreeze', 'POST', '/serial-gate/unfreeze', 'unfreeze', 'S-16: clear all freezes of a repo'),
        ('waits_chain', 'GET', '/tasks/{work_item}/waits', 'waits', 'B-6: what a work item waits for, what that waits for, and so on'),
        ('whatif', 'POST', '/whatif', 'whatif', 'B-2: what would start next, in what order, if something were different; changes nothing'),
        ('why', 'GET', '/tasks/{work_item}/why', 'why', 'S-14: all reasons why a work item does not move'))
        v (key, method, path, command, about);
comment on view orch.act is 'O-2: the acts: each is a function that psql can call, a command of orchctl and a route of the operator port';
comment on column orch.act.key is 'Name of the function';
comment on column orch.act.method is 'GET looks, POST acts; every act may be repeated';
comment on column orch.act.path is 'Path on the operator port; {x} stands for the parameter x';
comment on column orch.act.scope is 'What the caller''s token must be good for: read or operator, which includes read';
comment on column orch.act.about is 'What it does';
comment on column orch.act.command is 'The command of orchctl that does the same';
comment on column orch.act.parameters is 'Its parameters in order: {name, type, required, about, in}; in is path or query';

create function orch.act_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('acts', jsonb_agg(to_jsonb(a) order by a.path, a.method)) from orch.act a;
end;
comment on function orch.act_list() is 'O-2: the acts, with their parameters and routes';
