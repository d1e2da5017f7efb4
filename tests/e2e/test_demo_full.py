"""deploy/quickstart --demo full as a person types it: four items, each of which goes another way, and what is printed of them."""

import os
import re
import subprocess

import pytest

from support.paths import BUILD, SANITIZER_ENV, source
from support.processes import descendants
from support.project import git
from support.wait import wait_for

HAPPENED = ["FULL1-1 went straight through", "FULL1-2 failed its review twice and then passed",
            "FULL1-3 was stopped while its developer was at work", "FULL1-3 began again from scratch, on code that has FULL1-4",
            "FULL1-4 was deployed, found DEGRADED and rolled back",
            "repo full1 was frozen for it, and FULL1-3 waited until the operator cleared that", "production is HEALTHY after all others"]


class Printed:
    """The text below a heading: its picture, by stage, and its lines: when, who, what."""

    def __init__(self, output, heading):
        text = re.search(rf"^{re.escape(heading)}.*?(?=^\S|\Z)", output, re.MULTILINE | re.DOTALL).group(0)
        self.heading = text.split("\n", 1)[0]
        self.rows = dict(re.findall(r"^  (analysis|architecture|development|review|testing|deploy-staging|deploy|production) +(\S.*?)$", text, re.MULTILINE))
        self.lines = [(float(at), who, what) for at, who, what in re.findall(r"^ +\+([\d.]+) s  (\S+) +(.+)$", text, re.MULTILINE)]

    def said(self, who):
        return [what for _, one, what in self.lines if one == who]

    def when(self, who, what):
        return next(at for at, one, said in self.lines if one == who and what in said)


def check_timelines(output):
    straight = Printed(output, "FULL1-1  Read sizes such as 1.5 MiB: done, production HEALTHY")
    assert list(straight.rows) == ["analysis", "architecture", "development", "review", "testing", "deploy-staging", "deploy", "production"]
    assert "█" in straight.rows["review"] and "☺" in straight.rows["analysis"] and "☺" in straight.rows["deploy"]
    assert "✗" not in "".join(straight.rows.values()) and "●" in straight.rows["production"]
    hasty = Printed(output, "FULL1-2  Add up sizes written as text: done, sent back 2 times, production HEALTHY")
    assert hasty.rows["review"].count("✗") == 2 and "developer ×3" in hasty.rows["development"]
    assert [said.split()[1] for said in hasty.said("reviewer")] == ["REQUEST_CHANGES", "REQUEST_CHANGES", "APPROVED"]
    stopped = Printed(output, "FULL1-3 (stopped)  Say how much a transfer moves: cancelled")
    assert stopped.rows["development"].split()[0].endswith("■") and stopped.said("developer")[0].startswith("■ stopped")
    degraded = Printed(output, "FULL1-4  Read durations such as 1h 30m: done, production DEGRADED")
    assert degraded.rows["production"].endswith("✗")
    again = Printed(output, "FULL1-3  Say how much a transfer moves: done, production HEALTHY")
    assert stopped.when("person", "STOP") < degraded.when("monitor", "DEGRADED") <= degraded.when("monitor", "freezes repo full1") \
        <= again.when("queue", "waits: repo full1 is frozen") <= again.when("person", "opens repo full1") < again.when("analyst", "present")
    for each in (straight, hasty, stopped, degraded, again):
        assert [at for at, _, _ in each.lines] == sorted(at for at, _, _ in each.lines)
    assert re.search(r"^  repo frozen +═+", output, re.MULTILINE)


def all_stopped(state):
    return not [p for p in descendants(os.getpid()) if p.cwd.startswith(str(state)) or str(state) in " ".join(p.args)]


@pytest.mark.timeout(600)
def test_four_items_each_another_way(folder):
    """M-5, S-16, C-3, P-5: all of it happens, and the timelines say so; with the programs of the test's build, so that none is built."""
    done = subprocess.run([source("deploy/quickstart"), "--once", "--demo", "full", "--programs", BUILD, "--state", folder], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=540,
                          env={**os.environ, **SANITIZER_ENV})
    assert done.returncode == 0, done.stdout
    assert re.findall(r"^  (✓|✗ NOT:) (.+)$", done.stdout, re.MULTILINE) == [("✓", what) for what in HAPPENED]
    check_timelines(done.stdout)
    bare = folder / "forge/full1.git"
    merges = git("--git-dir", bare, "log", "--merges", "--reverse", "--format=%s", "main").split("\n")
    assert [merge.split(":")[0] for merge in merges] == [f"Merge FULL1-{n}" for n in (1, 2, 4, 3)]
    wait_for(lambda: all_stopped(folder), what="nothing is left")
