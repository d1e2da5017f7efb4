"""deploy/quickstart --sim as a person types it: one item through a simulated Plane and Gitea, with webhooks, to done (I-1, I-2, I-3, I-5)."""

import os
import signal
import subprocess

import pytest

from support.paths import BUILD, SANITIZER_ENV, source
from support.processes import descendants
from support.project import git
from support.wait import wait_for


def left_of(state):
    return [process for process in descendants(os.getpid()) if str(state) in " ".join(process.args)]


@pytest.mark.parametrize("how", ["Ctrl-C", "nobody reads"])
def test_what_is_ended_in_the_middle_leaves_nothing(folder, how):
    """With --once all is stopped: suite, cluster and simulators."""
    process = subprocess.Popen([source("deploy/quickstart"), "--once", "--sim", "--state", folder, "--programs", BUILD], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, env={**os.environ, **SANITIZER_ENV})
    while "is at work" not in (line := process.stdout.readline()):
        assert line, "it has ended before an agent was at work"
    assert left_of(folder)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
        said = process.stdout.read()
        assert "the person's part is played too: interrupted" in said and "stopping the suite and the cluster (--once)" in said
    process.stdout.close()
    assert process.wait(120) == 1
    wait_for(lambda: not left_of(folder), 10, "nothing is left of it")


def test_an_item_through_plane_and_gitea(folder):
    state = folder
    done = subprocess.run([source("deploy/quickstart"), "--once", "--sim", "--state", state, "--programs", BUILD], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=280, env={**os.environ, **SANITIZER_ENV})
    assert done.returncode == 0, done.stdout
    for words in ("moves SIM1-1 from In Review to Approved", "moves SIM1-1 from Awaiting Deploy to Confirm Deploy", "[Gitea] pull request 1, ", ": merged",
                  "[Telegram] SIM1-1 Read sizes such as 1.5 MiB", "Done since"):
        assert words in done.stdout, done.stdout
    bare = state / "sim/repos/acme/sim1.git"
    assert [line for line in git("--git-dir", bare, "log", "--merges", "--format=%s", "main").split("\n") if "SIM1-1" in line]
    token = (state / "sim/token").read_text().strip()
    assert token not in done.stdout and token not in (state / "suite/log/supervisor.log").read_text()
    assert (state / "sim/token").stat().st_mode & 0o777 == 0o600
    wait_for(lambda: not [process for process in descendants(os.getpid()) if "sim/run" in " ".join(process.args)], what="the simulators have ended")
