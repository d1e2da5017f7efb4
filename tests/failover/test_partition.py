"""A host is cut off from the database, silently, in one direction or in both: what it notices, what becomes of its work,
and that nothing is done twice."""

import re
import threading
import time
import uuid

import pytest

from support.load import send
from support.pipeline import AUTHORS, Pipeline
from support.processes import Process, is_alive
from support.wait import wait_for

NOTICED_WITHIN = 25  # seconds; the keepalives of db_conninfo.c are made for less
LIVENESS = {"beat_interval": "500ms", "freeze_after": "3s", "takeover_after": "6s", "reaper_interval": "500ms"}
BEATING = {"workerd", "webhookd", "reaperd", "reconcilerd"}
CONNECTIONS = BEATING | {"webhookd-status"}
# Of one that asks nothing: where only what it sends is lost, each thing that its server sends again is a sign of life.
SILENT_NOTICED_WITHIN = 75


@pytest.fixture
def pair(make_pair):
    """One server will do."""
    return make_pair(standby=False)


def connections(log, event, since):
    return {record["connection"].split("/")[0] for record in log.records(event, since=since)}


def test_a_silent_partition_is_noticed_in_seconds(network, pair, make_suite):
    """With the intervals that people have: each connection is given up, also one that has nothing to say; and it is made
    again as soon as the line is back. One host is cut in both directions, one hears nothing, one is not heard."""
    standard = {"beat_interval": None, "reaper_interval": None, "reconcile_interval": None}
    suites = {way: make_suite(host=network.host(way), **standard).start() for way in ("both", "in", "out")}
    marks = {way: suite.log.mark() for way, suite in suites.items()}
    cut = time.monotonic()
    for way, suite in suites.items():
        network.partition(suite.host, way)
    noticed = {}
    for way, suite in suites.items():
        suite.wait_for(lambda: connections(suite.log, "db.down", marks[way]) >= BEATING,
                       cut + NOTICED_WITHIN - time.monotonic(), f"all connections of {way} that carry beats are given up")
        noticed[way] = time.monotonic() - cut
    for way, suite in suites.items():
        suite.wait_for(lambda: connections(suite.log, "db.down", marks[way]) >= CONNECTIONS,
                       cut + SILENT_NOTICED_WITHIN - time.monotonic(), f"all connections of {way} are given up")
    network.heal()
    healed = time.monotonic()
    for way, suite in suites.items():
        suite.wait_for(lambda: connections(suite.log, "db.up", marks[way]) >= CONNECTIONS, what=f"{way} is back")
        suite.wait_ready()
    print(f"the last connection with beats was given up after {max(noticed.values()):.1f} s, and all were back"
          f" {time.monotonic() - healed:.1f} s after the healing")


def statements(server, application):
    """What the newest connection of that name has sent, in order; by the log of the server."""
    text = "".join(path.read_text() for path in (server.folder / "log").glob("postgresql-*.log"))
    lines = text.rpartition("\n")[0].splitlines()
    mine = [re.search(r"\[(\d+)\] .*? " + application + r" LOG:  execute <unnamed>: (.*)", line) for line in lines]
    sent = [match.groups() for match in mine if match]
    return [statement for pid, statement in sent if pid == sent[-1][0]]  # none yet: none


def test_the_worker_listens_before_it_looks(network, pair, make_suite):
    """After a reconnect too: who looked first would not hear of what came between."""
    pair.a.query("alter system set log_statement = 'all'")
    pair.a.query("select pg_reload_conf()")
    wait_for(lambda: pair.a.value("show log_statement") == "all", what="new sessions log what they are asked")
    suite = make_suite(host=network.host("one")).start()
    for _ in range(2):  # the first connection, and the next one
        mark = suite.log.mark()
        seen = suite.wait_for(lambda: statements(pair.a, "workerd/one")[2:] and statements(pair.a, "workerd/one"), what="it looks")
        assert "set_config" in seen[0] and seen[1] == 'listen "orch_work"' and seen[2].startswith("SELECT "), seen[:4]
        pair.a.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'workerd/one'")
        suite.log.wait("db.up", since=mark, daemon="workerd")


# --- "unknown whether committed" ----------------------------------------------------------------------------------

HOLD = """
create table public.hold ();
create function orch.test_hold() returns trigger language plpgsql security definer as $$
begin
        while exists (select from pg_class where relname = 'hold' and relnamespace = 'public'::regnamespace) loop
                perform pg_sleep(0.05);
        end loop;
        return new;
end $$;
create trigger test_hold before {when} for each row {condition} execute function orch.test_hold();
"""


