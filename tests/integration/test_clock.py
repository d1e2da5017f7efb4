"""Somebody sets the wall clock of a host while agents work: back, forth, by hours and by years. Nothing that we time is
timed by it: beats, freezing, timeouts and restarts go by a clock that nobody sets (CLOCK_BOOTTIME), leases by the database."""

import struct
import time

import pytest

from support.paths import program
from support.pipeline import Pipeline
from support.processes import is_alive
from support.shim import FOREVER

HOUR, YEAR = 3600, 365 * 86400
JUMPS = (-HOUR, HOUR, -YEAR, YEAR, 0)


class Clock:
    """The wall clock of programs that are started with its environment (clock_shift.c)."""

    def __init__(self, path):
        self.path = path
        self.set(0)
        # The sanitizer wants to be the first; here it may be the second.
        asan = "abort_on_error=0:exitcode=99:detect_leaks=1:verify_asan_link_order=0"
        self.env = {"LD_PRELOAD": str(program("tests/integration/libclock_shift.so")), "ORCH_TEST_CLOCK": str(path),
                    "ASAN_OPTIONS": asan}

    def set(self, seconds):
        """From now on it is off by so many seconds."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture
def clock(folder):
    return Clock(folder / "clock")


@pytest.mark.parametrize("jump", [-YEAR, -HOUR, HOUR, YEAR])
def test_a_shim_times_nothing_by_it(start_shim, clock, jump):
    """J-3, J-8: neither comes a bound early, nor late, nor is the agent frozen."""
    begun = time.monotonic()
    shim = start_shim(*FOREVER, env=clock.env, wall_ms=2500, idle_ms=60000, freeze_ms=60000, frozen_kill_ms=60000)
    shim.agent()
    clock.set(jump)
    status = shim.end(timeout=50)
    assert time.monotonic() - begun >= 2.5
    assert status["stop_reason"] == "wall" and "frozen" not in shim.hear_the_end()
    shifted = (int(status["ended_ms"]) - int(status["started_ms"])) / 1000
    assert abs(shifted - jump) < 60, "the clock has jumped: it is what people see that says so"


def test_a_shim_freezes_in_time(start_shim, clock):
    """J-8: a clock that goes back postpones no freeze, and one that goes forth hastens no end of a frozen agent."""
    shim = start_shim(*FOREVER, env=clock.env, freeze_ms=1500, frozen_kill_ms=3600000)
    agent = shim.agent()
    clock.set(-YEAR)
    shim.hear("frozen")
    clock.set(YEAR)
    shim.renew()
    shim.hear("thawed")
    assert is_alive(agent)
    shim.say("kill")
    shim.end()


def test_a_suite_goes_on(make_suite, project, agents, gate, clock):
    """J-8, R-6, T-2: at each jump nobody is taken for dead, restarted, frozen or stopped, and the work goes on to its end."""
    gate.hold("analyst")
    suite = make_suite(workerd_count=2, beat_interval="300ms", freeze_after="6s", takeover_after="12s", agent_timeout="10m")
    suite.env.update(clock.env)
    suite.start()
    line = Pipeline(suite, project)
    item = line.item()
    agent = line.wait_running(item, "analyst")["pid"]
    pids = {name: suite.pids(name) for name in ("supervisor", "webhookd", "workerd", "reaperd", "reconcilerd")}
    for jump in JUMPS:
        clock.set(jump)
        beats = "select sum(beat_count) from orch.process where ended_at is null"
        before = line.db.value(beats)
        line.wait(lambda: line.db.value(beats) > before + 20, what=f"beats go on after a jump of {jump} s")
        assert suite.post_gitea({}).status == 202
    assert is_alive(agent) and {name: suite.pids(name) for name in pids} == pids
    for event in ("agent.frozen", "agent.thawed", "child.silent", "child.exited", "reap.process-gone", "job.fenced", "job.orphaned"):
        assert not suite.log.records(event), event
    assert len({record["ts"][:4] for record in suite.log.records()}) >= 3, "the log shows the clock as it was set"
    gate.open()
    line.wait_shown(item, "in_review")
    assert [run["outcome"] for run in line.runs(item)] == ["success"]
