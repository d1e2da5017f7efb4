"""Runs outlive their worker (J-8): whatever becomes of workerd, the same agent works on, and its work is recorded once."""

import os
import signal

import pytest

from support.agents import hold_pushes
from support.pipeline import AUTHORS, Pipeline
from support.processes import Process, is_alive
from support.wait import stays

# Two workers on one host would do; one makes it sure who dies, and that somebody new adopts.
# No quicker: a beat that a busy machine holds up for takeover_after is a death.
LIVENESS = {"beat_interval": "500ms", "freeze_after": "4s", "takeover_after": "8s"}


def only_worker(suite):
    return suite.pids("workerd")[0]


def kill_worker(suite):
    """kill -9 of the worker; the supervisor starts another."""
    pid = only_worker(suite)
    os.kill(pid, signal.SIGKILL)
    return pid


def is_frozen(pid):
    return Process(pid).state == "T"


def check_done_once(line, agents, item, agent=None):
    """One run, one attempt, one commit, by the agent that was there before."""
    assert [r["outcome"] for r in line.runs(item)] == ["success"]
    job = line.jobs(item)[0]
    assert (job["status"], job["attempts"], job["crashes"]) == ("done", 1, 0)
    starts = agents.marks("start", role="analyst", work_item=item)
    assert len(starts) == 1 and agent in (None, starts[0].pid)
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


@pytest.fixture
def held(make_suite, project, gate):
    """(suite, pipeline, item, run): an analyst's agent is at work, and waits for the gate."""
    def hold(**options):
        gate.hold("analyst")
        suite = make_suite(**options).start()
        line = Pipeline(suite, project)
        item = line.item()
        return suite, line, item, line.wait_running(item, "analyst")

    return hold


def test_a_killed_worker_s_agent_works_on(held, agents, gate):
    """J-8, R-6, T-5: kill -9 of workerd while an agent works: the agent lives, another worker adopts it, its work is
    committed once; the life of the run is one row and one attempt."""
    suite, line, item, run = held()
    line.db.query("update orch.run set pid = null")  # as if the worker had died before it could say
    dead = kill_worker(suite)
    adopted = suite.log.wait("job.adopted", job=run["job_id"], epoch=run["epoch"])
    assert int(adopted["pid"]) != dead
    suite.log.wait("job.attached", agent=run["pid"])
    line.wait(lambda: line.runs(item)[0]["pid"] == run["pid"], what="the agent is known again")
    assert is_alive(run["pid"])
    gate.open()
    line.wait_shown(item, "in_review")
    check_done_once(line, agents, item, run["pid"])
    assert line.db.column("select kind from orch.history where kind in ('orphan', 'adopt', 'reap') order by id") == ["orphan", "adopt"]


def test_an_agent_that_ended_meanwhile_is_finished(held, agents, gate):
    """R-6 tier 2: the agent ended while nobody looked: its status is on disk, and it is finished, not done again."""
    suite, line, item, run = held()
    suite.kill()  # no supervisor: nobody starts another worker
    for pid in line.db.column("select pid from orch.process where ended_at is null"):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    gate.open()
    status = suite.folder / "state/runs" / f"{run['job_id']}-{run['epoch']}" / "status"
    line.wait(status.exists, 90, "the shim has written its status")
    suite.start()
    line.wait_shown(item, "in_review")
    check_done_once(line, agents, item, run["pid"])


def test_an_agent_that_failed_meanwhile_is_tried_again(held, gate):
    """J-4, J-8: the agent was killed while nobody looked: its heir records that, once, and the job has another attempt."""
    suite, line, item, run = held()
    line.setting("job_backoff_s", 0)
    suite.kill()  # no supervisor: nobody starts another worker
    for pid in line.db.column("select pid from orch.process where ended_at is null"):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    os.kill(run["pid"], signal.SIGKILL)
    line.wait(lambda: not suite.shims(), what="the shim has said how its agent ended")
    gate.open()
    suite.start()
    line.wait_shown(item, "in_review")
    assert [(r["outcome"], r["attempt"]) for r in line.runs(item)] == [("killed", 1), ("success", 2)]
    assert not suite.log.records("child.exited", how="killed by SIGABRT")
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


