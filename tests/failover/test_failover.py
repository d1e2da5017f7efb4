"""The primary dies under load, and its standby is promoted: what was acknowledged is there, no agent is killed, and work
goes on. What this asks of the operator is in docs/operations.md, "High availability"."""

import threading
import time
import uuid

import pytest

from support.load import Load, send
from support.pipeline import Pipeline
from support.processes import Process
from support.wait import wait_for

LIVENESS = {"beat_interval": "500ms", "freeze_after": "3s", "takeover_after": "6s"}
GOES_ON_WITHIN = 20  # seconds after the promotion


@pytest.fixture
def suite(network, pair, make_suite):
    return make_suite(host=network.host("one"), **LIVENESS).start()


def consumed(database):
    return database.value("select not exists (select from orch.event where ended_at is null)")


@pytest.mark.parametrize("death", ["kill", "power_off"])
def test_nothing_acknowledged_is_lost(pair, suite, database, project, agents, gate, death):
    """I-3, J-8: kill -9 of the whole primary, whose host then says so, or says nothing any more. The standby is promoted
    when the agents have been frozen for want of a heartbeat: the same processes go on."""
    gate.hold("analyst")
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    with Load(suite) as load:
        line.wait(lambda: len(load.acknowledged) >= 100, what="deliveries are acknowledged")
        getattr(pair.a, death)()
        died = time.monotonic()
        line.wait(lambda: Process(run["pid"]).state == "T", what="the agent is frozen")
        frozen = time.monotonic()
        _, promotion = pair.promote()
        promoted = time.monotonic()
        line.wait(lambda: load.since(promoted) >= 100, 60, "deliveries are acknowledged again")
        line.wait(lambda: Process(run["pid"]).state in "SR", what="the agent goes on")
        thawed = time.monotonic()
    gate.open()
    line.wait_shown(item, "in_review")
    worked = time.monotonic()
    first = load.first_after(promoted)
    print(f"{death}: agents frozen {frozen - died:.1f} s after the death; promotion took {promotion:.1f} s; after it the first"
          f" delivery was taken {first - promoted:.1f} s, agents went on {thawed - promoted:.1f} s, and an item had moved"
          f" {worked - promoted:.1f} s later; {len(load.acknowledged)} deliveries acknowledged, {len(load.refused)} refused")
    assert worked - promoted < GOES_ON_WITHIN
    assert load.first_sent_after(died) >= frozen, "acknowledged while there was no database"
    assert [r["pid"] for r in line.runs(item)] == [run["pid"]] and line.runs(item)[0]["outcome"] == "success"
    assert len(agents.marks("start")) == len(agents.marks("end")) == 1
    suite.wait_for(lambda: consumed(database), what="the inbox is empty")
    load.check_stored(database)
    line.approve(item)
    line.wait_stage(item, "architecture", "development", "review")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_primary(pair, suite, database, mode):
    """I-3: nothing acknowledged is lost, and each connection comes back by itself, after a wait of its own (jitter)."""
    mark = suite.log.mark()
    with Load(suite) as load:
        suite.wait_for(lambda: len(load.acknowledged) >= 50, what="deliveries are acknowledged")
        pair.a.restart(mode)
        restarted = time.monotonic()
        database.forget_connections()
        suite.wait_for(lambda: load.since(restarted) >= 50, 60, "deliveries are acknowledged again")
        suite.wait_for(lambda: {r["connection"] for r in suite.log.records("db.up", since=mark)} >=
                       {f"{name}/one" for name in ("workerd", "webhookd", "reaperd", "reconcilerd")}, what="all are back")
    waits = [int(record["retry_ms"]) for record in suite.log.records("db.down", since=mark)]
    assert len(set(waits)) > 1 and all(200 <= wait <= 15000 for wait in waits), waits
    print(f"{mode}: deliveries taken {load.first_after(restarted) - restarted:.1f} s after the restart; {len(load.refused)} refused")
    suite.wait_for(lambda: consumed(database), what="the inbox is empty")
    load.check_stored(database)


# --- what the settings of replication are worth -----------------------------------------------------------------


def test_without_its_standby_nothing_is_acknowledged(network, pair, suite, database):
    """The other side of the promise: while the standby does not answer, a delivery is refused, and it is not in doubt."""
    network.partition(pair.b.host)
    delivery = str(uuid.uuid4())
    assert send(suite.public, delivery) == 503
    network.heal()
    suite.wait_for(lambda: send(suite.public, delivery) in (200, 202), what="it is taken when it is sent again")
    assert database.value("select count(*) from orch.event where delivery = %s", delivery) == 1


def test_a_commit_that_no_longer_waits_is_not_acknowledged(network, pair, suite):
    """A person cancels the statement that waits for the standby: the server calls it committed, and it is, on one server."""
    network.partition(pair.b.host)
    delivery, answers, over = str(uuid.uuid4()), [], threading.Event()

    def insist():
        while not over.is_set():
            answers.append(send(suite.public, delivery))

    sender = threading.Thread(target=insist)
    sender.start()
    try:
        wait_for(lambda: pair.a.query("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"
                                      " and query like '%event_intake%'"), what="a delivery waits for the standby")
        wait_for(lambda: pair.a.value("select count(*) from orch.event where delivery = %s", delivery) == 1, what="it is there")
    finally:
        over.set()
        sender.join()
    assert set(answers + [send(suite.public, delivery)]) == {503}, "that it is there does not mean that it is on both"
    network.heal()
    suite.wait_for(lambda: send(suite.public, delivery) == 200, what="it is acknowledged, as a duplicate")


def test_a_former_primary_that_nobody_has_fenced(network, pair, database, make_suite):
    """It was cut off, not dead, and thinks that it is the primary still: what begins now finds it first. No commit of it ends
    without its standby, so nothing is acknowledged by it, and the next server of the list is tried."""
    network.partition(pair.a.host)
    pair.promote()
    network.heal()
    suite = make_suite(host=network.host("two"), **LIVENESS).start(wait=False)
    suite.log.wait("db.up", daemon="webhookd", server=pair.a.host.address)
    with Load(suite, senders=1) as load:
        suite.wait_for(lambda: len(load.acknowledged) >= 10, what="deliveries are acknowledged")
    suite.wait_ready()
    suite.wait_for(lambda: consumed(database), what="the inbox is empty")
    load.check_stored(database)
    assert {r["server"] for r in suite.log.records("db.up", daemon="workerd")} == {s.host.address for s in pair.servers}


@pytest.mark.parametrize("sync", [None])
def test_asynchronous_replication_loses_what_was_not_sent_yet(network, pair, suite, database):
    """Not a promise but its limit, so that nobody thinks otherwise."""
    pair.wait_caught_up()
    network.partition(pair.b.host, peer=pair.a.host)
    delivery = str(uuid.uuid4())
    assert send(suite.public, delivery) == 202
    pair.a.power_off()
    pair.promote()
    assert database.value("select count(*) from orch.event where delivery = %s", delivery) == 0
    suite.wait_for(lambda: send(suite.public, delivery) == 202, what="the same delivery, sent again, is new")
