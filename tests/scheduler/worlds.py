"""Random worlds, as plain data that can be printed and made smaller, and what it takes to have one in the database.

A case is a dictionary: settings, repos, tasks (each with its job), dependencies, limits, and steps, which are acts of people,
claims and ends of jobs. Everything is named by its number, and what is not there any more is left out.
"""

import random

import psycopg2.extras

MINUTE = 60.0
SWITCHES = ("serial_gate_enabled", "serial_gate_freeze_enabled", "serial_gate_pause_enabled", "task_deps_enabled")
BAD_TOKENS = ("re'po", "r0;drop", '"r1"', "r/1", "*", "%s", "é")
# stage, role of its job, and how often
STAGES = ((("analysis", "analyst"), 10), (("analysis", None), 1), (("architecture", "architect"), 1), (("development", "developer"), 2),
          (("development", "ci"), 1), (("review", "reviewer"), 1), (("testing", "tester"), 1), (("deploy-staging", "deployer"), 1),
          (("deploy-staging", "integrator"), 1), (("deploy", "releaser"), 1), (("deploy", "finalizer"), 1), (("deploy", "merger"), 1), (("done", None), 1), (("done", "ci"), 1), (("cancelled", None), 1))
KINDS = {"ci": "ci", "integrator": "integrate", "releaser": "deploy", "finalizer": "finalize", "merger": "merge"}

BUILD = """
update orch.setting_row s set value = c.value from jsonb_each_text(%(settings)s) c where s.key = c.key and s.value <> c.value;
insert into orch.repo (id, name, last_started_at) overriding system value
select r.id, r.name, now() - make_interval(secs => r.last_s) from jsonb_to_recordset(%(repos)s) r (id int, name text, last_s float8);
insert into orch.project (id, name, repo_id, forge_location, work_item_prefix, test_command) overriding system value
select r.id, r.name, r.id, '/nonexistent', 'R' || r.id, 'true' from orch.repo r;
insert into orch.repo_freeze (repo_id, reason, frozen_by, cleared_at, cleared_by)
select r.id, 'a reason', 'somebody', case when f = 'cleared' then now() end, case when f = 'cleared' then 'somebody' end
from jsonb_to_recordset(%(repos)s) r (id int, freezes text[]), unnest(r.freezes) f;
insert into orch.task (id, project_id, repo_id, tracker_id, work_item, title, stage, stage_version, priority, paused_at,
        cancel_requested_at, cancelled_at, head_sha, code_tree)
overriding system value
select t.id, t.repo, t.repo, t.id, 'T-' || t.id, 'title', t.stage, 7, t.priority, case when t.paused then now() end,
       case when t.cancel then now() end, case when t.stage = 'cancelled' then now() end, repeat('a', 40), repeat('b', 40)
from jsonb_to_recordset(%(tasks)s) t (id int, repo int, stage text, priority int, paused bool, cancel bool) order by t.id;
insert into orch.deploy_record (task_id, stage_version, sha, initiated_at, finished_at, status)
select t.id, 7, repeat('a', 40), case when t.role <> 'releaser' then now() end, case t.role when 'merger' then now() end, case t.role when 'merger' then 'SUCCESS' end
from jsonb_to_recordset(%(tasks)s) t (id int, role text) where t.role in ('releaser', 'finalizer', 'merger');
insert into orch.job (id, task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts, run_at, created_at,
        status, process_id, token, claimed_at, epoch, attempts)
overriding system value
select t.job, t.id, t.repo, t.role, t.kind, t.role = 'analyst', t.stage, 7, t.priority, 3, now() + make_interval(secs => t.due_s),
       now() - make_interval(secs => t.age_s), case when t.running then 'running' else 'queued' end,
       case when t.running then %(process)s end, case when t.running then gen_random_uuid() end, case when t.running then now() end,
       t.running::int, t.running::int
from jsonb_to_recordset(%(tasks)s) t (id int, job int, repo int, stage text, role text, kind text, priority int, due_s float8,
        age_s float8, running bool)
where t.role is not null order by t.job;
insert into orch.task_dependency (task_id, waits_for, declared_by)
select (d ->> 0)::int, (d ->> 1)::int, 'somebody' from jsonb_array_elements(%(dependencies)s) d;
insert into orch.capacity_limit (scope, name, slots, changed_by)
select l ->> 0, l ->> 1, (l ->> 2)::int, 'somebody' from jsonb_array_elements(%(limits)s) l;
"""

