"""Leaving in order: nothing new is taken, what is under way ends or goes back without a burnt attempt."""

import signal

from support.pipeline import Pipeline
from support.processes import is_alive


def test_idle_drain_leaves_no_row_behind(suite, project):
    """T-2: every process ends its row when it leaves in order."""
    Pipeline(suite, project)
    suite.stop()
    assert suite.database.value("select count(*) from orch.process where ended_at is null") == 0
    assert not suite.log.records("reap.process-gone")


def test_drain_lets_an_agent_end(make_suite, project, agents, gate):
    """J-8 as far as part 1 has it: an agent that ends within drain_timeout is not stopped, and its work is recorded."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="30s").start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    mark = suite.log.mark()
    suite.send(signal.SIGTERM)
    suite.log.wait("worker.draining", since=mark)
    second = line.item("Second thing")
    gate.open()
    suite.stop(signo=0)  # it has been told; a second signal would be quick
    assert [run["outcome"] for run in line.runs(item)] == ["success"]
    assert line.task(second) is None, "a draining worker took a new event"
    suite.start()
    line.wait_shown(item, "in_review")
    assert len(agents.marks("start", role="analyst", work_item=item)) == 1


def test_drain_timeout_stops_agents_and_refunds(make_suite, project, agents, gate):
    """J-3, J-4: an agent that outlasts the drain is stopped by the cascade, its job goes back, no attempt is burnt."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="1s").start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    suite.stop()
    assert not is_alive(run["pid"])
    job = line.jobs(item)[0]
    assert (job["status"], job["attempts"], job["crashes"]) == ("queued", 0, 0)
    assert line.runs(item)[0]["outcome"] == "released"
    gate.open()
    suite.start()
    line.wait_shown(item, "in_review")
    assert line.jobs(item)[0]["attempts"] == 1
    line.check_no_overlap(agents)


def test_second_signal_is_quick(make_suite, project, agents, gate):
    """A second SIGTERM stops the agents at once."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="120s").start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    mark = suite.log.mark()
    suite.send(signal.SIGTERM)
    suite.log.wait("worker.draining", since=mark)
    suite.stop(timeout=20)
    assert line.jobs(item)[0]["status"] == "queued"


def test_drain_without_a_database(make_suite, project, agents, cluster, gate):
    """Every daemon leaves also when PostgreSQL is away; what was held is found by the reaper of the next life."""
    gate.hold("analyst")
    suite = make_suite(drain_timeout="1s").start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    cluster.stop("immediate")
    try:
        suite.stop(timeout=60)
        assert not is_alive(run["pid"])
    finally:
        cluster.start()
        suite.database.forget_connections()
    gate.open()
    suite.start()
    line.wait_shown(item, "in_review")
    line.check_no_overlap(agents)
