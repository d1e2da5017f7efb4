"""orch-shim's dead man's switch: an agent that nobody has renewed is frozen, whole, and goes on where it was.

By signals, and by the freezer of a delegated cgroup where this machine has one to delegate.
"""

import contextlib
import os
import pathlib
import signal
import time

import pytest

from support.processes import all_processes, descendants, is_alive
from support.shim import Ticks, boottime_ms, sh, ticker
from support.wait import stays, wait_for

FREEZE_MS = 1600  # for longer than a machine under load lets anybody stand still
BEAT = 0.1


def own_cgroup():
    """Folder of the cgroup v2 that this process is in, or None."""
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if pathlib.Path(place, "cgroup.procs").exists():
            lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
            path = next(line[3:] for line in lines if line.startswith("0::"))
            return pathlib.Path(place + path)
    return None


@pytest.fixture
def cgroup(no_leaks):
    """A cgroup that is marked as delegated, as systemd does it."""
    parent = own_cgroup()
    if parent is None or os.geteuid() != 0 or not os.access(parent, os.W_OK):
        pytest.skip("needs root and a writable cgroup v2")
    folder = parent / f"orch-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made in {parent}: {error}")
    os.setxattr(folder, "user.delegate", b"1")
    yield folder
    wait_for(lambda: not (folder / "cgroup.procs").read_text())
    left = [p.name for p in folder.iterdir() if p.is_dir()]
    for name in left:
        (folder / name).rmdir()
    folder.rmdir()
    assert not left, "a cgroup of a run was left"


@pytest.fixture(params=["signals", "cgroup"])
def way(request):
    """Options that make the shim freeze in this way."""
    if request.param == "signals":
        return {}
    return {"cgroup": request.getfixturevalue("cgroup")}


@pytest.fixture
def ticks(folder):
    return Ticks(folder / "ticks")


def frozen_cgroup(way):
    """What the cgroup of the run says of itself."""
    (run,) = [p for p in way["cgroup"].iterdir() if p.is_dir()]
    return "frozen 1" in (run / "cgroup.events").read_text()


def assert_frozen(shim, ticks, way):
    """By what the kernel says of every process below the shim, and by what the agent does."""
    if way:
        wait_for(lambda: frozen_cgroup(way))
    else:
        wait_for(lambda: all(p.state == "T" for p in descendants(shim.process.pid)))
    seen = len(ticks.numbers())
    stays(lambda: len(ticks.numbers()) == seen, 0.2)


def renew_for(shim, seconds):
    """As a workerd whose beats are confirmed."""
    def renew():
        shim.renew()
        return True
    stays(renew, seconds, poll=BEAT)


def renewed_until(shim, fn):
    """It is renewed until fn() is true."""
    return wait_for(lambda: shim.renew() or fn())


def renewed_to_its_end(shim):
    """It is renewed as long as it hears."""
    def ended():
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            shim.renew()
        return shim.process.poll() is not None
    wait_for(ended, 60, "the shim has ended")
    return shim.end()


