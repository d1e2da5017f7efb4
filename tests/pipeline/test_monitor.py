"""The watch in production after a deploy (M-5), with the real processes: verdicts, what they lead to, and bad answers."""

import os
import signal
import socket
import threading

import pytest

from support.processes import is_alive
from support.wait import wait_for
from support.watches import Watch, production as production_in

@pytest.fixture
def watch(suite, project):
    return Watch(suite, project)


def test_healthy(watch, project):
    """M-5, I-2: Monitoring after Deploy, then Done; the report is on the branch, with its counts, and never on the default branch."""
    item = watch.done(probe='test "$ORCH_HEAD_SHA" && test "$ORCH_WORK_ITEM"', deploy="true")
    main = project.head("main")
    row = watch.wait_state(item, "HEALTHY")
    assert (row["healthy"], row["failed"], row["no_data"]) == (3, 0, 0)
    text = watch.report(item)
    assert text.startswith(f"---\npost_deploy_status: HEALTHY\nsha: {row['sha']}\n---\n") and "3 healthy, 0 failed, 0 without data, of 3" in text
    watch.line.wait_shown(item, "done")
    assert project.head("main") == main and watch.alerts(item) == []


def test_degraded_freezes_until_an_operator_clears(watch):
    """M-5, S-16: freeze and one alert; the next item waits until somebody unfreezes, and then goes on."""
    item = watch.done(probe="echo down; exit 1")
    watch.wait_state(item, "DEGRADED")
    watch.line.wait_shown(item, "blocked")
    assert "post_deploy_status: DEGRADED" in watch.report(item) and len(watch.alerts(item)) == 1
    assert watch.details()[0] == {"result": "failed", "detail": "it exited with 1: down"}
    after = watch.line.item("Next")
    watch.line.wait(lambda: watch.line.task(after), 60, "the next item is taken in")
    assert "DEGRADED" in watch.suite.orchctl("why", after).stdout and not watch.line.runs(after)
    watch.line.command("probe", "true")
    watch.suite.orchctl("unfreeze", "demo")
    watch.line.pass_human_gates(after)
    watch.wait_state(after, "HEALTHY")


def test_no_data_is_for_a_person(watch):
    """M-5: extended once; then nobody but a person ends it, and the report is written again."""
    item = watch.done(probe="exit 75")
    row = watch.wait_state(item, "INCONCLUSIVE")
    assert row["round"] == 2 and "post_deploy_status: INCONCLUSIVE" in watch.report(item)
    assert "orchctl observe" in watch.alerts(item)[0] and watch.line.shown(item) == "monitoring"
    watch.suite.orchctl("observe", item, "healthy", "--comment", "looked at it")
    text = watch.report(item)
    assert "post_deploy_status: HEALTHY" in text and "Decided by orch_operator: looked at it" in text
    watch.line.wait_shown(item, "done")
    assert watch.line.project.git("log", "--format=%an", watch.line.task(item)["branch"]).split("\n").count("monitor") == 2


def test_worker_killed_in_the_middle_of_a_probe(make_suite, project, gate):
    """M-5, T-5: what it was asking is no data; the others are asked by its heir."""
    suite = make_suite().start()
    watch = Watch(suite, project, checks_total=6, window_s=6)
    item = watch.done(probe=f"flock --shared {gate.path} true")
    suite.wait_for(lambda: watch.line.db.value("select count(*) from orch.probe where asked_at is not null"), what="a probe is asked")
    worker, = suite.pids("workerd")
    os.kill(worker, signal.SIGKILL)
    gate.open()
    row = watch.line.wait(lambda: watch.row(item)["ended_at"] and watch.row(item), 90, "a verdict")
    lost = [d for d in watch.details() if d["result"] == "no-data"]
    assert lost and {d["detail"] for d in lost} == {"the worker that asked was lost"}
    assert row["healthy"] + row["no_data"] <= 6 and row["failed"] == 0


def test_restart_in_the_middle(watch):
    """M-5, J-8: the watch goes on after the suite was stopped and started."""
    item = watch.done(probe="true")
    watch.suite.stop()
    watch.suite.start()
    watch.wait_state(item, "HEALTHY")


# --- a URL ---------------------------------------------------------------------------------------------------------