def hold_up(pair, when, condition=""):
    """The next statement of that kind waits until its answer will be lost."""
    pair.a.query(HOLD.format(when=when, condition=condition))


def lose_the_answer(network, pair, suite, daemon):
    """The statement that runs now is committed, and its answer does not arrive."""
    wait_for(lambda: pair.a.query("select 1 from pg_stat_activity where wait_event = 'PgSleep'"), what="the statement runs")
    network.partition(suite.host, "in")
    pair.a.query("drop table public.hold")
    pair.a.query("drop function orch.test_hold() cascade")  # waits for the commit
    suite.log.wait("db.down", connection=f"{daemon}/{suite.host.name}")  # else the answer would come after all
    network.heal()


def test_a_delivery_whose_answer_was_lost(network, pair, database, make_suite):
    """I-3: refused, because nobody knows; stored all the same, and found when it is sent again."""
    suite = make_suite(host=network.host("one"), **LIVENESS).start()
    hold_up(pair, "insert on orch.event")
    delivery = str(uuid.uuid4())
    answers = []
    sender = threading.Thread(target=lambda: answers.append(send(suite.public, delivery)))
    sender.start()
    lose_the_answer(network, pair, suite, "webhookd")
    sender.join()
    assert answers == [503]
    suite.log.wait("intake.turned-away", stored="unknown")
    suite.wait_for(lambda: send(suite.public, delivery) == 200, what="it is a duplicate")
    assert database.value("select count(*) from orch.event where delivery = %s", delivery) == 1


@pytest.mark.parametrize("step", ["claim", "finish"])
def test_a_job_whose_answer_was_lost(network, pair, database, make_suite, project, agents, step):
    """J-1, T-5: claimed, or finished, without the worker knowing: it finds out by reading, and the job is done once."""
    suite = make_suite(host=network.host("one"), **LIVENESS).start()
    status = {"claim": "running", "finish": "done"}[step]
    hold_up(pair, "update on orch.job", f"when (new.status = '{status}' and old.status <> '{status}')")
    line = Pipeline(suite, project, effect_backoff_s=1)
    item = line.item()
    lose_the_answer(network, pair, suite, "workerd")
    line.wait_shown(item, "in_review")
    job, = line.jobs(item)
    outcomes = [run["outcome"] for run in line.runs(item)]
    print(f"{step}: {outcomes}, {job['attempts']} attempts, {job['crashes']} crashes")
    assert job["status"] == "done" and outcomes.count("success") == 1 and job["attempts"] == 1
    assert len(agents.marks("end", role="analyst")) == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])
    line.check_no_overlap(agents)


# --- a host that is cut off ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["both", "in", "out"])
def test_another_host_takes_over(network, pair, database, make_suite, project, agents, gate, direction):
    """R-6, T-5, J-1: the agents of the host freeze; another host takes the work over after takeover_after; when the line is
    back the frozen ones are killed, and nothing that they or their worker did counts."""
    a = make_suite(host=network.host("a"), **LIVENESS).start()
    b = make_suite(host=network.host("b"), **LIVENESS)
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    cut = time.monotonic()
    network.partition(a.host, direction)
    line.wait(lambda: Process(run["pid"]).state == "T", what="the agent is frozen")
    frozen = time.monotonic() - cut
    assert len(line.runs(item)) == 1, "taken over before it was frozen"
    line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"], 60, "another host has begun")
    taken = time.monotonic() - cut
    gate.open()
    line.wait_shown(item, "in_review")
    assert Process(run["pid"]).state == "T"
    network.heal()
    a.log.wait("process.fenced", daemon="workerd")
    line.wait(lambda: not is_alive(run["pid"]), what="the frozen agent is killed")
    print(f"{direction}: frozen after {frozen:.1f} s, taken over after {taken:.1f} s")
    assert 6 <= taken
    assert [r["outcome"] for r in line.runs(item)] == ["lost", "success"]
    assert len(agents.marks("end", role="analyst")) == 1
    assert a.log.records("agent.frozen") and not a.log.records("agent.thawed")
    assert not a.log.records("job.ended", job=run["job_id"]) and not a.log.records("job.pushed", job=run["job_id"])
    job, = line.jobs(item)
    assert job["status"] == "done" and job["attempts"] == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])
    a.wait_ready()