def test_freezes_and_goes_on(start_shim, ticks, way):
    """T-5, J-8: freezes when it was not renewed for so long, not sooner; goes on where it was; and again."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS, **way)
    shim.agent()
    renewed_until(shim, ticks.numbers)
    for _ in range(2):
        shim.heard("\0")  # which it never says, so all is read: it may have frozen once more before anybody looked
        shim.said = ""
        renew_for(shim, FREEZE_MS / 1000 * 1.5)
        assert not shim.heard("frozen\n"), "although it was renewed in time"
        shim.renew()
        began, shim.said = time.monotonic(), ""
        shim.hear("frozen\n")
        assert time.monotonic() - began > FREEZE_MS / 1000 - 0.05
        assert_frozen(shim, ticks, way)
        shim.renew()
        shim.hear("thawed\n")
        ticks.wait_for_more(renewed=shim)
    shim.say("shutdown")
    assert shim.end()["stop_reason"] == "shutdown"
    assert ticks.none_is_missing()


def test_only_a_fresh_renewal_thaws(start_shim, ticks, way):
    """Neither one that was sent long ago, nor one of the future, nor one that was overtaken."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS, **way)
    renewed_until(shim, ticks.numbers)
    shim.hear("frozen\n")
    for age_ms in (FREEZE_MS, FREEZE_MS + 1000, -60000):
        shim.renew(age_ms)
    assert_frozen(shim, ticks, way)
    assert "thawed" not in shim.said
    wait_for(lambda: shim.renew(FREEZE_MS // 2) or shim.heard("thawed\n"), what="it is thawed")
    shim.say("kill")
    shim.end()


def test_a_beat_that_was_old_at_the_start(start_shim, ticks, way):
    """The age counts from the beat, not from the start of the shim."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=60000, renewed_ms=boottime_ms() - 55000, **way)
    shim.hear("frozen\n")
    shim.renew()
    shim.hear("thawed\n")
    ticks.wait_for_more()
    shim.say("kill")
    shim.end()


@pytest.mark.parametrize("word", [None, "renew 1", "cancel"])
def test_a_beat_that_was_too_old_at_the_start(start_shim, ticks, word):
    """J-1, T-5: an agent whose claim may be somebody else's by now does not act, not for a moment: nothing is begun."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=60000, renewed_ms=boottime_ms() - 60001)
    if word:
        with contextlib.suppress(BrokenPipeError):  # it has looked at its clock already
            shim.say(word)
    assert shim.hear_the_end() == ""
    assert shim.process.wait(30) == 75 and "it is not begun" in shim.process.stderr.read()
    assert ticks.numbers() == [] and not (shim.run_dir / "status").exists() and shim.lock.read_text() == ""


def test_a_beat_that_came_while_it_waited(start_shim, ticks):
    """What its worker has said while it waited for the lock counts: the renewals, and a wish to stop."""
    first = start_shim(*ticker(ticks.path))
    ticks.wait_for_more()
    second = start_shim(*ticker(ticks.path.with_name("second")), name="second", freeze_ms=3000, renewed_ms=boottime_ms(), lock_wait_ms=60000)
    renew_for(second, 3.3)
    second.say("cancel")
    first.say("kill")
    assert renewed_to_its_end(second)["stop_reason"] == "cancelled"
    first.end()


def test_without_a_first_beat(start_shim):
    """T-5: whoever wants the switch says when the claim was confirmed; there is no default."""
    shim = start_shim("/bin/true", freeze_ms=1000, renewed_ms=0)
    assert shim.process.wait(30) == 2 and "missing: --renewed-ms" in shim.process.stderr.read()


@pytest.mark.parametrize("option", [{}, {"freeze_ms": 0}])
def test_without_the_switch(start_shim, ticks, option):
    shim = start_shim(*ticker(ticks.path), **option)
    ticks.wait_for_more()
    shim.hang_up()
    stays(lambda: not any(p.state == "T" for p in shim.alive()), 0.3)
    shim.connect().say("kill")
    shim.end()


def test_a_daemon_that_escaped_is_frozen_too(start_shim, ticks, way):
    """Double-forked, in a session of its own."""
    shim = start_shim(*ticker(ticks.path, escaped=True), freeze_ms=FREEZE_MS, **way)
    renewed_until(shim, ticks.numbers)
    shim.hear("frozen\n")
    assert_frozen(shim, ticks, way)
    shim.renew()
    ticks.wait_for_more(renewed=shim)
    shim.say("shutdown")
    shim.end()
    assert ticks.none_is_missing()


def test_deep_descendants_are_frozen_and_go_on(start_shim, folder, ticks, way):
    """A chain of living parents, each in a session of its own: none of them is a child of the shim."""
    script = folder / "chain.sh"
    script.write_text("#!/bin/bash\nif [ $1 -gt 0 ]; then setsid $0 $(($1 - 1)) & wait; fi\n"
                      f"n=0; while :; do n=$((n + 1)); echo $n; sleep 0.01; done >{ticks.path}\n")  # lasts
    script.chmod(0o755)
    shim = start_shim(str(script), "6", freeze_ms=FREEZE_MS, **way)
    renewed_until(shim, ticks.numbers)
    shim.hear("frozen\n")
    assert_frozen(shim, ticks, way)
    shim.renew()
    shim.hear("thawed\n")
    ticks.wait_for_more(renewed=shim)
    shim.say("kill")
    shim.end()
    assert ticks.none_is_missing()


ORPHANS = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() > 0: signal.pause()
if os.fork() > 0:
    open({parent!r}, "w").write(str(os.getpid()))
    signal.pause()
os.setpgid(0, 0)
{ticker}"""


def test_something_continues_it_from_outside(start_shim, folder, ticks):
    """SIGCONT from elsewhere, and the one that the kernel sends to a stopped group that loses its last parent."""
    script = ORPHANS.format(parent=str(folder / "parent"), ticker=ticker(ticks.path)[2])
    shim = start_shim("/usr/bin/python3", "-c", script, freeze_ms=FREEZE_MS)
    renewed_until(shim, lambda: ticks.numbers() and (folder / "parent").exists() and (folder / "parent").read_text())
    shim.hear("frozen\n")
    for process in shim.alive():
        os.kill(process.pid, signal.SIGCONT)
    assert_frozen(shim, ticks, {})
    parent = int((folder / "parent").read_text())
    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: not is_alive(parent))
    assert_frozen(shim, ticks, {})
    os.kill(shim.agent(), signal.SIGKILL)
    status = shim.end()
    assert (status["outcome"], status["signal"]) == ("signaled", "9")
    assert ticks.none_is_missing()


def test_kill_while_frozen(start_shim, ticks, way):
    """T-5: the claim has moved on."""
    shim = start_shim(*ticker(ticks.path, escaped=True), freeze_ms=FREEZE_MS, grace_ms=60000, **way)
    renewed_until(shim, ticks.numbers)
    shim.hear("frozen\n")
    assert_frozen(shim, ticks, way)
    seen, left = len(ticks.numbers()), shim.alive()
    shim.say("kill")
    status = shim.end(timeout=50)
    assert (status["outcome"], status["stop_reason"], status["signal"]) == ("stopped", "killed", "9")
    assert len(ticks.numbers()) == seen and not any(is_alive(p.pid) for p in left)


@pytest.mark.parametrize("command, reason", [("cancel", "cancelled"), ("shutdown", "shutdown")])
def test_stop_while_frozen(start_shim, way, command, reason):
    """J-3: the cascade, with its grace: SIGTERM can be answered."""
    shim = start_shim(*sh("trap 'echo cleaning; exit 7' TERM; echo ready; sleep infinity & wait"),
                      freeze_ms=FREEZE_MS, **way)
    renewed_until(shim, lambda: b"ready" in shim.log())
    shim.hear("frozen\n")
    shim.say(command)
    status = shim.end()
    assert (status["outcome"], status["code"], status["stop_reason"]) == ("stopped", "7", reason)
    assert b"cleaning" in shim.log()


def test_frozen_for_too_long(start_shim, ticks, way):
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS, frozen_kill_ms=700, **way)
    renewed_until(shim, ticks.numbers)
    shim.hear("frozen\n")
    status = shim.end()
    assert (status["outcome"], status["stop_reason"], status["signal"]) == ("stopped", "abandoned", "9")


def test_clocks_stand_still_while_frozen(start_shim, ticks):
    """J-3: the wall, the start and the idle clock: frozen for longer than each of them, it goes on to its own end."""
    script = ("import time\n"
              "def work(n):\n"
              "    for _ in range(n): time.sleep(0.005)\n"  # lasts; a single sleep would go on while it is frozen
              "work(60); print(1, flush=True); work(240); print(2)")
    shim = start_shim("/usr/bin/python3", "-c", script, freeze_ms=600, start_ms=2500, idle_ms=2500, wall_ms=5000)
    shim.agent()
    for _ in range(2):
        shim.said = ""
        shim.hear("frozen\n")
        stays(lambda: True, 2.6)
        shim.renew()
    assert renewed_to_its_end(shim)["outcome"] == "exited"


def test_wall_clock_goes_on_after_a_freeze(start_shim, ticks):
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS, wall_ms=FREEZE_MS * 2)
    shim.hear("frozen\n")
    status = renewed_to_its_end(shim)
    assert (status["outcome"], status["stop_reason"]) == ("timeout", "wall")


def test_a_later_peer_hears_that_it_is_frozen(start_shim, ticks, way):
    """J-8: adopted while frozen, it goes on."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS, **way)
    agent = shim.agent()
    renewed_until(shim, ticks.numbers)
    shim.hang_up()
    wait_for(lambda: shim.connect().hear("\n") == f"hello frozen {agent}\n")
    heir = shim.connect()
    heir.renew()
    assert heir.hear("thawed\n") == f"hello frozen {agent}\nthawed\n"
    ticks.wait_for_more(renewed=heir)
    heir.say("shutdown")
    shim.end()
    assert ticks.none_is_missing()


def test_a_shim_that_was_stopped_itself(start_shim, ticks):
    """When it goes on, what was renewed in time counts, and what was not freezes its agent at once."""
    shim = start_shim(*ticker(ticks.path), freeze_ms=FREEZE_MS)
    renewed_until(shim, ticks.numbers)
    shim.process.send_signal(signal.SIGSTOP)
    stays(lambda: True, FREEZE_MS / 1000 * 1.5)
    shim.renew()
    shim.process.send_signal(signal.SIGCONT)
    wait_for(lambda: shim.renew() or len(ticks.numbers()) > 200)
    assert "frozen" not in shim.said
    shim.hear("frozen\n")
    shim.say("kill")
    shim.end()


def test_kill_9_of_the_shim_while_frozen(start_shim, folder, ticks, way):
    """The next shim of the job clears what is left, stopped as it is."""
    marked = {"ORCH_TASK_FILE": f"{folder}/run-1/task.md"}
    first = start_shim(*ticker(ticks.path, escaped=True), name="run-1", env=marked, freeze_ms=FREEZE_MS, **way)
    renewed_until(first, ticks.numbers)
    first.hear("frozen\n")
    assert_frozen(first, ticks, way)
    left = [p.pid for p in first.alive()]
    first.process.kill()
    first.process.wait()
    second = start_shim(*sh("exit 3"), name="run-2", **way)
    assert second.end()["code"] == "3"
    assert not [pid for pid in left if is_alive(pid)]
    assert not [p for p in all_processes() if str(ticks.path) in " ".join(p.args)]
