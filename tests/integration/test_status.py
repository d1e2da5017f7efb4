"""The status port (O-1): every page with the database up, down and hanging, and what a poller costs."""

import concurrent.futures
import json
import re
import signal
import subprocess
import time

import psycopg2
import pytest

from support.backlog import load
from support.http import read_response
from support.wait import wait_for
from support.webhookd import NO_DATABASE

PAGES = ["/health", "/livez", "/readyz", "/readyz?verbose", "/status", "/queue", "/metrics"]
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)')


def samples(text):
    """Each series with its value; a series that is there twice fails."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            key = (name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or "")))
            assert key not in found, f"twice: {line}"
            found[key] = float(value)
    return found


def value(text, name, **labels):
    wanted = set(labels.items())
    return sum(number for (key, have), number in samples(text).items() if key == name and wanted <= have)


def soon(ask, seconds):
    """The first answer that came so soon: a machine that stands still is slow now and then, who waits for a database always."""
    def answer():
        begin = time.monotonic()
        said = ask()
        return said if time.monotonic() - begin < seconds else None
    return wait_for(answer, what=f"an answer within {seconds} s")


def test_pages_with_the_database(webhookd):
    health = webhookd.status.get("/health").json()
    assert (health["status"], health["database"], health["draining"]) == ("ok", "up", False) and health["version"]
    assert webhookd.status.get("/livez").json() == {"status": "alive"}
    assert webhookd.status.get("/readyz").json() == {"ready": True}
    assert webhookd.status.get("/readyz?verbose").json() == {
        "ready": True, "checks": {"serving": True, "database": True, "schema": True}}
    assert webhookd.status.get("/status").json()["tasks"] == []
    queue = webhookd.status.get("/queue").json()
    assert queue["counts"] == {"queued": 0, "running": 0} and "repos" in queue
    for page in PAGES[:-1]:
        answer = webhookd.status.get(page)
        assert answer.headers["content-type"] == "application/json" and json.loads(answer.body)


def test_pages_of_the_queue(database, webhookd):
    """O-1: "next" says how to go on with a list, and the status port goes on there, however the colon is written."""
    load(database, 120, 3)

    def ask(path):  # on a busy machine a look may take longer than the port has patience
        answer = wait_for(lambda: (a := webhookd.status.get(path)).status == 200 and a)
        return answer.json()

    page = ask("/queue")
    found = [row["work_item"] for row in page["waiting"]]
    while after := page["next"].get("waiting"):
        escaped = ask("/queue?after=" + after.replace(":", "%3a"))
        page = ask("/queue?after=" + after)
        assert set(page) == {"at", "next", "waiting"} and page["waiting"] == escaped["waiting"]
        found += [row["work_item"] for row in page["waiting"]]
    assert found == database.column("select work_item from orch.task order by id")


@pytest.mark.parametrize("query", ["after=", "after=waiting", "after=waiting:x", "after=%27", "after=counts:1", "after=repos:a&b", "after=" + "9" * 300])
def test_no_page_of_the_queue(shared, query):
    """O-5: a clear error."""
    answer = shared.status.get("/queue?" + query)
    assert answer.status == 400 and answer.headers["content-type"] == "application/problem+json" and "page" in answer.json()["detail"]


def test_a_daemon_looks_for_its_database_within_two_beats(make_webhookd):
    """T-2: it has said that it lives before agents are frozen, or it is taken for hanging (J-8). Also when a reload makes the beats
    quicker. Those of webhookd, which holds nothing, are twice as long."""
    webhookd = make_webhookd(NO_DATABASE, beat_interval="250ms").start()

    def waits(after=0):
        return [int(record["retry_ms"]) for record in webhookd.log.records("db.down", connection="webhookd/testhost")][after:]

    wait_for(lambda: len(waits()) >= 12)
    assert max(waits()) <= 1000
    webhookd.write_config(beat_interval="100ms")
    webhookd.reload()
    webhookd.log.wait("config.reloaded")
    before = len(waits())
    wait_for(lambda: len(waits(before)) >= 12)
    assert max(waits(before)) <= 400


def test_no_counter_goes_back_when_another_process_answers(database, make_webhookd):
    """O-1, B-5: to Prometheus that is a counter that has started anew."""
    webhookd = make_webhookd(database.dsn(), processes=2).start().wait_database()

    def scraped(process):
        """By that process: the other one is stopped meanwhile."""
        other = next(p for p in webhookd.processes if p is not process)
        other.send_signal(signal.SIGSTOP)
        try:
            return value(webhookd.status.get("/metrics").text, "orch_reviews_total", gate="analysis_approved")
        finally:
            other.send_signal(signal.SIGCONT)

    database.query("update orch.setting_row set value = '1' where key = 'metric_keep_s' returning 1")
    order = list(webhookd.processes)
    seen = [scraped(process) for process in order]
    begin = time.monotonic()
    while time.monotonic() - begin < 4:  # several times what was kept is over; each time who is asked first knows the most
        database.query("""insert into orch.review_total (gate, verdicts, seconds) values ('analysis_approved', 1, 1)
                          on conflict (gate) do update set verdicts = review_total.verdicts + 1 returning 1""")
        order.reverse()
        seen += [scraped(process) for process in order]
    assert seen == sorted(seen) and len(set(seen)) > 2


def test_pages_without_a_database(make_webhookd):
    webhookd = make_webhookd(NO_DATABASE).start()
    health = webhookd.status.get("/health")
    assert health.status == 200
    assert (health.json()["status"], health.json()["database"]) == ("degraded", "down")
    assert webhookd.status.get("/livez").status == 200
    ready = webhookd.status.get("/readyz?verbose")
    assert ready.status == 503
    assert ready.json() == {"ready": False, "checks": {"serving": True, "database": False, "schema": False}}
    for page in ("/status", "/queue", "/queue?after=waiting:1"):
        answer = webhookd.status.get(page)
        assert answer.status == 503 and answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 503
    metrics = soon(lambda: webhookd.status.get("/metrics"), 1.0)
    assert metrics.status == 200
    assert value(metrics.text, "orch_db_up") == 0


def has_locked(holder):
    """Both tables, unless who is at them in the other order has been first."""
    try:
        holder.cursor().execute("lock table orch.task, orch.job in access exclusive mode")
    except psycopg2.errors.DeadlockDetected:
        holder.rollback()
        return False
    return True


def each_in_its_time(webhookd):
    """What the pages say while the database hangs is as it should be; whether they and a delivery were quick enough, too."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        begin = time.monotonic()
        pages = [pool.submit(webhookd.status.get, page) for page in ("/status", "/queue", "/metrics") * 2]
        assert webhookd.post("gitea", b"{}").status == 202
        delivery_s = time.monotonic() - begin
        assert webhookd.status.get("/livez").status == 200
        assert webhookd.status.get("/metrics").status == 200
        metrics_s = time.monotonic() - begin
        answers = [page.result().status for page in pages]
        pages_s = time.monotonic() - begin
    assert set(answers[2::3]) == {200}
    assert {answers[0], answers[1], answers[3], answers[4]} <= {200, 503}
    return delivery_s < 1.5 and metrics_s < 3 and pages_s < 6


