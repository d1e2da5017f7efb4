"""Hosts as network namespaces of one machine, and a network between them that can be cut silently.

Each host has an interface to a router, a namespace of its own; nothing else of the machine is connected, so every test
uses the same addresses. To cut a host off the router is told to drop its packets (`ip rule ... blackhole`): nobody gets
a reset or an error, there is only silence. This asks for neither netfilter nor netem, which not every kernel has.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess

from .http import DEFAULT_PATIENCE, Client
from .processes import Process, forget_shared_memory, send_signal, shared_memory, stop_all
from .wait import wait_for

CLONE_NEWNET = 0x40000000
FOLDER = pathlib.Path("/run/netns")
PREFIX = "orch-"
NUMBERS = itertools.count(1)


def why_not():
    """Why this machine cannot have hosts; "" when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "tc", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    name = f"{PREFIX}{os.getpid()}-try"
    done = subprocess.run(["ip", "netns", "add", name], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        ip("netns", "delete", name)
    return done.stderr.strip()


def ip(*args):
    done = subprocess.run(["ip", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(map(str, args))}: {done.stdout}"
    return done.stdout


def remove_leftovers():
    """Namespaces of test processes that were killed."""
    for path in FOLDER.glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", path.name)
        if owner and not Process(int(owner.group(1))).alive:
            done = subprocess.run(["ip", "netns", "delete", path.name], stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode == 0 or not path.exists(), done.stderr  # another test process may be at it, too


def enter(file):
    """Moves the calling thread, and no other, into the network namespace that the open file stands for."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {file.name}")


class Namespace:
    def __init__(self, name):
        self.namespace = name
        self.path = FOLDER / name
        self.left = set()  # shared memory of who was killed
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *args):
        return ip("-netns", self.namespace, *args)

    def command(self, *args):
        """What to start instead of `args`, so that it runs in here; its process keeps its number."""
        return ["nsenter", f"--net={self.path}", "--", *map(str, args)]

    def popen(self, args, **options):
        return subprocess.Popen(self.command(*args), **options)

    def run(self, args, **options):
        return subprocess.run(self.command(*args), **{"timeout": 120, **options})

    def tc(self, *args):
        done = self.run(["tc", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"tc {' '.join(args)}: {done.stdout}"

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are the host's, for as long as they live."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(self.path, "rb") as other:
            enter(other)
            try:
                yield self
            finally:
                enter(own)

    def pids(self):
        return {int(pid) for pid in ip("netns", "pids", self.namespace).split()}

    def kill(self):
        """SIGKILL of every process, all stopped first, so that none does a last thing."""
        stopped = stop_all(self.pids)
        self.left |= shared_memory(stopped)
        for pid in stopped:
            send_signal(pid, signal.SIGKILL)
        wait_for(lambda: not any(Process(pid).alive for pid in stopped), what=f"all of {self.namespace} is dead")

    def delete(self):
        self.kill()
        forget_shared_memory(self.left)
        ip("netns", "delete", self.namespace)


class HostClient(Client):
    """Speaks to 127.0.0.1 of a host."""

    def __init__(self, host, port, timeout):
        super().__init__(port, timeout)
        self.host = host

    def connect(self):
        with self.host.inside():
            return super().connect()


class Host(Namespace):
    """One machine: its name, its address, and what runs on it."""

    def __init__(self, namespace, name, number):
        super().__init__(namespace)
        self.name, self.number = name, number
        self.line = f"to-{name}"  # the router's end of it
        self.address, self.gateway = f"10.77.{number}.2", f"10.77.{number}.1"

    def client(self, port, timeout=DEFAULT_PATIENCE):
        return HostClient(self, port, timeout)

    def __repr__(self):
        return f"host {self.name} ({self.address})"


class Network:
    """The hosts of one test. Partitions add up, and packets are dropped from the next one on, also of connections that
    are there."""

    def __init__(self):
        remove_leftovers()
        self.prefix = f"{PREFIX}{os.getpid()}-{next(NUMBERS)}-"
        self.hosts, self.rules = {}, {}
        self.router = Namespace(self.prefix + "router")
        self.all = [self.router]
        self.router.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True)

    def host(self, name):
        """The host of that name; it is made when it is asked for first."""
        assert re.fullmatch(r"[a-z0-9]{1,8}", name), name
        if name not in self.hosts:
            self.hosts[name] = Host(self.prefix + name, name, len(self.hosts) + 1)
            self.all.append(self.hosts[name])
            self._connect(self.hosts[name])
        return self.hosts[name]

    def _connect(self, host):
        self.router.ip("link", "add", "name", host.line, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        self.router.ip("address", "add", f"{host.gateway}/30", "dev", host.line)
        self.router.ip("link", "set", host.line, "up")
        host.ip("address", "add", f"{host.address}/30", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.ip("route", "add", "default", "via", host.gateway)

    # --- partitions -----------------------------------------------------------------------------------------

    def partition(self, host, direction="both", peer=None):
        """Drops what comes to the host ("in"), what leaves it ("out"), or both; only that from and to `peer`, if given."""
        far = peer.address if peer else "all"
        rules = {"in": ("from", far, "to", host.address), "out": ("from", host.address, "to", far)}
        for way in ("in", "out") if direction == "both" else (direction,):
            if rules[way] not in self.rules.setdefault(host.name, []):
                self.router.ip("rule", "add", *rules[way], "blackhole")
                self.rules[host.name].append(rules[way])

    def heal(self, host=None):
        """Takes back every partition that was made of this host, or of all."""
        for name in [host.name] if host else list(self.rules):
            for rule in self.rules.pop(name, []):
                self.router.ip("rule", "delete", *rule, "blackhole")

    def is_cut(self, host):
        return bool(self.rules.get(host.name))

    # --- slow lines -----------------------------------------------------------------------------------------

    def slow(self, host, rate="64kbit", queue="4s"):
        """Packets in both directions pass at this rate, and wait for as long as `queue` before they are dropped."""
        for side, device in ((self.router, host.line), (host, "eth0")):
            side.tc("qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst", "5kb", "latency", queue)

    def fast(self, host):
        for side, device in ((self.router, host.line), (host, "eth0")):
            side.tc("qdisc", "delete", "dev", device, "root")

    # --- end ------------------------------------------------------------------------------------------------

    def remove(self):
        """Ends what runs on the hosts, and takes the hosts away. Can be repeated."""
        with contextlib.ExitStack() as stack:
            while self.all:
                stack.callback(self.all.pop().delete)
