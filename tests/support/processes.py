"""Processes and file locks as the kernel sees them, and the check that a test leaves none behind.

The test process makes itself the parent of orphans (PR_SET_CHILD_SUBREAPER), so that everything a test has started,
daemons and escaped grandchildren too, stays below it. The private PostgreSQL is known by its data folder.
"""

import ctypes
import os
import pathlib
import signal

from .wait import wait_for

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Process:
    """One look at one process. Gone in the meantime: fields are empty."""

    def __init__(self, pid):
        self.pid = pid
        self.ppid, self.state = 0, ""
        self.args = []
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat[stat.rindex(")") + 2:].split()
            self.state, self.ppid, self.start = fields[0], int(fields[1]), int(fields[19])
            raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            self.args = [a.decode(errors="replace") for a in raw.rstrip(b"\0").split(b"\0")]
        except (FileNotFoundError, ProcessLookupError):
            pass

    @property
    def alive(self):
        return self.state not in ("", "Z", "X")

    @property
    def program(self):
        return os.path.basename(self.args[0]) if self.args else ""

    @property
    def cwd(self):
        try:
            return os.readlink(f"/proc/{self.pid}/cwd")
        except OSError:
            return ""

    def __repr__(self):
        return f"{self.pid} ({self.state or 'gone'}, parent {self.ppid}) {' '.join(self.args)[:200]}"


def all_processes():
    found = (Process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [p for p in found if p.state]


def descendants(pid):
    """Living processes below pid, nearest first."""
    by_parent = {}
    for process in all_processes():
        by_parent.setdefault(process.ppid, []).append(process)
    result, queue = [], [pid]
    while queue:
        for child in by_parent.get(queue.pop(0), []):
            queue.append(child.pid)
            if child.alive:
                result.append(child)
    return result


def is_alive(pid):
    return Process(pid).alive


def reap_orphans():
    """Collects ended children that came to us as orphans. Only between tests: then no Popen waits for one."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def locks_below(folder):
    """Lines of /proc/locks about files in a folder, as (path, line)."""
    files = {}
    for path in pathlib.Path(folder).rglob("*"):
        try:
            stat = path.stat()
        except OSError:
            continue
        device = f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"
        files[device] = path
    lines = pathlib.Path("/proc/locks").read_text().splitlines()
    return [(files[line.split()[5]], line) for line in lines if "->" not in line and line.split()[5] in files]


class LeakCheck:
    """What was there before a test; after it nothing more may be, but for what stands in one of `lasting_folders`
    (looked at when the test is over)."""

    def __init__(self, lasting_folders=()):
        self.lasting_folders = lasting_folders
        self.before = {(p.pid, p.start) for p in descendants(os.getpid())}

    def leaked(self):
        return [p for p in descendants(os.getpid())
                if (p.pid, p.start) not in self.before and not p.cwd.startswith(tuple(self.lasting_folders))]

    def finish(self, folders=(), grace=5.0):
        """Processes get a short while to leave; those that do not are killed, and named in the failure."""
        problems = []
        try:
            wait_for(lambda: not self.leaked(), grace)
        except AssertionError:
            for process in self.leaked():
                problems.append(f"process left: {process}")
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        for folder in folders:
            problems += [f"lock left: {path}: {line}" for path, line in locks_below(folder)]
        reap_orphans()
        assert not problems, "the test left something behind:\n" + "\n".join(problems)
