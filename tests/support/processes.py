"""Processes and file locks as the kernel sees them, and the check that a test leaves none behind.

The test process makes itself the parent of orphans (PR_SET_CHILD_SUBREAPER), so that everything a test has started,
daemons and escaped grandchildren too, stays below it. The private PostgreSQL is known by its data folder.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import signal

from .wait import DEFAULT_TIMEOUT, wait_for

PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0


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


def own_programs(processes):
    """Without those between fork and exec, which still have the name of the program that has forked them."""
    by_pid = {p.pid: p for p in processes}
    return [p for p in processes if p.ppid not in by_pid or by_pid[p.ppid].program != p.program]


def send_signal(pid, signo):
    """To a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signo)


def stands(process):
    """Stopped, or waiting in vfork() for a child that is; what has ended does not move either."""
    return process.state in ("T", "t") or not process.alive or \
        process.state == "D" and any(child.ppid == process.pid and child.state == "T" for child in all_processes())


def stop_all(listed):
    """SIGSTOP of all whose numbers listed() says, until none of them moves and a later look finds no other; returns those that
    stand. A signal takes a while to arrive, and who still moves may fork."""
    stood = []

    def all_stand():
        known, found = set(stood), [Process(pid) for pid in listed()]
        moving = {process.pid for process in found if not stands(process)}
        for pid in moving:
            send_signal(pid, signal.SIGSTOP)
        stood[:] = [process.pid for process in found if process.alive and process.pid not in moving]
        return not moving and known.issuperset(stood)

    wait_for(all_stand, what="all stand still")
    return stood


# What PostgreSQL and libfaketime would take away themselves if they were not killed: files, and segments of System V.
SHARED = re.compile(r" (\d+) +(/dev/shm/(?:PostgreSQL\.|faketime_shm_|sem\.faketime_sem_)\S+|/SYSV[0-9a-f]{8} \(deleted\))$", re.MULTILINE)


def shared_memory(pids):
    """What these processes have mapped of it, for forget_shared_memory()."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.update(SHARED.findall(pathlib.Path(f"/proc/{pid}/maps").read_text()))
    return found


def forget_shared_memory(found):
    """Removes it once nobody can use it any more; a segment only if it is still that one, and nobody is attached."""
    lines = (line.split() for line in pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:])
    unused = {(int(line[0]) & 0xffffffff, int(line[1])) for line in lines if line[6] == "0"}
    for number, name in found:
        if name.startswith("/dev/shm/"):
            pathlib.Path(name).unlink(missing_ok=True)
        elif (int(name[len("/SYSV"):][:8], 16), int(number)) in unused:
            ctypes.CDLL(None).shmctl(int(number), IPC_RMID, None)


def own_user(number=0):
    """A user id that no process of the machine has, nor any other test: limits on processes count per user."""
    return 20000 + os.getpid() % 20000 * 2 + number


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
    for parent, folders, names in os.walk(folder):  # not rglob(), which fails when a folder goes meanwhile
        for path in (pathlib.Path(parent) / name for name in folders + names):
            try:
                stat = path.stat()
            except OSError:
                continue
            files[f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"] = path
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

    def finish(self, folders=(), grace=DEFAULT_TIMEOUT):
        """Processes get a while to leave; those that do not are killed, and named in the failure. So are locks, which go with
        their last holder."""
        problems = []

        def locks():
            return [f"lock left: {path}: {line}" for folder in folders for path, line in locks_below(folder)]

        try:
            wait_for(lambda: not self.leaked() and not locks(), grace)
        except AssertionError:
            for process in self.leaked():
                problems.append(f"process left: {process}")
                send_signal(process.pid, signal.SIGKILL)
            problems += locks()
        reap_orphans()
        assert not problems, "the test left something behind:\n" + "\n".join(problems)