@pytest.mark.parametrize("event", ["commit", "push", "record"])
def test_killed_between_the_steps_of_the_end(make_suite, project, agents, event, folder):
    """R-6, P-7: the worker dies between the agent's end and the commit, between commit and push, between push and
    record: another worker goes on from where it was, and no agent runs again."""
    suite = make_suite()
    line = Pipeline(suite.start(), project)
    away = {"commit": None, "push": "job_intent", "record": "job_finish"}[event]
    args = {"job_intent": "bigint, bigint, uuid, text, text, text", "job_finish": "bigint, bigint, uuid, text, jsonb"}
    if event == "commit":
        agents.set("analyst", 'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md; do echo x >"$docs/$f"; done\n'
                              'echo "cases: []" >"$docs/04-test-plan.yaml"\n'
                              f'kill -STOP "$(cat {folder}/worker)"\n')
        (folder / "worker").write_text(str(only_worker(suite)))
    item = line.item()
    if event == "push":
        suite.log.wait("job.started", timeout=60)
    if away:
        line.db.query(f"alter function orch.{away}({args[away]}) rename to {away}_away")
    if event == "commit":
        line.wait(lambda: Process(only_worker(suite)).state == "T" and not suite.shims(), 60, "the agent has ended")
    elif event == "push":
        suite.log.wait("job.retry", timeout=60, what="claim check")
    else:
        suite.log.wait("job.report-refused", timeout=60)
    kill_worker(suite)
    if away:
        line.db.query(f"alter function orch.{away}_away({args[away]}) rename to {away}")
    line.wait_shown(item, "in_review")
    assert bool(suite.log.records("job.found-pushed")) == (event == "record")
    check_done_once(line, agents, item)


def test_a_push_that_outlives_its_worker(make_suite, project, agents):
    """P-7, R-6: the worker is killed while git pushes, and git goes on. Whoever adopts the run has not found the commit when
    it looked, and finds it when its own push meets it."""
    suite = make_suite().start()
    line = Pipeline(suite, project)
    forge = hold_pushes(project, agents)
    item = line.item()
    suite.log.wait("job.state", to="pushing", timeout=60)
    line.wait((agents.folder / "forge.first").exists, what="git pushes")
    heir = suite.log.mark()
    kill_worker(suite)
    suite.log.wait("job.state", to="pushing", since=heir, timeout=60)
    assert not suite.log.records("job.found-pushed")
    forge.open()
    line.wait_shown(item, "in_review")
    suite.log.wait("job.found-pushed", since=heir)
    check_done_once(line, agents, item)


def test_the_suite_is_stopped_and_started_under_agents(held, agents, gate):
    """J-8: SIGTERM, all daemons leave within the deadline, the agent works on under its shim, the next start adopts it."""
    suite, line, item, run = held(drain_timeout="30s")
    suite.stop(timeout=60)
    assert is_alive(run["pid"]) and not is_frozen(run["pid"])
    job = line.jobs(item)[0]
    assert (job["status"], job["attempts"]) == ("running", 1) and job["orphaned_at"]
    suite.start()
    suite.log.wait("job.attached", agent=run["pid"])
    gate.open()
    line.wait_shown(item, "in_review")
    check_done_once(line, agents, item, run["pid"])


def test_cancelled_while_nobody_was_there(held, agents):
    """J-6, C-3: a stop request reaches an adopted run."""
    suite, line, item, run = held()
    suite.stop()
    line.cancel(item)
    assert is_alive(run["pid"])
    suite.start()
    line.wait_stage(item, "cancelled")
    line.wait(lambda: not is_alive(run["pid"]), 90, "the agent is stopped")
    assert [job["status"] for job in line.jobs(item)] == ["cancelled"]
    stays(lambda: len(line.runs(item)) == 1, 1.0)


def test_an_outage_of_the_database_freezes_and_thaws(held, agents, gate, cluster):
    """T-2, T-5: no beat is confirmed for freeze_after: the agent stands still; the database is back: it works on. Nothing
    is killed, no attempt is burnt."""
    suite, line, item, run = held(**{**LIVENESS, "takeover_after": "60s"})
    cluster.stop("immediate")
    try:
        line.wait(lambda: is_frozen(run["pid"]), 90, "the agent is frozen")
    finally:
        cluster.start()
        suite.database.forget_connections()
    line.wait(lambda: not is_frozen(run["pid"]), 90, "the agent is thawed")
    assert is_alive(run["pid"])
    gate.open()
    line.wait_shown(item, "in_review")
    check_done_once(line, agents, item, run["pid"])


