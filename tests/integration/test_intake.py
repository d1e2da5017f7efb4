"""Deliveries: stored before they are acknowledged, once, byte for byte (I-3); and what each sender is told when not."""

import concurrent.futures
import itertools
import re
import subprocess
import threading
import time

import pytest

from support.deliveries import FIXTURES, deliveries_in
from support.http import sign
from support.paths import program, program_env
from support.wait import wait_for
from support.webhookd import NO_DATABASE, SECRETS

ALL_BYTES = bytes(range(256)) * 3
NESTED = b"[" * 400000


def stored(database, **wanted):
    rows = database.query("select * from orch.event order by id")
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("delivery", deliveries_in(FIXTURES), ids=str)
def test_fixture_is_stored_before_it_is_answered(shared, delivery):
    """I-3: the row is there when the answer is, with the body as it was sent."""
    response = shared.post_file(delivery)
    assert response.status == 202
    row = shared.database.row("select * from orch.event where id = %s", response.json()["event"])
    assert bytes(row["body"]) == delivery.body
    assert (row["source"], row["status"]) == (delivery.source, "received")
    kept = row["headers"]
    assert kept[f"x-{delivery.source}-event"] == delivery.event
    assert kept[f"x-{delivery.source}-delivery"] == row["delivery"]
    assert not any("signature" in name for name in kept)


@pytest.mark.parametrize("source", ["gitea", "plane"])
@pytest.mark.parametrize("body", [
    b"", b"\0", ALL_BYTES, b"{", b'{"a":1,"a":2}', b'"\\ud800"', b'"\\u0000"', b"\xff\xfe", NESTED, b"1e999999", b"\\x00",
], ids=lambda body: repr(body[:12]))
def test_any_signed_body_is_stored_verbatim(shared, source, body):
    """I-3: what is signed is stored, whatever it is; to read it is somebody else's work."""
    response = shared.post(source, body)
    assert response.status == 202
    assert bytes(shared.database.value("select body from orch.event where id = %s", response.json()["event"])) == body


def test_largest_body(shared):
    body = b"x" * (4 * 1024 * 1024)
    response = shared.post("gitea", body)
    assert response.status == 202
    assert shared.database.value("select octet_length(body) from orch.event where id = %s",
                                 response.json()["event"]) == len(body)


def test_secrets_and_authorization_are_not_kept(shared):
    body = b'{"canary":1}'
    response = shared.public.post("/webhook/gitea", body, **{
        "Content-Type": "application/json", "Authorization": "Bearer canary", "Cookie": "canary", "X-Other": "canary",
        "X-Gitea-Delivery": "d", "X-Gitea-Signature": sign(body, SECRETS["gitea"]), "User-Agent": "Go-http-client/1.1"})
    assert response.status == 202
    headers = shared.database.value("select headers from orch.event where id = %s", response.json()["event"])
    assert headers == {"content-type": "application/json", "x-gitea-delivery": "d", "user-agent": "Go-http-client/1.1"}
    log = "\n".join(shared.log.lines())
    assert "canary" not in log and SECRETS["gitea"] not in log and sign(body, SECRETS["gitea"]) not in log


# --- duplicates ----------------------------------------------------------------------------------------------


def test_gitea_is_deduplicated_by_its_delivery_id(shared):
    """A replay by hand has a new id, and acts again."""
    first = shared.post("gitea", b'{"n":1}', delivery="gitea-one")
    again = shared.post("gitea", b'{"n":2}', delivery="gitea-one")
    replay = shared.post("gitea", b'{"n":1}', delivery="gitea-two")
    assert (first.status, again.status, replay.status) == (202, 200, 202)
    assert again.json() == {"duplicate": True}


def test_plane_is_deduplicated_by_its_body(shared):
    """Each attempt of Plane has a new delivery id and the same body."""
    first = shared.post("plane", b'{"n":1}', delivery="plane-one")
    retry = shared.post("plane", b'{"n":1}', delivery="plane-two")
    other = shared.post("plane", b'{"n":2}', delivery="plane-one")
    assert (first.status, retry.status, other.status) == (202, 200, 202)


def test_equal_bodies_of_both_sources_are_two_deliveries(shared):
    assert shared.post("plane", b"equal").status == 202
    assert shared.post("gitea", b"equal").status == 202