# Prepared once: planning it costs more than running it.
SNAPSHOT = """
prepare snapshot as select jsonb_build_object(
        'now', extract(epoch from clock_timestamp()),
        'repos', (select jsonb_object_agg(id, jsonb_build_object('id', id, 'name', name, 'last', extract(epoch from last_started_at))) from orch.repo),
        'tasks', (select jsonb_object_agg(id, jsonb_build_object('id', id, 'repo', repo_id, 'stage', stage, 'version', stage_version,
                'paused', paused_at is not null, 'cancel', cancel_requested_at is not null, 'escalated', escalated_at is not null)) from orch.task),
        'jobs', (select jsonb_object_agg(id, jsonb_build_object('id', id, 'task', task_id, 'repo', repo_id, 'role', role, 'version', stage_version,
                'status', status, 'priority', priority, 'run_at', extract(epoch from run_at), 'created', extract(epoch from created_at))) from orch.job),
        'deploys', (select jsonb_object_agg(task_id || '-' || stage_version, jsonb_build_object('status', status)) from orch.deploy_record where initiated_at is not null),
        'leases', (select coalesce(jsonb_object_agg(repo_id, task_id), '{}') from orch.merge_lease),
        'frozen', (select jsonb_agg(repo_id) from orch.repo_freeze where cleared_at is null),
        'dependencies', (select jsonb_agg(jsonb_build_array(task_id, waits_for)) from orch.task_dependency),
        'limits', (select jsonb_agg(jsonb_build_array(scope, name, slots)) from orch.capacity_limit),
        'settings', (select jsonb_object_agg(key, value) from orch.setting_row))
"""

VIEWS = """
prepare views as select (select jsonb_agg(jsonb_build_array(job_id, axis) order by precedence) from orch.job_block),
        (select jsonb_agg(id) from orch.claimable_job)
"""


def prepare(cursor):
    cursor.execute(SNAPSHOT + ";" + VIEWS)


def build(cursor, case, process):
    """Makes the world of a case, in the transaction that is under way."""
    repos = {repo["id"] for repo in case["repos"]}
    tasks = [{**task, "kind": KINDS.get(task["role"], "agent")} for task in case["tasks"] if task["repo"] in repos]
    ids = {task["id"] for task in tasks}
    as_json = psycopg2.extras.Json
    cursor.execute(BUILD, {"settings": as_json(case["settings"]), "repos": as_json(case["repos"]), "tasks": as_json(tasks),
                           "process": process, "limits": as_json(case["limits"]),
                           "dependencies": as_json([edge for edge in case["dependencies"] if set(edge) <= ids])})


def snapshot(cursor):
    """The rows, for oracle.py."""
    cursor.execute("execute snapshot")
    (world,) = cursor.fetchone()
    for name in ("repos", "tasks", "jobs"):
        world[name] = {int(key): row for key, row in (world[name] or {}).items()}
    return {**world, "frozen": set(world["frozen"] or ()), "dependencies": world["dependencies"] or [], "limits": world["limits"] or []}


def views(cursor):
    """What the product says: (job, axis) by precedence, and the jobs that are claimable."""
    cursor.execute("execute views")
    blocks, claimable = cursor.fetchone()
    return [tuple(b) for b in blocks or ()], set(claimable or ())


def make_scope(rng, names):
    if rng.random() < 0.6:
        return ""
    tokens = rng.sample(names, rng.randint(0, len(names))) + rng.sample(BAD_TOKENS, rng.randint(0, 2))
    rng.shuffle(tokens)
    return rng.choice((" ", ",", ", ")).join(tokens)


def plain_task(number, repo, priority=2, age_s=5.0):
    """A task that nothing is special about: its analyst's job is queued."""
    return {"id": number, "job": number, "repo": repo, "stage": "analysis", "role": "analyst", "priority": priority, "paused": False, "cancel": False,
            "age_s": age_s, "due_s": -60 * MINUTE, "running": False}