def test_pages_while_the_database_hangs(database, webhookd):
    """Each page answers in its time, and deliveries go on meanwhile."""
    holder = database.connect()
    holder.autocommit = False
    wait_for(lambda: has_locked(holder), what="the tables are locked")
    try:
        wait_for(lambda: each_in_its_time(webhookd), 60, "none is held up by the others, as soon as the machine lets it")
    finally:
        holder.close()
    wait_for(lambda: webhookd.status.get("/queue").status == 200)


@pytest.mark.parametrize("signo, status, health", [(signal.SIGUSR1, 200, "ok"), (signal.SIGTERM, 503, "draining")])
@pytest.mark.parametrize("page", ["/readyz", "/health"])
def test_who_had_asked_already_when_it_was_told_to_leave(webhookd, signo, status, health, page):
    """B-5: replaced by another generation, the suite serves on, and so says who still has a connection; else it drains."""
    with webhookd.status.connect() as asking:
        asking.sendall(f"GET {page} HTTP/1.1\r\nHost: test\r\n".encode())
        assert webhookd.status.get("/livez").status == 200, "who came before was accepted before"
        webhookd.processes[0].send_signal(signo)
        webhookd.log.wait("daemon.drain")
        asking.sendall(b"Connection: close\r\n\r\n")
        answer = read_response(asking)
    if page == "/readyz":
        assert answer.status == status, answer
    else:
        assert answer.json()["status"] == health
    assert webhookd.processes.pop().wait(60) == 0