def test_duplicates_at_once_over_several_processes(database, make_webhookd):
    """T3.4: 200 identical bodies over 4 processes: one row, every answer a 2xx, one of them 202."""
    webhookd = make_webhookd(database.dsn(), processes=4, http_max_per_peer=300).start().wait_database()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: webhookd.post("plane", b'{"same":true}', delivery=str(n)), range(200)))
    assert sorted(answer.status for answer in answers) == [200] * 199 + [202]
    assert len(stored(database)) == 1


# --- not storable --------------------------------------------------------------------------------------------


def test_without_a_database_each_sender_is_told_in_its_way(make_webhookd):
    """Gitea never repeats: 503, seen in its list. Plane repeats only what was never answered: silence."""
    webhookd = make_webhookd(NO_DATABASE, intake_timeout="300ms").start()
    answer = webhookd.post("gitea", b"{}")
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    assert webhookd.post("plane", b"{}") is None
    assert webhookd.post("gitea", b"{}", secret="not-the-secret-at-all").status == 401
    assert webhookd.status.get("/livez").status == 200


def test_database_that_comes_late_serves_who_waits(cluster, make_webhookd):
    """A database that is away for less than intake_timeout costs nobody a delivery."""
    database = cluster.fresh()
    try:
        database.cluster.execute(f"alter database {database.name} allow_connections false")
        webhookd = make_webhookd(database.dsn(), intake_timeout="20s", http_request_timeout="60s").start()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(webhookd.post, source, b"{}") for source in ("gitea", "plane")]
            webhookd.log.wait("http.state", state="held")
            database.cluster.execute(f"alter database {database.name} allow_connections true")
            assert [answer.result().status for answer in waiting] == [202, 202]
        webhookd.stop()
    finally:
        database.drop()


@pytest.fixture
def held_inbox(database):
    """A lock that event_intake() waits for."""
    connection = database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("lock table orch.event_dedup in access exclusive mode")
    yield connection
    connection.close()


def waiting_intakes(database):
    return database.column("select pid from pg_stat_activity where query like '%event_intake($1%' and state = 'active' "
                           "and datname = current_database() and pid <> pg_backend_pid()")


def test_slow_database_turns_away_in_time(database, make_webhookd, held_inbox):
    """A statement that hangs ends by intake_timeout, for those who wait behind it too; nothing is stored twice."""
    webhookd = make_webhookd(database.dsn(), intake_timeout="1s").start().wait_database()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: webhookd.post(("gitea", "plane")[n % 2], b"%d" % n), range(8)))
    assert time.monotonic() - begin < 5
    assert [answer and answer.status for answer in answers] == [503, None] * 4
    wait_for(lambda: not waiting_intakes(database))  # what was sent last may still be tried: that is "unknown"
    held_inbox.rollback()
    webhookd.wait_database()
    wait_for(lambda: webhookd.post("gitea", b"{}", delivery="late").status in (200, 202), what="a delivery is taken")
    assert len(stored(database)) == 1


