"""Limits of the listeners: time, connections, memory, descriptors; and how a drain ends what is open (R2.3, R2.4)."""

import concurrent.futures
import contextlib
import itertools
import os
import resource
import select
import signal
import socket
import time

import pytest

from support.http import Client, gitea_headers, read_response
from support.marks import root_looks_in
from support.paths import SANITIZER_ENV
from support.wait import stays, wait_for
from support.webhookd import NO_DATABASE, SECRETS

MIB = 1024 * 1024
SLACK = 1.5  # seconds beyond a deadline; what a machine adds that stands still meanwhile, it does not add each time


def check_cut(webhookd, port, seconds, begin=b"", drip=None):
    """The connection is cut after so many seconds, and never before; later only as a machine under load would have it."""
    def is_cut_in_time():
        started = time.monotonic()
        with getattr(webhookd, port).connect() as sock:
            sock.sendall(begin)
            took = closed_after(sock, started, drip)
        assert took >= seconds - 0.01  # the daemon's clock counts milliseconds
        return took < seconds + SLACK

    wait_for(is_cut_in_time, what=f"cut after {seconds} s")


def delivery(body=b"{}", delivery_id=None):
    fields = gitea_headers(body, SECRETS["gitea"], delivery=delivery_id)
    lines = ["POST /webhook/gitea HTTP/1.1", "Host: a", f"Content-Length: {len(body)}",
             *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def closed_after(sock, begin, drip=None):
    """Seconds until the peer closes, while `drip` is sent a byte each 0.2 s. Nothing may come back."""
    data = iter(drip or b"")
    while True:
        readable, _, _ = select.select([sock], [], [], 0.2)
        if readable:
            try:
                assert sock.recv(100) == b""
            except ConnectionResetError:
                pass
            return time.monotonic() - begin
        assert time.monotonic() - begin < 60, "it is never closed"
        with contextlib.suppress(StopIteration, BrokenPipeError, ConnectionResetError):
            sock.send(bytes([next(data)]))


@pytest.fixture
def limited(make_webhookd):
    """Short deadlines, few connections, no database."""
    return make_webhookd(NO_DATABASE, http_header_timeout="1s", http_request_timeout="2s", intake_timeout="100ms",
                         http_max_connections=8, http_max_per_peer=4).start()


# --- time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["public", "status"])
def test_silent_connection_is_cut(limited, port):
    check_cut(limited, port, 1.0)


@pytest.mark.parametrize("port", ["public", "status"])
def test_dripping_head_is_cut(limited, port):
    """T2.2: a byte now and then buys no time."""
    check_cut(limited, port, 1.0, drip=b"GET / HTTP/1.1\r\n" * 100)


def test_dripping_body_is_cut(limited):
    check_cut(limited, "public", 2.0, delivery(b"x" * 1000)[:-1000], b"x" * 900)


# --- connections ---------------------------------------------------------------------------------------------


def idle(client, n, stack, source=None):
    socks = []
    for _ in range(n):
        address = (source, 0) if source else None
        socks.append(stack.enter_context(socket.create_connection(("127.0.0.1", client.port), 20, address)))
    return socks


def open_connections(webhookd):
    """Open on both ports, but for the one that asks."""
    for line in webhookd.status.get("/metrics").text.splitlines():
        if line.startswith("orch_http_connections{"):
            return int(line.split()[-1]) - 1
    return 0


def test_peer_has_its_share(make_webhookd):
    """T2.2: one more than http_max_per_peer is closed without an answer; another peer is served at once."""
    limited = make_webhookd(NO_DATABASE, http_header_timeout="60s", http_request_timeout="60s", http_max_connections=8, http_max_per_peer=4).start()
    with contextlib.ExitStack() as stack:
        idle(limited.public, 4, stack)
        wait_for(lambda: open_connections(limited) == 4)
        begin = time.monotonic()
        (fifth,) = idle(limited.public, 1, stack)
        assert closed_after(fifth, begin) < 30, "it was not its header that was waited for"
        (other,) = idle(limited.public, 1, stack, "127.0.0.2")
        other.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_response(other).status == 404
    limited.log.wait("http.peer-limit", peer="127.0.0.1")


def test_status_answers_while_the_public_port_is_saturated(make_webhookd):
    """R2.4: the two ports share no limit. Beyond the limit newcomers wait; they are not refused."""
    limited = make_webhookd(NO_DATABASE, http_header_timeout="8s", http_request_timeout="10s", intake_timeout="100ms", http_max_connections=8,
                            http_max_per_peer=4).start()
    with contextlib.ExitStack() as stack:
        idle(limited.public, 4, stack)
        idle(limited.public, 4, stack, "127.0.0.2")
        wait_for(lambda: open_connections(limited) == 8)
        (late,) = idle(limited.public, 1, stack, "127.0.0.3")
        late.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for page, status in (("/livez", 200), ("/health", 200), ("/metrics", 200), ("/queue", 503)):
            assert limited.status.get(page).status == status
        assert read_response(late).status == 404  # when the silent ones have been cut


def test_public_port_answers_while_the_status_port_is_saturated(limited):
    with contextlib.ExitStack() as stack:
        idle(limited.status, 40, stack)
        assert limited.public.get("/").status == 404
    wait_for(lambda: limited.status.get("/livez").status == 200)


def lowest_free_descriptor(webhookd, pid):
    """What the next open() of the daemon returns. Its highest tells nothing: the listeners keep the numbers they have in this process."""
    webhookd.status.get("/livez")
    in_use = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(n for n in itertools.count() if n not in in_use)


@root_looks_in
def test_out_of_descriptors(limited):
    """No spinning and no end: connections are shed, and service is back when descriptors are."""
    pid = limited.processes[0].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # of ten: at some moment it has more open, to look for its database or for somebody who asked before
    limit = min(lowest_free_descriptor(limited, pid) for _ in range(10))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        begin, cpu = time.monotonic(), limited.cpu_seconds()
        with contextlib.ExitStack() as stack:
            socks = idle(limited.status, 12, stack)
            limited.log.wait("http.accept-failed")
            for sock in socks[4:]:
                assert closed_after(sock, begin) < 30
        assert limited.cpu_seconds() - cpu < 2
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    wait_for(lambda: limited.status.get("/livez") is not None)
    assert limited.public.get("/").status == 404


# --- memory --------------------------------------------------------------------------------------------------


def test_many_large_bodies_are_bounded(database, make_webhookd):
    """T2.2: 64 bodies of 4 MiB at once are all stored in less than 128 MiB."""
    webhookd = make_webhookd(database.dsn(), http_max_per_peer=100, http_header_timeout="60s", http_request_timeout="2m", intake_timeout="20s")
    webhookd.public.timeout = 120
    # what was freed must not stay resident for the sake of the sanitizer
    webhookd.start(ASAN_OPTIONS=SANITIZER_ENV["ASAN_OPTIONS"] + ":quarantine_size_mb=1").wait_database()
    before = webhookd.resident_bytes()
    bodies = [bytes([n]) * (4 * MIB) for n in range(64)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda body: webhookd.post("gitea", body), bodies))
    assert [answer and answer.status for answer in answers] == [202] * 64
    assert webhookd.peak_bytes() - before < 128 * MIB
    assert database.value("select count(*) from orch.event where octet_length(body) = %s", 4 * MIB) == 64


