"""The hosts, the network and the PostgreSQL that the other tests of this suite stand on do what those tests believe."""

import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest

from support.hosts import FOLDER, PREFIX
from support.wait import wait_for

PORT = 7000


class Echo:
    """A server on a host that sends back what it gets."""

    def __init__(self, host):
        with host.inside():
            self.listener = socket.create_server((host.address, PORT))
        self.peer = None
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.peer, _ = self.listener.accept()
                with self.peer, contextlib.suppress(OSError):
                    while data := self.peer.recv(1024):
                        self.peer.sendall(data)

    def close(self):
        for sock in filter(None, (self.listener, self.peer)):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


@pytest.fixture
def a(network):
    return network.host("a")


@pytest.fixture
def b(network):
    return network.host("b")


@pytest.fixture
def echo(b):
    echo = Echo(b)
    yield echo
    echo.close()


SILENCE = 0.5  # seconds; whatever comes at all comes sooner, and what must come is waited for much longer


def dial(host, peer, timeout=30):
    with host.inside():
        return socket.create_connection((peer.address, PORT), timeout)


def ask(sock):
    sock.sendall(b"x")
    return sock.recv(1) == b"x"


def test_a_host_is_reached_by_no_other_way(a, b, echo):
    with dial(a, b) as sock:
        assert ask(sock)
    with a.inside(), pytest.raises(OSError):
        socket.create_connection(("1.1.1.1", 53), 0.3).close()


@pytest.mark.parametrize("direction", ["both", "in", "out"])
def test_a_partition_is_silent_and_heals(network, a, b, echo, direction):
    """An established connection is not reset: it hangs, and goes on after the healing."""
    with dial(a, b) as sock:
        assert ask(sock)
        network.partition(b, direction)
        sock.sendall(b"x")
        sock.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        with pytest.raises(TimeoutError):
            dial(a, b, SILENCE)
        network.heal(b)
        sock.settimeout(30)
        assert sock.recv(1) == b"x"


def received(host):
    """IP packets that have come in."""
    lines = host.run(["cat", "/proc/net/snmp"], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Ip:"))
    return int(values[names.index("InReceives")])


def test_a_partition_of_one_way_lets_the_other_through(network, a, b, echo):
    with dial(a, b) as sock:
        assert ask(sock)
        network.partition(b, "out")
        before = received(b)
        sock.sendall(b"x")
        wait_for(lambda: received(b) > before, what="the packet has come in")
        network.heal()
        network.partition(b, "in")
        sock.settimeout(SILENCE)
        with contextlib.suppress(TimeoutError):
            sock.recv(1)  # what was on its way
        before = received(b)
        sock.sendall(b"x")
        with pytest.raises(TimeoutError):
            while sock.recv(1):
                pass
        assert received(b) == before


def test_a_partition_of_two_hosts_leaves_a_third_alone(network, a, b, echo):
    c = network.host("c")
    network.partition(a, peer=b)
    with pytest.raises(TimeoutError):
        dial(a, b, SILENCE)
    with dial(c, b) as sock:
        assert ask(sock)


def test_a_slow_line_is_slow(network, a, b, echo):
    network.slow(b, rate="64kbit")
    assert seconds_there_and_back(a, b) > 1.5
    network.fast(b)
    wait_for(lambda: seconds_there_and_back(a, b) < 1, what="it is fast again, as soon as the machine lets it")


def seconds_there_and_back(host, peer):
    """Of 20000 bytes."""
    begun, got = time.monotonic(), 0
    with dial(host, peer) as sock:
        sock.sendall(b"x" * 20000)
        while got < 20000:
            got += len(sock.recv(65536))
    return time.monotonic() - begun


def test_nothing_is_left_of_a_host(network, a):
    process = a.popen(["sleep", "1000"])
    wait_for(lambda: process.pid in a.pids(), what="it is on the host")
    network.remove()
    assert process.wait(0) == -9
    assert not list(FOLDER.glob(f"{PREFIX}{os.getpid()}-*"))