def test_a_stopped_shim_and_a_database_that_is_away(held, agents, gate, cluster):
    """J-1, J-4: a shim that is stopped cannot freeze its agent: its worker kills both, before anybody else could begin. When
    the database is back the run is recorded as lost on the way, and the job runs again, once."""
    suite, line, item, run = held(**{**LIVENESS, "takeover_after": "60s"})
    line.setting("job_backoff_s", 0)
    shim, = suite.shims()
    os.kill(shim.pid, signal.SIGSTOP)
    cluster.stop("immediate")
    try:
        killed = suite.log.wait("shim.silent", timeout=90, job=run["job_id"], shim=shim.pid)
        line.wait(lambda: not is_alive(run["pid"]) and not is_alive(shim.pid), what="agent and shim are killed")
    finally:
        cluster.start()
        suite.database.forget_connections()
    assert 18000 <= int(killed["silent_ms"]) < 35000  # freeze_after and a quarter of what is left until takeover_after
    gate.open()
    line.wait_shown(item, "in_review")
    assert [(run["outcome"], run["attempt"]) for run in line.runs(item)] == [("transient", 1), ("success", 1)], suite.log.tail()
    assert not suite.log.records("reap.killed"), "its worker was only waiting for its next attempt"
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_a_machine_that_stood_still_loses_no_run(held, agents, gate):
    """J-8: worker, shim and agent stand still for longer than a shim may take to freeze: the worker that goes on does not kill
    the shim that goes on with it."""
    suite, line, item, run = held(**{**LIVENESS, "takeover_after": "60s"})
    stopped = suite.pause()
    silence = "select extract(epoch from now() - beat_at) from orch.process where daemon = 'workerd' and ended_at is null"
    line.wait(lambda: line.db.value(silence) > 19, 60, "the whole bound has passed")
    suite.resume(stopped)
    line.wait(lambda: line.db.value(silence) < 5, 60, "it beats again")
    gate.open()
    line.wait_shown(item, "in_review")
    assert not suite.log.records("shim.silent")
    check_done_once(line, agents, item, run["pid"])


def test_a_stopped_worker_comes_back_too_late(make_suite, project, agents, gate, folder):
    """T-5, J-1: a host whose processes stand still for longer than takeover_after: its agent is frozen, another host runs
    the job; when the first goes on it writes nothing, and its agent is killed without having been thawed."""
    gate.hold("analyst")
    first = make_suite(**LIVENESS, host_name="first").start()
    line = Pipeline(first, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    second = make_suite(**LIVENESS, host_name="second").start()
    stopped = [first.process.pid, *first.pids("workerd"), *first.pids("reaperd"), *first.pids("reconcilerd"), *first.pids("webhookd")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        again = line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"] and line.runs(item)[1], 90, "the second run")
        assert is_frozen(run["pid"]) and is_alive(again["pid"])
        mark = first.log.mark()
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    first.log.wait("process.fenced", since=mark)
    line.wait(lambda: not is_alive(run["pid"]), 90, "the first agent is killed")
    assert not first.log.records("agent.thawed", since=mark) and not first.log.records("job.ended")
    gate.open()
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == ["lost", "success"]
    assert line.jobs(item)[0]["attempts"] == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])
    second.stop()


def test_the_shim_died_too(held, agents, gate):
    """R-6: neither a shim nor a status is left: the job runs again, once."""
    suite, line, item, run = held()
    os.kill(suite.shims()[0].pid, signal.SIGKILL)
    kill_worker(suite)
    line.wait(lambda: not is_alive(run["pid"]), 90, "the agent is gone with its shim")
    line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"], 90, "the second run")
    gate.open()
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)][-1] == "success" and len(line.runs(item)) == 2
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_a_worker_says_which_kinds_of_jobs_it_knows(suite):
    """J-1, B-5: all that there are; and those are what it is given."""
    suite.wait_for(lambda: suite.database.value("select array_agg(distinct kind order by kind) <@ (select kinds from orch.worker) from orch.role"), what="it knows them")
    suite.database.query("update orch.process set kinds = '{agent}'")
    suite.stop()
    suite.start()
    suite.wait_for(lambda: suite.database.value("select 'finalize' in (select unnest(kinds) from orch.worker)"), what="it says so by itself")
