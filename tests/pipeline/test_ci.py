"""The project's own test, however it ends (P-1, P-5, J-3): red is an answer, and the developer is told what it was."""

import os
import signal

import pytest

from support.agents import BODIES
from support.pipeline import Pipeline


@pytest.fixture
def make_line(make_suite, project, agents):
    """The developer keeps its task where a test can read it, and mends the test in the second round."""

    def make(test, **options):
        if test is None:
            project.test_command = "test -e mended || kill -9 $$"
        else:
            project.commit({"check.sh": f"#!/bin/sh\ntest -e mended && exit\n{test}\n"}, "A test")
        agents.set("developer", f'cp "$ORCH_TASK_FILE" "{agents.folder}/task.$ORCH_STAGE"\nif grep -q "the test command" "$ORCH_TASK_FILE"; then touch mended; fi\n'
                   + BODIES["developer"])
        return Pipeline(make_suite(**options).start(), project, job_backoff_s=0)

    return make


@pytest.mark.parametrize("test, said", [
    (None, "the test command was killed by signal 9 (Killed)"),
    ("sleep 600", "the test command ran for longer than it may"),  # lasts
    ("echo alpha; seq 5000; echo omega >&2; exit 3", "the test command exited with 3"),
    ("printf '%3000s' x | tr ' ' y; exit 1", "the test command exited with 1"),
], ids=["killed", "endless", "much to say", "one long line"])
def test_a_red_test_is_told_to_the_developer(make_line, agents, test, said):
    """P-5, J-3: once red, once a round; the reason, and the end of what it wrote, from the begin of a line on."""
    line = make_line(test, agent_timeout="8s" if said.endswith("than it may") else "60s")
    item = line.item()
    line.approve_analysis(item)
    line.wait(lambda: [r["outcome"] for r in line.runs(item, "ci")] == ["success", "success"], 120, "red, then green")
    task = line.task(item)
    assert task["developer_rounds"] == 1 and task["escalation"] is None
    text = (agents.folder / "task.development").read_text()
    assert said in text
    if test and "seq" in test:
        assert "\n5000\nomega\n" in text and "alpha" not in text


def test_a_test_that_is_stopped_from_outside_runs_again(make_line, gate, folder):
    """J-3, R-6: nobody's verdict: no round of development, it is simply run again."""
    started = folder / "started"
    line = make_line(f"echo x >>{started}; flock --shared {gate.path} true")
    item = line.item()
    line.approve_analysis(item)
    line.wait(started.exists, 90, "the test runs")
    shim, = line.suite.shims()
    os.kill(shim.pid, signal.SIGTERM)
    line.wait(lambda: line.runs(item, "ci")[0]["outcome"], 60, "the first run has ended")
    gate.open()
    line.wait_stage(item, "review", "testing", "deploy-staging", "deploy", timeout=90)
    assert [r["outcome"] for r in line.runs(item, "ci")] == ["transient", "success"]
    assert line.task(item)["developer_rounds"] == 0 and "the test command was stopped" in line.runs(item, "ci")[0]["reason"]
