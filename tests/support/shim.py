"""One orch-shim, and the test in the place of workerd at the other end of its control socket."""

import pathlib
import re
import select
import socket
import subprocess
import time

from .paths import program, program_env
from .processes import descendants

# What an agent of these tests finds in its environment, beside what a test adds.
AGENT_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
FOREVER = "/bin/sleep", "infinity"


class Shim:
    """One shim with its run folder."""

    def __init__(self, folder, *command, lock="lock", env=None, control=True, stdin="the task\n", binary=None, **options):
        self.run_dir = pathlib.Path(folder)
        self.run_dir.mkdir(exist_ok=True)
        (self.run_dir / "task.md").write_text(stdin)
        self.lock = self.run_dir.parent / lock
        given = {"run-dir": self.run_dir, "lock": self.lock, "stdin": self.run_dir / "task.md", "cwd": self.run_dir,
                 "grace-ms": 5000, **{k.replace("_", "-"): v for k, v in options.items()}}
        args = [str(binary or program("orch-shim"))]
        for key, value in given.items():
            args += [f"--{key}", str(value)]
        ours, theirs = socket.socketpair()
        self.control = ours
        # Descriptor 3 by way of the shell, whose own descriptors end with it.
        env = {**AGENT_ENV, **(env or {}), **({k: v for k, v in program_env().items() if "SAN" in k})}
        redirect = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-" if control else "exec 3<&-"
        self.process = subprocess.Popen(["/bin/bash", "-c", f'{redirect}; exec "$@"', "bash", *args, "--", *command],
                                        env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        theirs.close()
        self.said = ""

    def hear(self, text, timeout=30):
        """Waits until the shim has said `text`; returns all it has said."""
        deadline = time.monotonic() + timeout
        while text not in self.said:
            ready, _, _ = select.select([self.control], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"not heard within {timeout} s: {text!r}; heard {self.said!r}"
            data = self.control.recv(4096)
            assert data, f"control socket closed before {text!r}; heard {self.said!r}; {self.process.communicate()}"
            self.said += data.decode()
        return self.said

    def agent(self):
        """Pid of the agent."""
        return int(re.search(r"started (\d+)\n", self.hear("started ")).group(1))

    def say(self, byte):
        self.control.send(byte)

    def hang_up(self):
        self.control.close()

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
        open({mark!r}, "w").write(str(os.getpid()))
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
