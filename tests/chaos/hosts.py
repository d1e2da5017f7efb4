"""One host of a chaos run: a network namespace in which a suite runs, with a small disk of its own, a clock that can be
set wrong, and a limit of processes."""

import os
import pathlib
import signal
import subprocess

from support.operatord import TOKENS, PathPort, token_line
from support.paths import program
from support.processes import Process, descendants
from support.suite import Suite

DAEMONS = ("webhookd", "operatord", "workerd", "reaperd", "reconcilerd")
AGENT = "chaos_agent"
PROGRAMS = ("supervisor", *DAEMONS, "shim", "agent")
DISK = "96m"

# The order of the defaults (options_check.c), a fraction as long.
LIVENESS = {"beat_interval": "300ms", "freeze_after": "2s", "takeover_after": "4s", "reaper_interval": "300ms",
            "frozen_kill_after": "6s"}
FREEZE_S, TAKEOVER_S = 2, 4
OPTIONS = {"webhookd_count": 2, "workerd_count": 2, "worker_slots": 3, "reconcile_interval": "1s", "agent_timeout": "20s",
           "agent_kill_grace_seconds": 1, "drain_timeout": "5s", "upgrade_timeout": "15s", "git_timeout": "10s",
           "log_level": "info"}

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
PIDS_CGROUPS = (pathlib.Path("/sys/fs/cgroup/pids"), pathlib.Path("/sys/fs/cgroup"))


def pids_cgroup():
    """The hierarchy of control groups that limits numbers of processes, old or new; None: there is none for us."""
    for root in PIDS_CGROUPS:
        controllers = root / "cgroup.subtree_control"
        if root.name == "pids" and (root / "cgroup.procs").exists() \
           or controllers.exists() and "pids" in controllers.read_text().split():
            return root if os.access(root, os.W_OK) else None
    return None


class ChaosHost:
    def __init__(self, world, name, agent_command):
        self.world, self.name = world, name
        self.net = world.network.host(name)
        self.folder = world.folder / name
        self.state = self.folder / "state"
        self.clock = self.folder / "clock"
        self.cgroup, self.supervisors = None, []  # all that have run
        self.state.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "orch-chaos", self.state], check=True)
        self.operator = PathPort(self.folder / "operator", timeout=5)
        self.suite = Suite(world.pair.database, self.folder, host=self.net, agent_command=agent_command, listen_operator=self.operator.path,
                           operator_tokens_file=self._tokens(), **{**OPTIONS, **LIVENESS})
        self.may_run = True  # init keeps the supervisor running
        self._make_cgroup()
        self._make_clock()

    def __repr__(self):
        return f"host {self.name}"

    def _tokens(self):
        path = self.folder / "tokens"
        path.touch(0o600)
        path.write_text(token_line("alice", *TOKENS["alice"]) + "\n")
        return path

    # --- what can be turned -----------------------------------------------------------------------------------

    def _make_cgroup(self):
        root = pids_cgroup()
        if root is not None:
            self.cgroup = root / f"orch-chaos-{os.getpid()}-{self.name}"
            self.cgroup.mkdir()

    def limit_processes(self, limited):
        """No more than there are now, or as many as one likes."""
        current = (self.cgroup / "pids.current").read_text() if limited else "max"
        (self.cgroup / "pids.max").write_text(current)

    def _make_clock(self):
        """Calendar time only: no program of ours waits by it, and intervals must be right whatever it says."""
        self.set_clock(0)
        # the search for leaks forks, which a host may not be able to; libfaketime comes before the sanitizer
        options = self.suite.env["ASAN_OPTIONS"] + ":detect_leaks=0:verify_asan_link_order=0"
        self.suite.env.update(LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(self.clock),
                              FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_CACHE_DURATION="1", ASAN_OPTIONS=options)

    def set_clock(self, offset_s):
        new = self.folder / "clock.new"
        new.write_text(f"{offset_s:+d}\n")
        new.rename(self.clock)

    def fill_disk(self):
        path = self.state / "full"
        with open(path, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                return path

    # --- life -------------------------------------------------------------------------------------------------

    def start(self):
        self.may_run = True
        self.suite.start(wait=False)
        self.supervisors.append(self.suite.process.pid)
        if self.cgroup:
            for pid in [self.suite.process.pid, *(p.pid for p in descendants(self.suite.process.pid))]:
                put(self.cgroup, pid)

    def tend(self):
        """What an init does: a supervisor that has ended is started again. Says how it ended, if it did."""
        process = self.suite.process
        if process is None or process.poll() is None or not self.may_run:
            return None
        self.suite.process = None
        self.start()
        return process.returncode

    def kill_supervisor(self):
        self.may_run = False
        if self.suite.process is not None:
            self.suite.kill()

    def power_off(self):
        """All of it dies at once, and the network says nothing."""
        self.may_run = False
        self.net.kill()
        if self.suite.process is not None:
            self.suite.process.wait()
            self.suite.process = None

    def drain(self, timeout):
        """SIGTERM, as an init would; True: it has left in time, and said 0."""
        self.may_run = False
        process, self.suite.process = self.suite.process, None
        if process is None:
            return True
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False

    def remove(self):
        self.power_off()
        forget_clocks(self.supervisors)
        subprocess.run(["umount", "--lazy", self.state], check=False)
        if self.cgroup:
            self.cgroup.rmdir()

    # --- processes --------------------------------------------------------------------------------------------

    def processes(self, name):
        """Those of one program, the oldest first: children of a supervisor that was killed, too."""
        wanted = AGENT if name == "agent" else f"orch-{name}"
        found = [p for p in map(Process, self.net.pids()) if p.alive and p.program == wanted]
        return sorted(found, key=lambda p: (p.start, p.pid))


def forget_clocks(pids):
    """What libfaketime shares below each of these processes is removed by them, unless they were killed; a later process of the
    same number would stumble over it."""
    for pid in pids:
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            pathlib.Path("/dev/shm", name).unlink(missing_ok=True)


def put(cgroup, pid):
    try:
        (cgroup / "cgroup.procs").write_text(str(pid))
    except ProcessLookupError:
        pass  # it has ended; there is nothing to limit


def agent_path():
    return program(f"tests/chaos/{AGENT}")