def test_answer_of_the_database_lost(database, webhookd, held_inbox):
    """Whether it was stored is unknown: the sender is turned away, and its repetition is stored once."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(webhookd.post, "plane", b'{"once":1}')
        pid = wait_for(lambda: waiting_intakes(database))[0]
        database.query("select pg_terminate_backend(%s)", pid)
        assert answer.result() is None
    held_inbox.rollback()
    wait_for(lambda: webhookd.post("plane", b'{"once":1}') is not None)
    assert len(stored(database)) == 1
    webhookd.log.wait("intake.turned-away", source="plane")


def test_database_that_restarts(database, webhookd, cluster):
    """Restarted at once while deliveries come: whoever was told 2xx is stored, and it goes on by itself."""
    acknowledged, stop = [], threading.Event()

    def post(worker):
        for n in itertools.count():
            if stop.is_set():
                return
            body = b"%d.%d" % (worker, n)
            try:
                answer = webhookd.post("gitea", body)
            except OSError:
                continue
            if answer is not None and answer.status == 202:
                acknowledged.append(answer.json()["event"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(post, n) for n in range(4)]
        wait_for(lambda: len(acknowledged) > 20)
        cluster.restart("immediate")
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 20, 60, explain=webhookd.log.tail)
        stop.set()
        for worker in workers:
            worker.result()
    assert set(acknowledged) <= set(database.column("select id from orch.event"))


def test_told_to_stop_before_it_hears(make_webhookd):
    """SIGTERM at the moment of its start ends it as one that comes later does: with 0."""
    webhookd = make_webhookd(NO_DATABASE, processes=8)
    for _ in range(8):
        webhookd.spawn()
    webhookd.stop()


def test_killed_process_loses_nothing_that_it_acknowledged(database, make_webhookd):
    """T3.5: kill -9 while deliveries come: an answer 202 means a row. A sibling goes on with the listener."""
    webhookd = make_webhookd(database.dsn(), processes=2).start().wait_database()
    acknowledged, stop = [], threading.Event()

    def post(worker):
        for n in itertools.count():
            if stop.is_set():
                return
            try:
                answer = webhookd.post("gitea", b"%d.%d" % (worker, n))
            except OSError:
                continue
            if answer is not None and answer.status == 202:
                acknowledged.append(answer.json()["event"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(post, n) for n in range(4)]
        for _ in range(8):
            before = len(acknowledged)
            wait_for(lambda: len(acknowledged) > before + 10, explain=webhookd.log.tail)
            victim = webhookd.processes.pop(0)
            victim.kill()
            victim.wait()
            webhookd.spawn()
        stop.set()
        for worker in workers:
            worker.result()
    assert set(acknowledged) <= set(database.column("select id from orch.event"))


# --- secrets -------------------------------------------------------------------------------------------------


def test_rotation(webhookd):
    """T3.2: old, both, new; by SIGHUP, without a restart."""
    old, new = SECRETS["gitea"], "the-next-secret-of-the-tests"

    def statuses():
        return [webhookd.post("gitea", b"{}", secret=secret).status for secret in (old, new)]

    assert statuses() == [202, 401]
    webhookd.write_secret("gitea", f"{new}\n{old}\n")
    webhookd.reload()
    wait_for(lambda: statuses() == [202, 202])
    webhookd.write_secret("gitea", f"{new}\n")
    webhookd.reload()
    wait_for(lambda: statuses() == [401, 202])


@pytest.mark.parametrize("text", ["", "short\n", "a secret with blanks in it\n", "x" * 16 + "\n\n"])
def test_reload_with_bad_secrets_keeps_the_old(webhookd, text):
    webhookd.write_secret("plane", text)
    webhookd.reload()
    record = webhookd.log.wait("webhookd.reload-refused")
    assert str(webhookd.secret_file("plane")) in record["error"]
    assert webhookd.post("plane", b"{}").status == 202


@pytest.mark.parametrize("text, reason", [
    (None, "No such file"), ("", "is empty"), ("\n", "has 0 bytes"), ("short\n", "has 5 bytes"),
    ("x" * 16 + "\n" + "y" * 16 + "\n" + "z" * 16 + "\n", "more than 2 lines"), ("x" * 20 + "\r\n", "control byte"),
])
def test_start_with_bad_secrets_is_refused(make_webhookd, text, reason):
    """Exit code 78, and one line that names the file and what is wrong, not the secret."""
    webhookd = make_webhookd(NO_DATABASE)
    if text is None:
        webhookd.secret_file("gitea").unlink()
    else:
        webhookd.write_secret("gitea", text)
    done = subprocess.run([program("orch-webhookd"), "--config", webhookd.config], env=program_env(),
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 78
    assert reason in done.stderr and str(webhookd.secret_file("gitea")) in done.stderr
    assert not text or len(text) < 8 or text.strip() not in done.stderr


def test_source_without_secrets_does_not_exist(database, make_webhookd):
    webhookd = make_webhookd(database.dsn(), plane_secret_file=None).start().wait_database()
    assert webhookd.post("plane", b"{}").status == 404
    assert webhookd.post("gitea", b"{}").status == 202
    webhookd.write_config(plane_secret_file=webhookd.secret_file("plane"))
    webhookd.reload()
    wait_for(lambda: webhookd.post("plane", b"{}").status == 202)


def test_refused_signatures_do_not_flood_the_log(webhookd):
    for _ in range(50):
        assert webhookd.post("gitea", b"{}", secret="not-the-secret-at-all").status == 401
    assert len(webhookd.log.records("intake.signature")) < 10
    metrics = webhookd.status.get("/metrics").text
    (line,) = [line for line in metrics.splitlines() if re.match(r'orch_signature_failures_total\{.*reason="wrong"', line)]
    assert line.split()[-1] == "50"
