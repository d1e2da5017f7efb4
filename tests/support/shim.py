"""One orch-shim, and the test in the place of workerd at the other end of its control socket."""

import os
import pathlib
import re
import select
import socket
import subprocess
import time

from .paths import program, program_env
from .processes import descendants
from .wait import wait_for

# What an agent of these tests finds in its environment, beside what a test adds.
AGENT_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
FOREVER = "/bin/sleep", "infinity"


def boottime_ms():
    """The clock of renewals."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000000


class Peer:
    """One end of the talk with a shim (shim/control.h)."""

    def __init__(self, sock):
        self.socket = sock
        self.said = ""

    def _receive(self, deadline, what):
        ready, _, _ = select.select([self.socket], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"not heard in time: {what}; heard {self.said!r}"
        try:
            data = self.socket.recv(4096)
        except ConnectionResetError:  # hung up on with something unread
            data = b""
        self.said += data.decode()
        return bool(data)

    def hear(self, text, timeout=30):
        """Waits until the shim has said `text`; returns all it has said."""
        deadline = time.monotonic() + timeout
        while text not in self.said:
            more = self._receive(deadline, repr(text))
            assert more or text in self.said, f"hung up before {text!r}; heard {self.said!r}"
        return self.said

    def heard(self, text):
        """Whether it has said so by now."""
        while text not in self.said and select.select([self.socket], [], [], 0)[0] and self._receive(time.monotonic(), repr(text)):
            pass
        return text in self.said

    def hear_the_end(self, timeout=30):
        """Waits until the shim has hung up; returns all it has said."""
        deadline = time.monotonic() + timeout
        while self._receive(deadline, "the end"):
            pass
        return self.said

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def renew(self, age_ms=0):
        self.say(f"renew {boottime_ms() - age_ms}")

    def hang_up(self):
        self.socket.close()


def connect(run_dir):
    """As a later workerd does: by the socket in the run folder, however deep that is."""
    sock = socket.socket(socket.AF_UNIX)
    place = os.open(pathlib.Path(run_dir) / "control", os.O_PATH | os.O_NOFOLLOW)
    try:
        sock.connect(f"/proc/self/fd/{place}")
    finally:
        os.close(place)
    return Peer(sock)


class Shim(Peer):
    """One shim with its run folder; the test is the peer that it was started with.

    `started_with_peer` False: its descriptor 3 is closed. `cgroup`: folder of the cgroup to start it in.
    """

    def __init__(self, folder, *command, lock="lock", env=None, started_with_peer=True, stdin="the task\n", binary=None,
                 cgroup=None, **options):
        self.run_dir = pathlib.Path(folder)
        self.run_dir.mkdir(exist_ok=True, parents=True)
        (self.run_dir / "task.md").write_text(stdin)
        self.lock = self.run_dir.parent / lock
        given = {"run-dir": self.run_dir, "lock": self.lock, "stdin": self.run_dir / "task.md", "cwd": self.run_dir,
                 "grace-ms": 5000, "control": "control", **{k.replace("_", "-"): v for k, v in options.items()}}
        if given.get("freeze-ms"):
            given.setdefault("renewed-ms", boottime_ms() + 3600000)  # more than now is now: as of its start
        args = [str(binary or program("orch-shim"))]
        for key, value in given.items():
            args += [f"--{key}", str(value)]
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        # Descriptor 3 by way of the shell, whose own descriptors end with it.
        env = {**AGENT_ENV, **({k: v for k, v in program_env().items() if "SAN" in k}), **(env or {})}
        setup = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-" if started_with_peer else "exec 3<&-"
        if cgroup:
            setup += f"; echo $$ >{cgroup}/cgroup.procs || exit"
        self.process = subprocess.Popen(["/bin/bash", "-c", f'{setup}; exec "$@"', "bash", *args, "--", *command],
                                        env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        theirs.close()

    def agent(self):
        """Pid of the agent."""
        return int(re.search(r"started (\d+)\n", self.hear("started ")).group(1))

    def connect(self):
        """One more peer, once the shim listens."""
        wait_for((self.run_dir / "control").exists)
        return connect(self.run_dir)

    def wait(self, timeout=60):
        """The exit code, when it is the expected one; the message goes into the failure."""
        _, err = self.process.communicate(timeout=timeout)
        assert self.process.returncode in (0, 75), f"exit {self.process.returncode}: {err}"
        return self.process.returncode

    def end(self, timeout=60):
        """Waits for a good end; the status as a dict."""
        assert self.wait(timeout) == 0
        return self.status()

    def status(self):
        lines = (self.run_dir / "status").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def log(self):
        try:
            return (self.run_dir / "log").read_bytes()
        except FileNotFoundError:
            return b""  # not started yet

    def alive(self):
        """Everything below the shim."""
        return descendants(self.process.pid)


def sh(script):
    return "/bin/sh", "-c", script


DAEMON = """
import os, sys, time, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {prelude}
        open({mark!r} + ".new", "w").write(str(os.getpid()))
        os.rename({mark!r} + ".new", {mark!r})
        signal.sigwait([signal.SIGUSR1])
    os._exit(0)
os.wait()
{rest}
"""
STAY = "signal.sigwait([signal.SIGUSR1])"
UNTIL_MARK = "while not os.path.exists({mark!r}): time.sleep(0.01)"  # lasts


def daemon(mark, prelude="pass", rest=""):
    """An agent that leaves a daemon behind: a double fork in a session of its own."""
    return "/usr/bin/python3", "-c", DAEMON.format(mark=str(mark), prelude=prelude, rest=rest.format(mark=str(mark)))


def ticker(path, escaped=False):
    """An agent that appends a number to a file every few milliseconds, as long as it is let. Escaped: its daemon does,
    after a double fork, in a session of its own."""
    tick = (f"with open({str(path)!r}, 'w', 1) as f:\n"
            "    n = 0\n"
            "    while True:\n"
            "        n += 1\n"
            "        print(n, file=f)\n"
            "        time.sleep(0.005)  # lasts\n")
    detach = ("import os, signal, time\n"
              "if os.fork() > 0: signal.pause()\n"
              "os.setsid()\n"
              "if os.fork() > 0: os._exit(0)\n")
    return "/usr/bin/python3", "-c", ("import time\n" if not escaped else detach) + tick


class Ticks:
    """What a ticker has written."""

    def __init__(self, path):
        self.path = path

    def numbers(self):
        try:
            return [int(line) for line in self.path.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def wait_for_more(self, renewed=None):
        """`renewed`: the shim to be renewed meanwhile. Once is not enough: it may freeze again before anybody looks."""
        seen = len(self.numbers())
        wait_for(lambda: renewed and renewed.renew() or len(self.numbers()) > seen)

    def none_is_missing(self):
        numbers = self.numbers()
        return numbers == list(range(1, len(numbers) + 1))