def test_bodies_beyond_the_bound_wait(database, make_webhookd):
    """R2.3: at the bound reading stops; nobody is refused, and a small delivery is taken when the large have gone."""
    webhookd = make_webhookd(database.dsn(), http_max_buffered="1MiB", http_max_body="1MiB", http_header_timeout="2s",
                             http_request_timeout="3s").start().wait_database()
    with contextlib.ExitStack() as stack:
        halves = [stack.enter_context(webhookd.public.connect()) for _ in range(3)]
        for sock in halves:
            sock.sendall(delivery(b"x" * MIB)[:-1])
        assert webhookd.post("gitea", b"{}", delivery="small").status == 202
        for sock in halves:
            closed_after(sock, time.monotonic())


# --- drain ---------------------------------------------------------------------------------------------------


def test_drain_finishes_what_is_open(database, make_webhookd):
    """SIGTERM: no new connection, /readyz says no, the request in hand is stored and answered, exit 0."""
    webhookd = make_webhookd(database.dsn()).start().wait_database()
    data = delivery(b'{"n":1}', "drained")
    with webhookd.public.connect() as sock:
        sock.sendall(data[:-1])
        webhookd.log.wait("http.state", state="body")
        webhookd.processes[0].send_signal(signal.SIGTERM)
        wait_for(lambda: webhookd.status.get("/readyz").status == 503)
        assert webhookd.status.get("/health").json()["draining"] is True
        stays(lambda: webhookd.processes[0].poll() is None, 0.3, "it waits for the request")
        sock.sendall(data[-1:])
        assert read_response(sock).status == 202
    assert webhookd.processes[0].wait(60) == 0
    assert database.value("select count(*) from orch.event where delivery = 'drained'") == 1
    assert database.value("select count(*) from orch.process where ended_at is null") == 0
    webhookd.processes = []
    webhookd.check_sanitizers()


def test_second_signal_is_quick(database, make_webhookd):
    webhookd = make_webhookd(database.dsn(), http_request_timeout="5m").start().wait_database()
    with webhookd.public.connect() as sock:
        sock.sendall(delivery()[:-1])
        webhookd.log.wait("http.state", state="body")
        webhookd.processes[0].send_signal(signal.SIGTERM)
        wait_for(lambda: webhookd.status.get("/readyz").status == 503)
        webhookd.processes[0].send_signal(signal.SIGTERM)
        assert webhookd.processes[0].wait(60) == 0
    webhookd.processes = []
    webhookd.check_sanitizers()


def test_quick_end_while_the_database_holds_a_delivery(database, make_webhookd):
    """The sender gets no answer, and nothing of the request is left behind in the process."""
    webhookd = make_webhookd(database.dsn(), intake_timeout="20s").start().wait_database()
    holder = database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("lock table orch.event_dedup in access exclusive mode")
    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            mark = webhookd.log.mark()  # questions for /readyz have been held before
            answers = [pool.submit(webhookd.post, "gitea", b"x" * n) for n in (1, MIB, MIB)]
            wait_for(lambda: len(webhookd.log.records("http.state", since=mark, state="held")) >= 3)
            webhookd.processes[0].send_signal(signal.SIGTERM)
            wait_for(lambda: webhookd.status.get("/readyz").status == 503)
            webhookd.processes[0].send_signal(signal.SIGTERM)
            assert webhookd.processes[0].wait(60) == 0
            assert [answer.result() for answer in answers] == [None] * 3
    finally:
        holder.close()
    webhookd.processes = []
    webhookd.check_sanitizers()


def test_listener_survives_its_processes(database, make_webhookd):
    """What connects while no process runs is served by the next one."""
    webhookd = make_webhookd(database.dsn()).start().wait_database()
    webhookd.stop()
    with Client(webhookd.public.port).connect() as sock:
        sock.sendall(delivery(b"{}", "early"))
        webhookd.start()
        assert read_response(sock).status == 202
