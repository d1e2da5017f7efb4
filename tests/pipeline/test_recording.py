"""The end of a job that cannot be recorded, or not yet (R-6, J-3): nothing is lost, nothing runs twice at once."""

import fcntl
import os
import pathlib
import signal
import threading

import pytest

from support.pipeline import Pipeline, away


@pytest.fixture
def line(suite, project):
    return Pipeline(suite, project, job_backoff_s=0)


def test_a_report_that_the_database_refuses(line):
    """R-6: said; as long as it is refused nobody runs the job again; then that is what the attempt came to, and the next one follows."""
    mark = line.suite.log.mark()
    with away(line.db, "job_finish"):
        item = line.item()
        line.suite.log.wait("job.report-refused", since=mark, timeout=60)
        assert len(line.runs(item, "analyst")) == 1 and line.runs(item, "analyst")[0]["outcome"] is None
    line.wait_shown(item, "in_review")
    outcomes = [(r["outcome"], r["reason"]) for r in line.runs(item, "analyst")]
    assert outcomes[0][0] == "failed" and "refused by the database" in outcomes[0][1] and outcomes[-1][0] == "success"
    assert len(outcomes) == 2


def test_the_database_is_away_when_an_agent_ends(line, agents, gate):
    """R-6: tried again until it is back; the agent is not run again."""
    gate.hold("analyst")
    item = line.item()
    line.wait_running(item, "analyst")
    cluster = line.db.cluster
    cluster.stop()
    try:
        gate.open()
        line.wait(lambda: agents.marks("end"), 30, "the agent has ended")
    finally:
        cluster.start()
        line.db.forget_connections()
    line.wait_shown(item, "in_review", 90)
    assert len(line.runs(item, "analyst")) == 1 and len(agents.marks("start")) == 1


def waits_for(lock):
    wanted = f":{os.fstat(lock.fileno()).st_ino} "
    return any("->" in text and wanted in text for text in pathlib.Path("/proc/locks").read_text().splitlines())


def test_what_a_killed_shim_has_left_cannot_be_looked_at(line, agents, gate):
    """J-3: somebody holds its lock: it is said, and tried again; nothing is recorded before nothing is left."""
    gate.hold("analyst", only_if='[ "$ORCH_ATTEMPT" = 1 ]')
    item = line.item()
    run = line.wait_running(item, "analyst")
    with open(line.suite.folder / f"state/locks/job-{run['job_id']}", "rb") as lock:
        holder = threading.Thread(target=fcntl.flock, args=(lock, fcntl.LOCK_EX))
        holder.start()
        line.wait(lambda: waits_for(lock), what="somebody waits for the lock")
        shim, = line.suite.shims()
        os.kill(shim.pid, signal.SIGKILL)
        holder.join()
        line.suite.log.wait("shim.leftovers", timeout=60)
        assert line.runs(item, "analyst")[0]["outcome"] is None
    gate.open()
    line.wait_shown(item, "in_review", 90)
    assert len(line.runs(item, "analyst")) == 2