class Site:
    """Answers each connection with some bytes, and goes on as it is told."""

    def __init__(self, answer, then="close"):
        self.answer, self.then, self.asked = answer, then, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/health"
        self.threads = [threading.Thread(target=self._serve, daemon=True)]
        self.threads[0].start()

    def _serve(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        try:
            peer.recv(65536)
            peer.sendall(self.answer)
            while self.then == "stream":
                peer.sendall(b"x" * 65536)
            while self.then == "hang" and peer.recv(1):
                pass
        except OSError:
            pass
        peer.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def site():
    sites = []

    def make(*args):
        sites.append(Site(*args))
        return sites[-1]
    yield make
    for each in sites:
        each.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("answer, then, state, detail", [
    (OK, "close", "HEALTHY", "it answered with 200"),
    (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "close", "DEGRADED", "it answered with 503"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n", "close", "INCONCLUSIVE", "it answered with 302"),
    (b"", "hang", "DEGRADED", "imed out"),
    (ENDLESS, "stream", "INCONCLUSIVE", "longer than allowed"),
    (b"gopher says hello", "close", "DEGRADED", ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok", "close", "DEGRADED", ""),
], ids=["healthy", "unavailable", "redirects", "hangs", "streams-without-end", "no-http", "breaks-off"])
def test_answers_of_a_url(make_suite, project, site, answer, then, state, detail):
    """M-5, bad input: each is decided; a redirect is not followed, and nothing waits or reads without end."""
    place = site(answer, then)
    suite = make_suite(probe_timeout="1s" if then == "hang" else "20s").start()
    watch = Watch(suite, project)
    item = watch.done(probe_url=place.url)
    watch.wait_state(item, state)
    assert place.asked >= 2 and all(detail in d["detail"] for d in watch.details()), watch.details()


def test_nobody_listens(make_suite, project, site):
    """M-5: production that cannot be reached is failing."""
    place = site(OK)
    place.close()
    watch = Watch(make_suite(probe_timeout="1s").start(), project)
    item = watch.done(probe_url=place.url)
    watch.wait_state(item, "DEGRADED")
    place.socket = socket.create_server(("127.0.0.1", 0))  # for close()


def test_a_probe_that_hangs_is_killed(make_suite, project, folder):
    """M-5, J-3: with what it has started in its group."""
    watch = Watch(make_suite(probe_timeout="2s").start(), project)
    item = watch.done(probe=f"sleep 600 & echo $! >>{folder}/left; wait")  # lasts
    watch.wait_state(item, "DEGRADED")
    left = [int(pid) for pid in (folder / "left").read_text().split()]
    wait_for(lambda: not any(is_alive(pid) for pid in left), what="they are gone")
    assert watch.details()[0]["detail"] == "it did not end in time"


# --- rollback --------------------------------------------------------------------------------------------------------

@pytest.fixture
def production(folder):
    return production_in(folder)


def test_rolled_back_once_and_verified(watch, production):
    """M-5: after DEGRADED the rollback command runs once; deploy_check and probes say that it worked; the freeze stays."""
    current, commands = production
    first = watch.done(**commands)
    good = current.read_text()
    watch.wait_state(first, "HEALTHY")
    second = watch.done()
    row = watch.wait_state(second, "DEGRADED")
    watch.line.wait(lambda: "after the rollback" in watch.row(second)["reason"], 60, "probes after the rollback")
    row = watch.row(second)
    assert row["rollback"] == "SUCCESS" and "production is healthy" in row["reason"]
    assert current.read_text() == good and current.with_suffix(".rollbacks").read_text() == "start\n"
    assert "Rollback: SUCCESS" in watch.report(second)
    assert watch.line.db.value("select count(*) from orch.active_freeze") == 1 and len(watch.alerts(second)) == 3


def test_rollback_survives_its_worker(make_suite, project, production, gate):
    """M-5, J-8: kill -9 while it runs; it is not started again, and its result is told."""
    current, commands = production
    suite = make_suite().start()
    watch = Watch(suite, project)
    first = watch.done(**{**commands, "rollback": f"echo start >>{current}.rollbacks; flock --shared {gate.path} true; cp {current}.before {current}"})
    watch.wait_state(first, "HEALTHY")
    second = watch.done()
    watch.wait_state(second, "DEGRADED")
    suite.wait_for(lambda: current.with_suffix(".rollbacks").exists(), 60, "the rollback runs")
    for worker in suite.pids("workerd"):
        os.kill(worker, signal.SIGKILL)
    gate.open()
    watch.line.wait(lambda: watch.row(second)["rollback"] == "SUCCESS", 60, "the rollback has ended")
    assert current.with_suffix(".rollbacks").read_text() == "start\n"


def test_rollback_that_fails_is_told(watch, production):
    """M-5: nothing is tried again; people hear of it."""
    _, commands = production
    watch.wait_state(watch.done(**{**commands, "rollback": "exit 9"}), "HEALTHY")
    second = watch.done()
    watch.line.wait(lambda: watch.row(second)["rollback"] == "FAILED", 60, "the rollback has failed")
    assert any("exited with 9" in text for text in watch.alerts(second))
