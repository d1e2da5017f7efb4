"""The plan of a chaos run, its table of faults, and its story: what needs neither hosts nor a database."""

import datetime
import json
import pathlib
import subprocess
import types

import pytest

from . import checker, faults, schedule
from .histories import good
from .nemesis import Nemesis
from .story import Story

RUN = pathlib.Path(__file__).with_name("run")


def plan(seed, count=80):
    return schedule.plan(seed, 240, count, faults.FAULTS)


def test_the_seed_decides_everything():
    """The same seed, the same plan; another seed, another plan."""
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_a_plan_has_every_kind_in_its_bounds():
    """Each kind comes as often as any other, give or take one, and lasts as long as its row says."""
    planned = plan(7)
    counts = [sum(p.kind == fault.name for p in planned) for fault in faults.FAULTS]
    assert len(planned) == 80 and max(counts) - min(counts) <= 1
    assert all(0 <= p.at_s <= 240 for p in planned) and [p.at_s for p in planned] == sorted(p.at_s for p in planned)
    for p in planned:
        low, high = faults.BY_NAME[p.kind].seconds
        assert low <= p.seconds <= high and p.choose("abc") in "abc"


def test_every_fault_has_a_name_of_its_own():
    assert len(faults.BY_NAME) == len(faults.FAULTS)


@pytest.mark.parametrize("args, status", [(("--list-faults",), 0), (("--plan", "--seed", "7"), 0), (("--only", "rain"), 2),
                                          (("--hosts", "0"), 2)])
def test_the_command_line(args, status):
    done = subprocess.run([RUN, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    assert bool(done.stdout) == (status == 0)


# --- who carries it out -------------------------------------------------------------------------------------------

class Scene:
    """A world in which nothing is real but the order of things."""

    def __init__(self):
        self.notes, self.struck = [], []

    def note(self, text):
        self.notes.append(text)


def a_fault(name, victims, needs=(), run=lambda *args: None):
    return faults.Fault(name, "", run, lambda world: victims, lambda victim: needs)


def carry_out(monkeypatch, kinds, *rows):
    monkeypatch.setattr("chaos.nemesis.BY_NAME", {row.name: row for row in rows})
    scene = Scene()
    nemesis = Nemesis(scene, [schedule.Planned(n, 0, kind, 0.5, 0) for n, kind in enumerate(kinds, 1)])
    return scene, nemesis


def test_a_fault_waits_for_its_victim(monkeypatch):
    victims = []
    scene, nemesis = carry_out(monkeypatch, ["x"], a_fault("x", victims))
    nemesis.step()
    assert not nemesis.is_over() and not nemesis.running
    victims.append("somebody")
    nemesis.step()
    nemesis.running[0][0].join()
    assert nemesis.is_over() and len(nemesis.done) == 1 and "somebody" in scene.notes[0]


def test_two_faults_that_need_the_same_come_one_after_the_other(monkeypatch):
    done = []
    rows = [a_fault(name, ["v"], ("same",), lambda world, victim, seconds, name=name: done.append(name)) for name in "xy"]
    _, nemesis = carry_out(monkeypatch, ["x", "y"], *rows)
    nemesis.running.append((types.SimpleNamespace(is_alive=lambda: True), {"same"}))
    nemesis.step()
    assert not done and len(nemesis.waiting) == 2


def test_a_defect_of_a_fault_ends_the_run(monkeypatch):
    """A harness that does not do what it says must not come to a verdict."""
    def broken(*_args):
        raise OSError("no such device")
    _, nemesis = carry_out(monkeypatch, ["x"], a_fault("x", ["v"], run=broken))
    nemesis.step()
    nemesis.running[0][0].join()
    with pytest.raises(OSError):
        nemesis.step()


# --- the story ----------------------------------------------------------------------------------------------------

def test_a_story_tells_all_of_a_job_in_order():
    """Rows and lines of that job, and of no other."""
    told = Story(good()).tell(job=1, item="DEMO-1").split("\n")
    times = [line[:12] for line in told if line[:1].isdigit()]
    assert times == sorted(times) and len(times) > 8
    assert any("reap" in line for line in told) and any("agent" in line and "epoch 3" in line for line in told)
    assert not any("job 2" in line for line in told)


def test_a_clock_that_was_wrong_is_put_right():
    """A line that a host has written while its calendar was wrong is told where it belongs."""
    world = types.SimpleNamespace(jumps=[("a", 3600, 1000.0, 1010.0)])
    said = datetime.datetime.fromtimestamp(4605, datetime.timezone.utc).isoformat()
    story = Story(good(), world)
    assert story._true_time("a", {"ts": said}) == 1005
    assert story._true_time("b", {"ts": said}) == 4605


def test_violations_can_be_written_down():
    """The file of --json takes what the checker has found."""
    facts = good()
    facts.left.append("/state/runs/1-3/tree")
    assert json.loads(json.dumps([vars(v) for v in checker.check(facts)]))[0]["job"] == 1
