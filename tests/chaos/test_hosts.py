"""A host of the chaos runs can really be broken: a fault that does nothing proves nothing."""

import errno
import os
import subprocess
import time
import types

import pytest

from . import hosts


@pytest.fixture
def host(network, folder):
    """A host without anything that runs on it."""
    database = types.SimpleNamespace(dsn=lambda: "")
    world = types.SimpleNamespace(network=network, folder=folder, pair=types.SimpleNamespace(database=database))
    host = hosts.ChaosHost(world, "h1", "true")
    yield host
    host.remove()


def test_a_full_disk_takes_nothing(host):
    path = host.fill_disk()
    with pytest.raises(OSError) as caught:
        (host.state / "more").write_bytes(bytes(65536))
    assert caught.value.errno == errno.ENOSPC
    path.unlink()
    (host.state / "more").write_bytes(bytes(65536))


@pytest.mark.skipif(hosts.pids_cgroup() is None, reason="there is no control group that limits processes")
def test_a_host_without_processes_to_spare_forks_none(host):
    """A shell that may not fork says so and gives up."""
    script = "read line; (true); exit 0"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, bufsize=1) as shell:
        hosts.put(host.cgroup, shell.pid)
        host.limit_processes(True)
        shell.stdin.write("now\n")
        refused = shell.wait(60)
    assert refused != 0
    host.limit_processes(False)
    assert (host.cgroup / "pids.max").read_text().strip() == "max"


@pytest.mark.skipif(not hosts.FAKETIME.exists(), reason=f"{hosts.FAKETIME} is not installed")
def test_a_clock_that_jumps_takes_the_calendar_only(host):
    host.set_clock(86400)
    script = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())"
    done = subprocess.run(["/usr/bin/python3", "-c", script], env={**os.environ, **host.suite.env}, stdout=subprocess.PIPE,
                          text=True, check=True)
    calendar, boottime, monotonic = map(float, done.stdout.split())
    assert abs(calendar - time.time() - 86400) < 60
    assert abs(boottime - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60 and abs(monotonic - time.monotonic()) < 60


def test_only_a_host_s_own_processes_are_found(host):
    """Those of other tests on the machine are none of its victims."""
    assert host.processes("shim") == [] and host.processes("agent") == []
