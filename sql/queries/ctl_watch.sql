-- Named work items in the form of status_snapshot()'s tasks, also when they are done or not yet taken in.
-- $1 JSON array of work items
-- -> jsonb {tasks: [{work_item, title, stage, terminal, role, running_s, waits}]} in the order of $1, one row
-- Callers: ctl/cmd_watch.c
SELECT jsonb_build_object('tasks', coalesce(jsonb_agg(jsonb_build_object(
        'work_item', n.name,
        'title', coalesce(i -> 'task' ->> 'title', i -> 'item' ->> 'title'),
        'stage', coalesce(i -> 'task' ->> 'stage', 'intake'),
        'terminal', coalesce((i -> 'task' ->> 'terminal')::boolean, false),
        'role', l.role,
        'running_s', l.running_s,
        'waits', coalesce(i -> 'task' -> 'waits', '[]')) ORDER BY n.place), '[]'))
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY n (name, place)
CROSS JOIN LATERAL orch.item(n.name) i
LEFT JOIN orch.live_task l ON l.work_item = n.name