def test_old_schema_is_not_ready(empty_database, make_webhookd):
    """A database that nobody has migrated: alive, not ready, and the check says which."""
    webhookd = make_webhookd(empty_database.dsn())
    empty_database.query("do $$ begin create role orch_webhookd login; exception when duplicate_object then end $$")
    webhookd.start()
    wait_for(lambda: webhookd.status.get("/health").json()["database"] == "up")
    checks = webhookd.status.get("/readyz?verbose").json()["checks"]
    assert checks["schema"] is False
    assert webhookd.post("gitea", b"{}").status == 503
    assert webhookd.post("plane", b"{}") is None


@pytest.mark.parametrize("page", PAGES)
def test_head_is_get_without_the_body(shared, page):
    answer = shared.status.raw(f"HEAD {page} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert answer.status == 200 and answer.body == b"" and int(answer.headers["content-length"]) > 0


def test_metrics_are_well_formed(webhookd):
    """promtool finds nothing; no series is there twice; each family is announced once."""
    webhookd.log.wait("process.registered")
    wait_for(lambda: len(webhookd.log.records("db.up")) >= 2, what="both connections are up")
    webhookd.post("gitea", b"{}")
    text = webhookd.status.get("/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    samples(text)
    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len(families) == len(dict(families)) == len(re.findall(r"^# HELP ", text, re.MULTILINE))
    assert value(text, "orch_db_up", daemon="webhookd") == 2
    assert value(text, "orch_intake_deliveries_total", outcome="stored") == 1
    assert value(text, "orch_processes", kind="webhookd") == 1


def test_metrics_of_the_database_are_missing_when_it_is(database, webhookd, cluster):
    """An old gauge is not shown for a new one; the process's own go on."""
    wait_for(lambda: "orch_queue_jobs" in webhookd.status.get("/metrics").text)
    cluster.stop()
    try:
        wait_for(lambda: webhookd.status.get("/health").json()["database"] == "down")
        wait_for(lambda: "orch_queue_jobs" not in webhookd.status.get("/metrics").text)
        assert value(soon(lambda: webhookd.status.get("/metrics"), 1.0).text, "orch_http_connections_total") > 0
    finally:
        cluster.start()
    webhookd.wait_database()
    wait_for(lambda: "orch_queue_jobs" in webhookd.status.get("/metrics").text)


def test_poller_costs_few_statements(webhookd):
    """100 looks at every page are a handful of statements: answers are kept for a second, metrics for 15."""
    def statements():
        return value(webhookd.status.get("/metrics").text, "orch_db_requests_total", outcome="ok")

    before, begin = statements(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: webhookd.status.get(PAGES[n % len(PAGES)]).status, range(100 * len(PAGES))))
    seconds = time.monotonic() - begin
    assert set(answers) == {200}
    assert statements() - before <= 3 * (seconds + 1) + seconds + 2  # three pages each second, and beats


def test_process_row(database, webhookd):
    """The process is registered, beats, and has left when it has ended."""
    row, = wait_for(lambda: database.query("select p.*, h.name as host_name from orch.process p join orch.host h on h.id = p.host_id"))
    assert (row["daemon"], row["pid"], row["host_name"]) == ("webhookd", webhookd.processes[0].pid, "testhost")
    wait_for(lambda: database.value("select beat_at > %s from orch.process", row["beat_at"]))
    webhookd.stop()
    assert database.value("select ended_at is not null from orch.process")


def test_row_is_made_anew_after_it_was_taken_for_dead(database, webhookd):
    """webhookd holds nothing that could be another's: it registers again and goes on."""
    old, = wait_for(lambda: database.column("select id from orch.process"))  # it listens before it is registered
    database.query("select orch.process_gone(%s, 'test', false)", old)
    wait_for(lambda: database.column("select id from orch.process where ended_at is null and id <> %s", old),
             explain=webhookd.log.tail)
    assert webhookd.post("gitea", b"{}").status == 202
