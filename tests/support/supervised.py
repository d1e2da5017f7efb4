"""A supervisor whose daemons are stand-ins (tests/integration/fake_daemon.c) that behave as the test says."""

import os
import pathlib
import signal
import socket
import subprocess
import threading

from .logs import LogReader
from .paths import program, program_env
from .processes import descendants, own_programs, send_signal, stop_all
from .suite import free_port
from .wait import DEFAULT_TIMEOUT, wait_for

DAEMONS = ("webhookd", "workerd", "reaperd", "reconcilerd")


class NotifySocket:
    """Stands for the service manager: receives what the supervisor says by sd_notify, as it comes: the kernel keeps
    only a few messages that nobody has read."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.messages = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        while message := self.socket.recv(4096):
            self.messages.append(message.decode())

    def receive(self, but=("STATUS=", "WATCHDOG=")):
        """All messages so far, without those that begin so."""
        return [m for m in list(self.messages) if not m.startswith(tuple(but))]

    def close(self):
        self.socket.shutdown(socket.SHUT_RD)  # wakes the reader
        self.reader.join()
        self.socket.close()


class Supervised:
    def __init__(self, folder, **options):
        self.folder = pathlib.Path(folder)
        self.bin, self.fakes, self.state = (self.folder / name for name in ("bin", "fakes", "state"))
        for path in (self.bin, self.fakes, self.state):
            path.mkdir(parents=True)
        for daemon in DAEMONS:
            self.install(daemon)
        self.config = self.folder / "orchestrator.conf"
        self.log = LogReader(self.folder / "log")
        self.env = program_env(FAKE_DAEMON_DIR=str(self.fakes))
        self.process, self.begun = None, 0
        self.options = {
            "state_dir": self.state,
            "bin_dir": self.bin,
            "log_level": "debug",
            "listen_public": f"127.0.0.1:{free_port()}",
            "listen_status": f"127.0.0.1:{free_port()}",
            "webhookd_count": 1,
            "workerd_count": 1,
            "drain_timeout": "10s",
            **options,
        }
        self.write_config()

    def install(self, daemon):
        (self.bin / f"orch-{daemon}").symlink_to(program("tests/integration/fake_daemon"))

    def behave(self, daemon, behaviour):
        """From its next start on; see fake_daemon.c for the words."""
        new = self.fakes / f"{daemon}.new"
        new.write_text(behaviour)
        new.rename(self.fakes / daemon)

    def release(self, daemon):
        (self.fakes / f"{daemon}.release").touch()

    def install_supervisor(self, script=None):
        """Puts the supervisor beside its daemons, as an upgrade wants it. A script instead stands for another
        program; in it, $REAL is the real one."""
        path = self.bin / "orch-supervisor"
        path.unlink(missing_ok=True)
        if script is None:
            path.symlink_to(program("orch-supervisor"))
        else:
            path.write_text(f"#!/bin/sh\nREAL={program('orch-supervisor')}\n{script}\n")
            path.chmod(0o755)

    def write_config(self, **changes):
        self.options.update(changes)
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in self.options.items()))

    # --- life -----------------------------------------------------------------------------------------------

    def start(self, wait=True, **popen):
        """Returns when it is ready, and each of its children is; at once without `wait`."""
        mark = self.log.mark()
        own = self.bin / "orch-supervisor"
        with open(self.log.path, "ab") as log:
            self.process = subprocess.Popen(
                [own if own.exists() else program("orch-supervisor"), "--config", self.config], env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **popen)
        self.begun = mark
        if wait:
            self.log.wait("supervisor.ready", since=mark)
            for child in self.children():
                self.log.wait("child.ready", since=mark, child=child)
        return self

    def children(self):
        """Names of all that the configuration asks for."""
        counts = {"webhookd": self.options["webhookd_count"], "workerd": self.options["workerd_count"], "reaperd": 1, "reconcilerd": 1}
        return [f"{daemon}.{number}" for daemon, count in counts.items() for number in range(1, int(count) + 1)]

    def send(self, signo):
        self.process.send_signal(signo)

    def wait_exit(self, timeout=DEFAULT_TIMEOUT):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the supervisor did not leave within {timeout} s\n{self.log.tail()}") from None
        self.process = None
        return code

    def stop(self):
        """The orderly end; twice SIGTERM, because a test may have left daemons that will not drain."""
        if self.process is None:
            return
        self.send(signal.SIGTERM)
        self.log.wait("supervisor.stopping", since=self.begun)
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        assert self.wait_exit() == 0, self.log.tail()

    def destroy(self):
        if self.process is not None:
            below = stop_all(lambda: [p.pid for p in descendants(self.process.pid)])
            self.process.kill()
            self.process.wait()
            for pid in below:
                send_signal(pid, signal.SIGKILL)

    def orchctl(self, *args):
        return subprocess.run([program("orchctl"), *args], env={**self.env, "ORCH_CONFIG": str(self.config)},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90)

    def told(self):
        """What supervisor.state says."""
        lines = (self.state / "supervisor.state").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    # --- looking --------------------------------------------------------------------------------------------

    def pids(self, daemon):
        """Living processes of a daemon, the oldest first."""
        below = descendants(self.process.pid) if self.process is not None else []
        return [p.pid for p in sorted(own_programs(below), key=lambda p: (p.start, p.pid)) if p.program == f"orch-{daemon}"]

    def all_pids(self):
        return {daemon: self.pids(daemon) for daemon in DAEMONS}

    def wait_for(self, fn, timeout=DEFAULT_TIMEOUT, what=""):
        return wait_for(fn, timeout, what, self.log.tail)

    def kill(self, daemon, signo=signal.SIGKILL):
        """Kills the oldest process of a daemon; returns the position in the log before that."""
        mark = self.log.mark()
        os.kill(self.pids(daemon)[0], signo)
        return mark

    def limit(self, what, soft):
        """Sets a soft limit of the running supervisor ("nproc", "nofile"), as the user it runs as; returns the old one."""
        owner = os.stat(f"/proc/{self.process.pid}")
        popen = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if owner.st_uid != os.getuid() else {}
        command = ["prlimit", "--pid", str(self.process.pid), f"--{what}"]
        old = subprocess.run([*command, "--noheadings", "--output=SOFT"], check=True, text=True, stdout=subprocess.PIPE,
                             **popen).stdout.strip()
        subprocess.run([*command[:-1], f"--{what}={soft}:"], check=True, **popen)
        return old
