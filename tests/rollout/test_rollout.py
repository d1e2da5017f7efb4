"""Upgrade after upgrade of a suite that is at work: webhooks keep coming, agents keep running, and nobody notices (B-5, J-8).

ORCH_ROLLOUT_UPGRADES=N does more or fewer of them, ORCH_ROLLOUT_RATE=N wants more or fewer webhooks a second.
"""

import os

from support.agents import BODIES, ROLES
from support.pipeline import AUTHORS, STAGES, Pipeline
from support.processes import Process
from support.stream import Stream
from support.supervised import DAEMONS

UPGRADES = int(os.environ.get("ORCH_ROLLOUT_UPGRADES", "50"))
AGENTS = 8
# Webhooks a second that must have been answered, on average. With a machine of two cores to itself it is 500, with the
# sanitizers in; less than this is no load to upgrade under.
RATE = int(os.environ.get("ORCH_ROLLOUT_RATE", "100"))
SETTINGS = {"serial_gate_enabled": "off", "job_backoff_s": 0, "stage_grace_s": 2}


def daemons(suite):
    """Those that the supervisor has started; not what one of them has just forked."""
    return {name: {pid for pid in suite.pids(name) if Process(pid).ppid == suite.process.pid} for name in DAEMONS}


def running(pids):
    """What tells these processes from others that have got their pids since."""
    return {(pid, Process(pid).start) for pid in pids if Process(pid).alive}


def hold_agents(line, agents, gate):
    """AGENTS items whose analysts are at work until the gate is open, and two whose agents come and go meanwhile."""
    moving = [line.item("Goes on"), line.item("Goes on, too")]
    gate.hold("analyst", BODIES["analyst"], only_if=" && ".join(f"[ $ORCH_WORK_ITEM != {item} ]" for item in moving))
    held = [line.item("Is at work") for _ in range(AGENTS)]
    for item in held:
        line.wait_running(item, "analyst")
    line.wait(lambda: sum(mark.work_item in held for mark in agents.marks("start")) == AGENTS, what="all agents are at work")
    return held, moving


def upgrade(suite):
    before = daemons(suite)
    suite.orchctl("upgrade")
    after = daemons(suite)
    assert not any(before[name] & after[name] for name in DAEMONS), (before, after)
    assert {name: len(pids) for name, pids in before.items()} == {name: len(pids) for name, pids in after.items()}


def approve_what_waits(line, items):
    for item in items:
        if line.shown(item) in ("in_review", "awaiting_deploy"):
            line.approve(item)


def check_held(line, agents, item):
    """One run, one attempt, one agent, one commit."""
    assert [run["outcome"] for run in line.runs(item)] == ["success"]
    assert [(job["role"], job["attempts"], job["crashes"]) for job in line.jobs(item)] == [("analyst", 1, 0)]
    assert len(agents.marks("start", work_item=item)) == len(agents.marks("end", work_item=item)) == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def check_moving(line, agents, item):
    """What was not begun may have been given back; what had begun was gone on with."""
    assert {run["outcome"] for run in line.runs(item)} <= {"success", "released"}
    assert line.stages(item) == STAGES
    assert {job["attempts"] for job in line.jobs(item)} == {1}
    assert [mark.role for mark in agents.marks("start", work_item=item)] == list(ROLES)
    line.check_commits(item)


def check_records(database):
    """J-1: no job and no run is left open; the runs of a job follow each other, and one of them has succeeded."""
    assert not database.query("select id, role, status from orch.job where status <> 'done' or process_id is not null")
    assert not database.query("select job_id, epoch from orch.run where ended_at is null")
    assert not database.query("select a.job_id, a.epoch, b.epoch as next, a.ended_at, b.started_at from orch.run a"
                              " join orch.run b on b.job_id = a.job_id and b.epoch > a.epoch where b.started_at < a.ended_at")
    assert not database.query("select job_id from orch.run group by job_id having count(*) filter (where outcome = 'success') <> 1")


def check_deliveries(database, stream):
    """I-3: each that was answered is there, and no other."""
    assert database.value("select count(*) from orch.event where source = 'gitea'") == stream.stored


def report(stream):
    print(f"{UPGRADES} upgrades in {stream.seconds:.0f} s: {stream.stored} webhooks answered, {stream.rate:.0f} per second "
          f"(slowest second {stream.slowest_second}), slowest answer {stream.slowest_answer * 1000:.0f} ms, "
          f"{len(stream.bad)} failed; {AGENTS} agents kept")


def test_upgrades_under_load(make_suite, project, agents, gate):
    """B-5, J-8, I-3, P-7: no request fails, no agent dies, and each job is done once."""
    suite = make_suite(webhookd_count=2, workerd_count=2, worker_slots=5, beat_interval="1s", agent_timeout="10m",
                       log_level="info").start()
    line = Pipeline(suite, project, **SETTINGS)
    held, moving = hold_agents(line, agents, gate)
    pids = [mark.pid for mark in agents.marks("start") if mark.work_item in held]
    before = running(pids + [shim.pid for shim in suite.shims()])
    supervisor = suite.process.pid
    with Stream(suite, senders=6, pause=0.002, page_pause=0.05) as stream:
        for _ in range(UPGRADES):
            upgrade(suite)
            approve_what_waits(line, moving)
    report(stream)
    assert not stream.bad, "\n".join(stream.bad[:50])
    assert not stream.went_back, "\n".join(stream.went_back)
    assert {pid for pid, _ in before} >= set(pids)
    assert running(pids) == {(pid, start) for pid, start in before if pid in pids}, "the same agents as before"
    assert suite.process.pid == supervisor and suite.process.poll() is None
    gate.open()
    for item in held:
        line.wait_shown(item, "in_review")
    for item in moving:
        line.wait(lambda: approve_what_waits(line, [item]) or line.stage(item) == "done", 120, f"{item} is done")
    for item in held:
        check_held(line, agents, item)
    for item in moving:
        check_moving(line, agents, item)
    check_records(line.db)
    line.check_no_overlap(agents)
    check_deliveries(line.db, stream)
    assert stream.rate >= RATE, f"{stream.rate:.0f} webhooks a second are less than {RATE}"