def make_task(rng, number, repo, age):
    (stage, role), = rng.choices(*zip(*STAGES))
    over = stage in ("done", "cancelled")
    return {"id": number, "job": number, "repo": repo, "stage": stage, "role": role, "priority": rng.choice((0, 1, 2, 2, 2, 3, 4)),
            "paused": rng.random() < 0.15, "cancel": not over and rng.random() < 0.08, "age_s": age,
            "due_s": rng.choice((-60 * MINUTE,) * 6 + (60 * MINUTE,)), "running": role not in (None, "integrator", "merger") and not over and rng.random() < 0.1}


def limited(names):
    """What a limit can be of."""
    return [("global", ""), ("host", "testhost"), ("role", "analyst"), ("role", "developer"), ("role", "ci"), *(("repo", name) for name in names)]


def make_step(rng, tasks, repos, names):
    task, other, repo = rng.choice(tasks)["id"], rng.choice(tasks)["id"], rng.choice(repos)["id"]
    return rng.choice((
        ("claim", rng.randint(1, 4)), ("claim", 1), ("claim", 1), ("pause", task), ("resume", task), ("freeze", repo), ("unfreeze", repo),
        ("cancel", task), ("depend", task, other), ("undepend", task, other), ("priority", task, rng.randint(0, 4)), ("retry", task),
        ("end", rng.choice(("success", "success", "failed", "transient"))), ("end", "success"), ("intake", repo, rng.randint(0, 4)),
        ("set", rng.choice(SWITCHES), rng.choice(("on", "off"))), ("set", "serial_gate_repos", make_scope(rng, names)),
        ("limit", *rng.choice(limited(names)), rng.randint(0, 4)), ("unlimit", *rng.choice(limited(names))),
        ("set", "priority_ageing_s", rng.choice(("0", "600", "3600")))))


def make(seed):
    """The case of a seed."""
    rng = random.Random(seed)
    repos = [{"id": n, "name": f"r{n}", "last_s": rng.choice((None, 7.0 * n, 1000.0 - n)),
              "freezes": rng.choice(([],) * 4 + (["active"], ["cleared"], ["active", "active"]))}
             for n in range(1, rng.randint(1, 4) + 1)]
    names = [repo["name"] for repo in repos]
    count = rng.randint(1, 12)
    # whole numbers of ageing plus a half of it: no rank changes while a test runs
    ages = sorted((rng.randint(0, 40) * 10 * MINUTE + 5 * MINUTE for _ in range(count)), reverse=True)
    tasks = [make_task(rng, n + 1, rng.choice(repos)["id"], ages[n]) for n in range(count)]
    shuffled = rng.sample(range(1, count + 1), count)  # an order of its own, so that nobody waits for himself
    edges = [sorted(rng.sample(range(count), 2)) for _ in range(rng.choice((0, 0, 1, 2, 4)) if count > 1 else 0)]
    edges = [[shuffled[a], shuffled[b]] for a, b in sorted(set(map(tuple, edges)))]
    settings = {key: "off" for key in SWITCHES if rng.random() < 0.2}
    settings |= {"serial_gate_repos": make_scope(rng, names), "priority_ageing_s": rng.choice(("0", "600", "3600"))}
    limits = [[*limit, rng.randint(0, 4)] for limit in limited(names) if rng.random() < 0.05]
    steps = [make_step(rng, tasks, repos, names) for _ in range(rng.randint(0, 8))]
    return {"settings": settings, "repos": repos, "tasks": tasks, "dependencies": edges, "limits": limits, "steps": steps}


def smaller(case):
    """Cases with one thing less, or one thing plainer."""
    for name in ("steps", "tasks", "dependencies", "limits", "repos"):
        for n in range(len(case[name])):
            yield {**case, name: case[name][:n] + case[name][n + 1:]}
    for key in case["settings"]:
        yield {**case, "settings": {k: v for k, v in case["settings"].items() if k != key}}
    plain = {"paused": False, "cancel": False, "running": False, "priority": 2, "due_s": -60 * MINUTE, "age_s": 5 * MINUTE, "freezes": [], "last_s": None}
    for name in ("tasks", "repos"):
        for n, row in enumerate(case[name]):
            for key, value in plain.items():
                if row.get(key, value) != value:
                    yield {**case, name: case[name][:n] + [{**row, key: value}] + case[name][n + 1:]}


def minimise(case, fails):
    """The smallest case found that still fails."""
    progress = True
    while progress:
        progress = False
        for candidate in smaller(case):
            if fails(candidate):
                case, progress = candidate, True
                break
    return case
