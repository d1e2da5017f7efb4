"""Leaving in order: nothing new is taken, short steps end, agents go on under their shims, no attempt is burnt."""

import signal

import pytest

from support.agents import Agents, Gate, hold_pushes
from support.paths import BUILD
from support.pipeline import AUTHORS, Pipeline
from support.processes import all_processes, is_alive


def test_idle_drain_leaves_no_row_behind(suite, project):
    """T-2: every process ends its row when it leaves in order."""
    Pipeline(suite, project)
    suite.stop()
    assert suite.database.value("select count(*) from orch.process where ended_at is null") == 0
    assert not suite.log.records("reap.process-gone")


def check_handed_over(line, item, run):
    """J-8: the agent lives, its job waits for an heir as it was."""
    assert is_alive(run["pid"])
    job = line.jobs(item)[0]
    assert (job["status"], job["attempts"], job["crashes"]) == ("running", 1, 0) and job["orphaned_at"]


def check_finished_after_start(suite, line, item, run, agents, gate):
    gate.open()
    suite.start()
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == ["success"] and line.jobs(item)[0]["attempts"] == 1
    assert [mark.pid for mark in agents.marks("start", role="analyst", work_item=item)] == [run["pid"]]
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_drain_lets_agents_go_on(make_suite, project, agents, gate):
    """J-8: a drain does not wait for agents; they work on, and the next start finishes them."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="60s").start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    suite.stop(timeout=15)
    assert suite.log.records("job.let-go", job=run["job_id"], state="running")
    check_handed_over(line, item, run)
    check_finished_after_start(suite, line, item, run, agents, gate)


def test_a_draining_worker_takes_nothing_and_ends_its_steps(make_suite, project, agents, gate):
    """A run whose agent has ended is pushed and recorded before the worker leaves; new events are left alone."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="60s").start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    forge = hold_pushes(project, agents)
    gate.open()
    suite.log.wait("job.state", to="pushing")
    mark = suite.log.mark()
    suite.send(signal.SIGTERM)
    suite.log.wait("worker.draining", since=mark)
    second = line.item("Second thing")
    forge.open()
    suite.stop(signo=0)  # it has been told; a second signal would be quick
    assert [run["outcome"] for run in line.runs(item)] == ["success"]
    assert line.task(second) is None, "a draining worker took a new event"


def test_drain_timeout_leaves_steps_to_the_next(make_suite, project, agents, gate):
    """J-8, P-7: a push that takes longer than the drain is left; whoever adopts the run finds out whether it came about."""
    suite = make_suite(drain_timeout="1s").start()
    line = Pipeline(suite, project)
    forge = hold_pushes(project, agents)
    item = line.item()
    suite.log.wait("job.state", to="pushing", timeout=60)
    suite.stop(timeout=20)
    assert line.jobs(item)[0]["orphaned_at"]
    forge.open()
    suite.start()
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == ["success"]
    assert len(agents.marks("start", role="analyst", work_item=item)) == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_second_signal_is_quick(make_suite, project, agents, gate):
    """A second SIGTERM waits for no step; agents go on all the same."""
    suite = make_suite(drain_timeout="120s").start()
    line = Pipeline(suite, project)
    forge = hold_pushes(project, agents)
    item = line.item()
    suite.log.wait("job.state", to="pushing", timeout=60)
    mark = suite.log.mark()
    suite.send(signal.SIGTERM)
    suite.log.wait("worker.draining", since=mark)
    suite.stop(timeout=20)
    assert line.jobs(item)[0]["orphaned_at"]
    forge.open()


def test_what_was_not_started_goes_back(make_suite, project, agents):
    """J-1, J-8: a job whose agent was not started yet is released, its attempt refunded."""
    suite = make_suite(drain_timeout="60s").start()
    line = Pipeline(suite, project)
    line.db.query("alter function orch.job_started(bigint, bigint, uuid, integer, text, text, integer, uuid, uuid) rename to job_started_away")
    item = line.item()
    suite.log.wait("job.start-not-recorded", timeout=60)
    suite.stop(timeout=20)
    job = line.jobs(item)[0]
    assert (job["status"], job["attempts"], job["crashes"]) == ("queued", 0, 0)
    assert line.runs(item)[0]["outcome"] == "released" and not agents.marks("start")


@pytest.fixture
def slow_shim(folder):
    """(programs, gate): a folder of the suite's programs whose shims begin when the gate is open."""
    programs = folder / "bin"
    programs.mkdir()
    for path in BUILD.glob("orch*"):
        if path.is_file():
            (programs / path.name).symlink_to(path)
    gate = Gate(Agents(folder / "shim-gate"))
    shim = programs / "orch-shim"
    shim.unlink()
    shim.write_text(f'#!/bin/bash\nflock --shared {gate.path} true\nexec -a "$0" {BUILD}/orch-shim "$@"\n')
    shim.chmod(0o755)
    yield programs, gate
    gate.open()


def test_a_shim_that_has_not_begun_is_waited_for(make_suite, project, agents, gate, slow_shim):
    """J-8, B-5: a shim begins nothing for a worker that has left; so the worker stays until it has begun, and no run is lost."""
    programs, shim_gate = slow_shim
    gate.hold("analyst")
    suite = make_suite(drain_timeout="60s", bin_dir=programs).start()
    line = Pipeline(suite, project)
    item = line.item()
    suite.log.wait("job.state", to="running", timeout=60)
    suite.send(signal.SIGTERM)
    suite.log.wait("job.stopping", state="running")
    assert not suite.log.records("job.let-go")
    shim_gate.open()
    suite.log.wait("job.let-go")
    suite.stop(signo=0)
    assert suite.log.records("job.started")
    suite.start()
    suite.log.wait("job.attached")
    gate.open()
    line.wait_shown(item, "in_review")
    assert [(run["outcome"], run["epoch"]) for run in line.runs(item)] == [("success", 1)]
    assert len(agents.marks("start")) == 1


def test_a_quick_drain_waits_for_no_shim(make_suite, project, agents, slow_shim):
    """J-8: then the shim does not begin, and the job is run again."""
    programs, shim_gate = slow_shim
    suite = make_suite(drain_timeout="1s", bin_dir=programs).start()
    line = Pipeline(suite, project)
    item = line.item()
    suite.log.wait("job.state", to="running", timeout=60)
    suite.send(signal.SIGTERM)
    suite.log.wait("child.exited", child="workerd.1")
    shim_gate.open()
    suite.stop(signo=0)
    assert line.jobs(item)[0]["orphaned_at"] and not agents.marks("start")
    line.wait(lambda: not any(str(programs / "orch-shim") in p.args for p in all_processes()), what="the shim has found that it is alone")
    suite.start()
    line.wait_shown(item, "in_review")
    assert [run["outcome"] for run in line.runs(item)] == ["lost", "success"]
    assert len(agents.marks("start")) == 1


def test_drain_without_a_database(make_suite, project, agents, cluster, gate):
    """Every daemon leaves also when PostgreSQL is away; its agents are frozen in time, and adopted when both are back."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="1s").start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    cluster.stop("immediate")
    try:
        suite.stop(timeout=60)
        assert is_alive(run["pid"])
    finally:
        cluster.start()
        suite.database.forget_connections()
    check_finished_after_start(suite, line, item, run, agents, gate)
