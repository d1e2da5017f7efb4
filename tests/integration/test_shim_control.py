"""orch-shim and its peers: it outlives the one that started it, takes one at a time, and believes only its own words."""

import os
import random
import select
import signal
import stat
import subprocess
import sys

import pytest

from support.paths import source
from support.processes import is_alive
from support.shim import FOREVER, Ticks, connect, sh
from support.wait import wait_for

STARTER = """
import signal, sys
from support.shim import Shim, Ticks, ticker
shim = Shim(sys.argv[1], *ticker(sys.argv[2]), freeze_ms=60000)
print(shim.agent(), shim.process.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGSTOP])
def test_survives_its_starter(folder, no_leaks, signo):
    """J-8: kill -9 and SIGSTOP of whoever started it; a later peer finds it by its run folder."""
    ticks = Ticks(folder / "ticks")
    starter = subprocess.Popen([sys.executable, "-c", STARTER, folder / "run", ticks.path], stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(source("tests"))}, text=True)
    agent, shim = (int(word) for word in starter.stdout.readline().split())
    starter.send_signal(signo)
    if signo == signal.SIGKILL:
        starter.wait()
    ticks.wait_for_more()
    heir = connect(folder / "run")
    assert heir.hear("\n") == f"hello running {agent}\n"
    heir.renew()
    ticks.wait_for_more()
    heir.say("shutdown")
    assert heir.hear_the_end().endswith("ended\n")
    assert "stop_reason=shutdown\n" in (folder / "run/status").read_text()
    wait_for(lambda: not is_alive(shim) and not is_alive(agent))
    assert ticks.none_is_missing()
    starter.kill()
    starter.communicate()


def test_nobody_is_missed(start_shim, folder):
    """J-8: with every peer gone the agent runs to its own end."""
    go = folder / "go"
    shim = start_shim(*sh(f"until [ -e {go} ]; do sleep 0.01; done; exit 3"))  # lasts
    shim.agent()
    shim.hang_up()
    other = shim.connect()
    other.hear("hello running ")
    other.hang_up()
    go.touch()
    assert shim.end()["code"] == "3"


def test_the_starter_is_told_everything(start_shim):
    shim = start_shim(*sh("exit 0"))
    shim.end()
    agent = shim.agent()
    assert shim.hear_the_end() == f"hello running {agent}\nstarted {agent}\nended\n"


def test_what_is_said_of_a_start_failure(start_shim):
    shim = start_shim("no-such-command")
    shim.end()
    assert shim.hear_the_end() == "hello ended 0\nended\n"


def test_a_second_connection_replaces_the_first(start_shim):
    shim = start_shim(*FOREVER)
    agent = shim.agent()
    second = shim.connect()
    assert second.hear("\n") == f"hello running {agent}\n"
    assert shim.hear_the_end().endswith(f"started {agent}\n")
    third = shim.connect()
    third.hear("hello running ")
    second.hear_the_end()
    third.say("cancel")
    assert shim.end()["stop_reason"] == "cancelled"
    assert third.hear_the_end() == f"hello running {agent}\nended\n"


def test_a_peer_while_it_stops(start_shim):
    shim = start_shim(*sh("trap '' TERM; echo ready; while :; do sleep infinity; done"), grace_ms=60000)
    wait_for(lambda: b"ready" in shim.log())
    shim.say("cancel")
    wait_for(lambda: shim.connect().hear("\n").startswith("hello stopping "))
    last = shim.connect()
    last.say("kill")
    status = shim.end()
    assert (status["stop_reason"], status["signal"]) == ("cancelled", "9")


RUBBISH = {
    "empty": b"\n", "word": b"quack\n", "blank": b"cancel \n", "no-number": b"renew\n", "bad-number": b"renew x\n",
    "nul": b"\0\n", "nul-after": b"kill\0\n", "return": b"kill\r\n", "long": b"x" * 64,
    "endless": b"renew " + b"0" * 100000, "http": b"GET / HTTP/1.1\r\n\r\n",
    "random": random.Random(3).randbytes(4096) + b"\n",
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_garbage_closes_that_peer_only(start_shim, rubbish):
    """Also a line without an end. The agent runs on, and the next peer is welcome."""
    shim = start_shim(*FOREVER)
    agent = shim.agent()
    peer = shim.connect()
    peer.hear("hello running ")
    try:
        peer.socket.sendall(rubbish)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert peer.hear_the_end() == f"hello running {agent}\n"
    assert is_alive(agent) and not (shim.run_dir / "status").exists()
    other = shim.connect()
    other.hear("hello running ")
    other.say("shutdown")
    assert shim.end()["stop_reason"] == "shutdown"


def test_garbage_of_the_starter(start_shim):
    shim = start_shim(*FOREVER)
    agent = shim.agent()
    shim.say("S")
    assert shim.hear_the_end() == f"hello running {agent}\nstarted {agent}\n"
    other = shim.connect()
    other.say("shutdown")
    assert shim.end()["stop_reason"] == "shutdown"


def test_a_peer_that_never_stops_talking(start_shim):
    """It holds up neither the log nor the clocks."""
    shim = start_shim(*sh("while :; do echo line; done"), wall_ms=1000, log_max=4096)
    shim.agent()
    shim.socket.setblocking(False)
    words = rest = b"renew 1\n" * 8192
    while shim.process.poll() is None:
        try:
            rest = rest[shim.socket.send(rest):] or words
        except BlockingIOError:
            select.select([], [shim.socket], [], 0.1)
        except BrokenPipeError:
            break
    assert shim.end()["stop_reason"] == "wall"


def test_the_socket_is_for_its_owner_and_goes_with_the_run(start_shim):
    shim = start_shim(*FOREVER)
    shim.agent()
    mode = (shim.run_dir / "control").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    shim.say("shutdown")
    shim.end()
    assert sorted(p.name for p in shim.run_dir.iterdir()) == ["log", "status", "task.md"]


def test_last_words(start_shim):
    """Said by one that has hung up before it was heard."""
    shim = start_shim(*FOREVER)
    shim.agent()
    shim.process.send_signal(signal.SIGSTOP)
    other = shim.connect()
    other.say("kill")
    other.hang_up()
    shim.process.send_signal(signal.SIGCONT)
    assert shim.end()["stop_reason"] == "killed"


def test_a_deep_run_folder(start_shim):
    """Deeper than the 107 bytes that a socket's path may have."""
    shim = start_shim(*FOREVER, name="/".join(["some-folder-with-a-long-name"] * 8))
    agent = shim.agent()
    other = shim.connect()
    assert other.hear("\n") == f"hello running {agent}\n"
    other.say("shutdown")
    shim.end()


def test_a_socket_of_a_killed_shim_refuses(start_shim):
    shim = start_shim(*FOREVER)
    agent = shim.agent()
    shim.process.kill()
    shim.process.wait()
    wait_for(lambda: not is_alive(agent))
    with pytest.raises(ConnectionRefusedError):
        shim.connect()


@pytest.mark.parametrize("name", ["", "a/b", "/tmp/control", "x" * 200], ids=["empty", "path", "absolute", "long"])
def test_what_is_no_name_of_a_socket(start_shim, name):
    shim = start_shim(*sh("exit 0"), control=name)
    assert shim.process.wait(timeout=30) in (1, 2)
    assert not (shim.run_dir / "status").exists()


def test_the_agent_has_none_of_its_descriptors(start_shim):
    """It can connect, as all of its user can; it inherits nothing."""
    shim = start_shim(*sh("ls -l /proc/self/fd | grep -c socket"))
    shim.end()
    assert shim.log() == b"0\n"
