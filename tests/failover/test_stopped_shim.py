"""A shim that is itself stopped freezes nobody: then its worker sees to it, in time, that the agent acts no more."""

import os
import signal

import pytest

from support.pipeline import AUTHORS, Pipeline
from support.processes import is_alive

LIVENESS = {"beat_interval": "500ms", "freeze_after": "4s", "takeover_after": "12s", "reaper_interval": "500ms"}
# In the agent's group, and nothing of its environment: neither the agent's death nor orch-shim --clean reaches it.
COMPANION = 'env -i PATH="$PATH" sh -c \'echo $$ >"$0"; exec tail -f /dev/null\' "{path}" &\n'


@pytest.fixture
def pair(make_pair):
    """One server will do."""
    return make_pair(standby=False)


@pytest.mark.parametrize("adopted", [False, True])
def test_a_stopped_shim_of_a_host_that_is_cut_off(network, pair, make_suite, project, agents, gate, folder, adopted):
    """J-1, T-5: a shim is stopped, and its host cut off for longer than takeover_after: the worker kills shim and agent before
    another host begins, also a worker that has adopted the run and to which that shim has never said a word."""
    a = make_suite(host=network.host("a"), **LIVENESS).start()
    b = make_suite(host=network.host("b"), **LIVENESS)
    companion = folder / "companion"
    agents.before = COMPANION.format(path=companion)
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.wait(lambda: companion.exists() and companion.read_text().strip(), what="the companion runs")
    acting = [run["pid"], int(companion.read_text())]
    shim, = a.shims()
    os.kill(shim.pid, signal.SIGSTOP)
    if adopted:
        os.kill(a.pids("workerd")[0], signal.SIGKILL)
        a.log.wait("job.adopted")
    line.suite = b.start()
    network.partition(a.host)
    line.wait(lambda: len(line.runs(item)) == 2, 60, "another host has it")
    assert not [pid for pid in [shim.pid, *acting] if is_alive(pid)]
    gate.open()
    line.wait_shown(item, "in_review")
    network.heal()
    a.log.wait("process.fenced", daemon="workerd")
    assert a.log.records("shim.silent", job=run["job_id"], shim=shim.pid)
    line.check_no_overlap(agents)
    assert [r["outcome"] for r in line.runs(item)] == ["lost", "success"]
    assert not a.log.records("job.ended", job=run["job_id"]) and len(agents.marks("end", role="analyst")) == 1
    job, = line.jobs(item)
    assert job["status"] == "done" and job["attempts"] == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])
    a.wait_ready()
