"""Upgrades: the supervisor becomes the program that is there now, and its daemons are replaced generation by
generation; or nothing changes, and somebody says why."""

import json
import os
import pathlib
import random
import re
import signal
import time

import pytest

from support.processes import Process, descendants, is_alive
from support.stream import Stream, counters
from support.supervised import DAEMONS
from support.wait import wait_for


@pytest.fixture
def host(make):
    """A supervisor beside its daemons, not started."""
    host = make(webhookd_count=2, workerd_count=2, upgrade_timeout="20s")
    host.install_supervisor()
    return host


def everybody(host):
    return {pid for pids in host.all_pids().values() for pid in pids}


def ask(host):
    """SIGUSR2; the outcome, when there is one: (outcome, reason)."""
    before = int(host.told()["upgrades"])
    host.send(signal.SIGUSR2)
    told = host.wait_for(lambda: outcome_after(host, before), what="the outcome of an upgrade")
    return told["outcome"], told["reason"]


def outcome_after(host, before):
    told = host.told()
    return told if int(told["upgrades"]) > before and told["outcome"] != "running" else None


def assert_unchanged(host, before):
    assert host.all_pids() == before
    assert host.process.poll() is None


# --- done ------------------------------------------------------------------------------------------------------------

def test_all_daemons_are_replaced_under_the_same_supervisor(host, notify):
    host.env["NOTIFY_SOCKET"] = notify.address
    host.start()
    assert host.told() == {"pid": str(host.process.pid), "generation": "1", "upgrades": "0", "outcome": "none",
                           "reason": ""}
    before = host.all_pids()
    begun = time.monotonic_ns() // 1000
    done = host.orchctl("upgrade", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"outcome": "done", "reason": "", "generation": 2, "pid": host.process.pid}
    after = host.all_pids()
    assert {d: len(pids) for d, pids in after.items()} == {d: len(pids) for d, pids in before.items()}
    assert not everybody(host) & {pid for pids in before.values() for pid in pids}
    assert {r["cause"] for r in host.log.records("daemon.drain")} == {"replaced"}
    ready, reloading, again = host.wait_for(lambda: notify.receive() if len(notify.receive()) == 3 else None)
    assert ready == again == "READY=1"
    first, monotonic = reloading.split("\nMONOTONIC_USEC=")
    assert first == "RELOADING=1" and begun <= int(monotonic) <= time.monotonic_ns() // 1000
    assert (host.state / "supervisor.pid").read_text() == f"{host.process.pid}\n"
    assert host.told()["generation"] == "2"


def test_old_daemons_serve_until_all_new_ones_are_ready(host):
    host.start()
    before = everybody(host)
    host.behave("reaperd", "never-ready")
    mark = host.log.mark()
    host.send(signal.SIGUSR2)
    for child in ("webhookd.1", "webhookd.2", "workerd.1", "workerd.2", "reconcilerd.1"):
        host.log.wait("child.ready", since=mark, child=child, generation=2)
    assert before < everybody(host) and not host.log.records("fake.drain", since=mark)
    host.behave("reaperd", "ready")
    host.log.wait("suite.rolled-back", since=mark, timeout=60)
    host.log.wait("upgrade.rolled-back", since=mark)
    assert everybody(host) == before


def test_an_upgrade_brings_what_otherwise_needs_a_restart(host):
    host.start()
    host.write_config(webhookd_count=3, workerd_count=1)
    assert ask(host) == ("done", "")
    assert {d: len(pids) for d, pids in host.all_pids().items()} == \
        {"webhookd": 3, "workerd": 1, "reaperd": 1, "reconcilerd": 1}


def test_an_upgrade_mends_what_never_became_ready(host, notify):
    """A throttled daemon, a suite that never was ready: the new programs are the cure."""
    host.env["NOTIFY_SOCKET"] = notify.address
    host.behave("workerd", "exit 78")
    host.start(wait=False)
    host.log.wait("child.throttled", child="workerd.2")
    host.log.wait("child.ready", child="webhookd.2")
    host.behave("workerd", "ready")
    assert ask(host) == ("done", "")
    host.log.wait("supervisor.ready")
    host.wait_for(notify.receive)
    assert len(host.pids("workerd")) == 2 and set(notify.receive()) == {"READY=1"}, "what was not ready does not reload"


def test_many_upgrades_leave_nothing_behind(host):
    """T1.1: descriptors of the supervisor, and its memory, are what they were."""
    host.start()

    def looks():
        folder = pathlib.Path(f"/proc/{host.process.pid}")
        kinds = sorted(re.sub(r"[0-9]+", "N", os.readlink(fd)) for fd in (folder / "fd").iterdir())
        pages = int((folder / "statm").read_text().split()[1])
        return kinds, pages

    pid = host.process.pid
    assert ask(host) == ("done", "")
    kinds, pages = looks()
    for number in range(2, 22):
        assert ask(host) == ("done", "")
        assert host.told()["generation"] == str(number + 1)
    assert host.process.pid == pid and host.process.poll() is None
    host.wait_for(lambda: looks()[0] == kinds, what="its descriptors are what they were")
    assert abs(looks()[1] - pages) < pages * 0.05
    assert len(descendants(pid)) == 6 and not [p for p in map(Process, everybody(host)) if p.state == "Z"]


def test_daemons_are_still_watched_by_the_new_program(host):
    """What was handed over works: a child that dies is noticed, restarted after its own history, and told to stop."""
    host.start()
    host.behave("webhookd", "exit 3")
    assert ask(host)[0] == "rolled-back"
    host.behave("webhookd", "ready")
    old = host.pids("webhookd")
    for _ in range(2):
        mark = host.kill("webhookd")
        host.log.wait("child.exited", since=mark, how="killed by SIGKILL")
        host.wait_for(lambda: len(host.log.records("child.ready", since=mark)) == 1)
    assert not set(old) & set(host.pids("webhookd"))
    host.send(signal.SIGTERM)
    assert host.wait_exit() == 0


def test_a_tally_of_deaths_is_handed_over(host):
    """Four deaths before the exec, and the fifth after it is throttled."""
    host.start()
    host.behave("reconcilerd", "exit 1")
    host.kill("reconcilerd")
    host.wait_for(lambda: len(host.log.records("child.backoff", child="reconcilerd.1")) == 3)
    assert ask(host)[0] == "rolled-back"
    host.wait_for(lambda: host.log.records("child.throttled", child="reconcilerd.1", cause="died"))


# --- refused ---------------------------------------------------------------------------------------------------------

def no_supervisor(host):
    (host.bin / "orch-supervisor").unlink()


def no_daemon(host):
    (host.bin / "orch-reaperd").unlink()


def broken_configuration(host):
    host.config.write_text(host.config.read_text() + "webhookd_cuont = 3\n")


def other_state_dir(host):
    host.write_config(state_dir=host.folder / "elsewhere")


def other_port(host):
    host.write_config(listen_public="127.0.0.1:1")


@pytest.mark.parametrize("spoil, why", [
    (no_supervisor, "orch-supervisor: No such file"),
    (no_daemon, "orch-reaperd cannot be run: No such file"),
    (broken_configuration, "webhookd_count"),
    (other_state_dir, '"state_dir" is "'),
    (other_port, 'option "listen_public" is "127.0.0.1:1" now'),
    (lambda host: host.install_supervisor("exit 0"), "does not say that it would take over: it exited with 0"),
    (lambda host: host.install_supervisor("echo nothing for you >&2; exit 1"), "nothing for you"),
    (lambda host: host.install_supervisor("kill -9 $$"), "it killed by SIGKILL"),
    (lambda host: host.install_supervisor("sleep 60"), "did not say within 10000 ms"),  # lasts
    # It would take over, but is gone when it comes to it.
    (lambda host: host.install_supervisor('[ -z "$ORCH_HANDOVER_TRIAL" ] || rm "$0"; exec $REAL "$@"'), "cannot become"),
    (lambda host: host.install_supervisor('[ -z "$ORCH_HANDOVER_TRIAL" ] || : > "$0"; exec $REAL "$@"'), "cannot become"),
])
def test_what_cannot_take_over_changes_nothing(host, notify, spoil, why):
    """T1.2: the old generation serves, one error says why, and the next upgrade works."""
    host.env["NOTIFY_SOCKET"] = notify.address
    host.start()
    before = host.all_pids()
    good = host.config.read_text()
    spoil(host)
    mark = host.log.mark()
    outcome, reason = ask(host)
    assert outcome == "refused" and why in reason
    errors = [r for r in host.log.records(since=mark) if r["level"] == "error"]
    assert [(r["event"], r["reason"]) for r in errors] == [("upgrade.refused", reason)]
    assert_unchanged(host, before)
    assert host.told()["generation"] == "1"
    host.wait_for(lambda: len(notify.receive()) == 3)
    assert notify.receive()[2] == "READY=1"
    host.config.write_text(good)
    host.install_supervisor()
    if not (host.bin / "orch-reaperd").exists():
        host.install("reaperd")
    assert ask(host) == ("done", "")


def test_orchctl_says_why_it_was_refused(host):
    host.start()
    no_supervisor(host)
    done = host.orchctl("upgrade")
    assert done.returncode == 1 and done.stdout == ""
    assert "the upgrade was refused, nothing has changed: " in done.stderr and "No such file" in done.stderr


def test_orchctl_without_a_suite(host):
    done = host.orchctl("upgrade")
    assert (done.returncode, done.stderr) == (75, "orchctl: the suite does not run\nhint: start it: orchctl up\n")


def test_orchctl_does_not_signal_what_does_not_know_upgrades(host):
    """SIGUSR2 would end a supervisor of a build without them."""
    host.start()
    (host.state / "supervisor.state").unlink()
    done = host.orchctl("upgrade")
    assert done.returncode == 1 and "cannot be asked for an upgrade" in done.stderr
    assert host.process.poll() is None


def test_a_second_one_is_refused_while_one_is_under_way(host):
    host.start()
    host.behave("reaperd", "never-ready")
    host.send(signal.SIGUSR2)
    host.log.wait("child.ready", child="webhookd.1", generation=2)
    mark = host.log.mark()
    host.send(signal.SIGUSR2)
    refused = host.log.wait("upgrade.refused", since=mark)
    assert "still under way" in refused["reason"] and host.told()["outcome"] == "running"
    done = host.orchctl("upgrade")
    assert done.returncode == 1 and "another one is still under way" in done.stderr
    host.behave("reaperd", "ready")
    host.wait_for(lambda: len(host.pids("reaperd")) == 2, what="both generations have one")
    os.kill(host.pids("reaperd")[1], signal.SIGKILL)
    host.log.wait("upgrade.rolled-back", since=mark)


def test_orchctl_does_not_wait_for_ever(host):
    host.behave("workerd", "drain-when-released")
    host.start()
    done = host.orchctl("upgrade", "--timeout", "1s")
    assert done.returncode == 3 and "still under way" in done.stderr
    host.release("workerd")
    host.log.wait("upgrade.done")


# --- rolled back -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("daemon, behaviour, why", [
    ("webhookd", "never-ready", "webhookd.N was not ready within 5000 ms"),
    ("workerd", "exit 3", "workerd.N did not become ready: exited with 3"),
    ("reaperd", "exit 78", "reaperd.N did not become ready: exited with 78"),
    ("reconcilerd", "ready-exit 1", "reconcilerd.N did not become ready: exited with 1"),
    ("webhookd", "leave", "webhookd.N did not become ready: "),
])
def test_a_generation_that_does_not_get_ready_is_ended(host, notify, daemon, behaviour, why):
    host.env["NOTIFY_SOCKET"] = notify.address
    host.write_config(upgrade_timeout="5s" if behaviour == "never-ready" else "20s")
    host.behave("workerd" if daemon != "workerd" else "reaperd", "busy 3")  # others are not disturbed
    host.start()
    before = host.all_pids()
    host.behave(daemon, behaviour)
    if behaviour == "ready-exit 1":  # so that it is seen to end before all are ready
        host.behave("webhookd", "never-ready")
    done = host.orchctl("upgrade")
    assert done.returncode == 1, done.stderr
    assert "rolled back, generation 1 still serves: " in done.stderr
    assert why in re.sub(r"d\.[12] ", "d.N ", done.stderr)
    assert_unchanged(host, before)
    rolled_back = host.log.records("upgrade.rolled-back")
    assert len(rolled_back) == 1 and rolled_back[0]["reason"] in done.stderr and rolled_back[0]["level"] == "error"
    host.wait_for(lambda: len(notify.receive()) == 3)
    assert notify.receive()[2] == "READY=1"
    for name in DAEMONS:
        host.behave(name, "ready")
    assert ask(host) == ("done", "") and host.told()["generation"] == "3"


def test_a_daemon_that_cannot_be_started_is_a_reason(host):
    host.start()
    before = host.all_pids()
    (host.bin / "orch-workerd").unlink()
    (host.bin / "orch-workerd").write_text("no program")
    (host.bin / "orch-workerd").chmod(0o755)
    outcome, reason = ask(host)
    assert outcome == "rolled-back" and "orch-workerd: Exec format error" in reason
    assert_unchanged(host, before)


# --- stopping meanwhile ----------------------------------------------------------------------------------------------

def begin_trial(host):
    host.install_supervisor("exec sleep 600")  # lasts
    host.send(signal.SIGUSR2)
    host.log.wait("upgrade.started")


def begin_to_roll(host):
    host.behave("reaperd", "never-ready")
    host.send(signal.SIGUSR2)
    for child in host.children():
        if not child.startswith("reaperd"):
            host.log.wait("child.ready", child=child, generation=2)


def begin_to_leave(host):
    host.send(signal.SIGUSR2)
    host.log.wait("fake.drain", daemon="workerd")


@pytest.mark.parametrize("begin, behaviour", [
    (begin_trial, "ready"), (begin_to_roll, "ready"), (begin_to_leave, "drain-when-quick")])
@pytest.mark.parametrize("quick", [False, True])
def test_sigterm_drains_all_generations(host, begin, behaviour, quick):
    host.behave("workerd", behaviour)
    host.write_config(drain_timeout="1s")
    host.start()
    below = everybody(host)
    begin(host)
    below |= {p.pid for p in descendants(host.process.pid)}
    host.send(signal.SIGTERM)
    if quick:
        host.log.wait("supervisor.stopping")
        host.send(signal.SIGTERM)
    assert host.wait_exit() == 0
    wait_for(lambda: not [pid for pid in below if is_alive(pid)], what="all have left")
    told = host.told()
    assert told["outcome"] in ("refused", "rolled-back") and told["reason"] == "the supervisor was told to stop"
    assert (host.state / "supervisor.pid").read_text() == ""


@pytest.mark.parametrize("begin, behaviour", [
    (begin_trial, "ready"), (begin_to_roll, "ready"), (begin_to_leave, "drain-when-quick")])
def test_nobody_is_left_when_the_supervisor_is_killed_in_an_upgrade(host, begin, behaviour):
    host.behave("workerd", behaviour)
    host.write_config(drain_timeout="1s")
    host.start()
    begin(host)
    below = {p.pid for p in descendants(host.process.pid)}
    host.send(signal.SIGKILL)
    assert host.wait_exit() == -signal.SIGKILL
    wait_for(lambda: not any(is_alive(pid) for pid in below), what="all children gone", explain=host.log.tail)
    host.install_supervisor()
    for daemon in DAEMONS:
        host.behave(daemon, "ready")
    host.start()
    assert host.told()["generation"] == "1"


@pytest.mark.parametrize("signals", ["TERM", "HUP TERM", "USR2 TERM"])
def test_signals_in_the_middle_of_the_exec_are_heard(host, signals):
    """They come when the program before has no handlers any more, and the next one has none yet."""
    host.start()
    kill = "; ".join(f"kill -{name} $$" for name in signals.split())
    host.install_supervisor(f'[ -n "$ORCH_HANDOVER_TRIAL" ] || {{ {kill}; }}; exec $REAL "$@"')
    host.send(signal.SIGUSR2)
    assert host.wait_exit() == 0
    assert len(host.log.records("supervisor.stopping")) == 1
    assert host.told()["reason"] == "the supervisor was told to stop"


def test_no_signal_is_lost_in_an_upgrade(host):
    """SIGTERM at any moment of one, and of the exec most of all, is heard; SIGHUP never ends the supervisor."""
    chance = random.Random(3)
    for _ in range(12):
        mark = host.log.mark()
        host.start()
        host.send(signal.SIGUSR2)
        begun, ends = time.monotonic(), chance.uniform(0, 0.6)
        host.wait_for(lambda: time.monotonic() - begun > ends)
        host.send(signal.SIGHUP)
        host.send(signal.SIGTERM)
        assert host.wait_exit() == 0
        assert len(host.log.records("supervisor.stopping", since=mark)) == 1
        wait_for(lambda: not [p for p in descendants(os.getpid()) if p.program in [f"orch-{daemon}" for daemon in DAEMONS]], what="all have left")


def test_a_reload_during_an_upgrade_reaches_both_generations(host, notify):
    host.env["NOTIFY_SOCKET"] = notify.address
    host.start()
    begin_to_roll(host)
    mark = host.log.mark()
    host.send(signal.SIGHUP)
    host.wait_for(lambda: len(host.log.records("fake.reload", since=mark)) == 11)
    assert len(notify.receive()) == 2, "ready is said when the upgrade is over"


# --- the real suite --------------------------------------------------------------------------------------------------

def everybody_of(suite):
    return {name: suite.pids(name) for name in DAEMONS}


def test_no_request_fails_and_no_counter_goes_back(make_suite):
    """T1.1: a stream of deliveries, probes and scrapes through upgrade after upgrade."""
    suite = make_suite(webhookd_count=2, workerd_count=2, beat_interval="1s").start()
    with Stream(suite) as stream:
        for _ in range(6):
            before = everybody_of(suite)
            suite.orchctl("upgrade")
            after = everybody_of(suite)
            assert not {p for pids in before.values() for p in pids} & {p for pids in after.values() for p in pids}
            assert {n: len(p) for n, p in before.items()} == {n: len(p) for n, p in after.items()}
    assert not stream.bad, "\n".join(stream.bad)
    assert not stream.went_back, "\n".join(stream.went_back)
    assert stream.stored > 100 and stream.pages > 50
    assert suite.database.value("select count(*) from orch.event") == stream.stored
    last = counters(suite.status.get("/metrics").text)
    assert last['orch_intake_deliveries_total{daemon="webhookd",outcome="stored"}'] == stream.stored
    assert last['orch_upgrades_total{daemon="supervisor",outcome="done"}'] == 6
    assert not suite.log.records("reap.process-gone"), "every process ended its row itself"


def test_no_request_fails_when_an_upgrade_is_rolled_back(make_suite):
    """The new webhookds had taken requests, too, and end what they have."""
    suite = make_suite(webhookd_count=2, upgrade_timeout="2s").start()
    before = everybody_of(suite)
    with Stream(suite) as stream:
        for _ in range(3):
            suite.write_config(workerd_count=1, gitea_secret_file="/nonexistent")
            done = suite.orchctl("upgrade", check=False)
            assert done.returncode == 1 and "did not become ready: exited with 78" in done.stderr
    assert everybody_of(suite) == before
    assert not stream.bad, "\n".join(stream.bad)
    suite.write_config(gitea_secret_file=suite.folder / "gitea.secret")


def page_of_another_build(suite):
    """Makes the metrics page one of a build that knows another metric in the place of one of ours."""
    folder = pathlib.Path(f"/proc/{suite.process.pid}/fd")
    page = next(fd for fd in folder.iterdir() if "orch-metrics" in os.readlink(fd))
    with open(page, "r+b") as file:
        at = file.read().index(b"orch_signature_failures_total\0")
        file.seek(at)
        file.write(b"orch_of_another_build_total\0\0\0")


def test_counters_go_on_under_a_build_with_other_metrics(make_suite):
    suite = make_suite().start()
    assert suite.post_gitea({}, secret="wrong").status == 401
    assert suite.post_gitea({}).status == 202
    first = counters(suite.status.get("/metrics").text)
    page_of_another_build(suite)
    with Stream(suite) as stream:
        suite.orchctl("upgrade")
    assert not stream.bad and not stream.went_back, "\n".join(stream.bad + stream.went_back)
    last = counters(suite.status.get("/metrics").text)
    renamed = {name.replace("signature_failures", "of_another_build") for name in first}
    assert set(first) <= set(last) and renamed & set(last)
    assert last['orch_intake_deliveries_total{daemon="webhookd",outcome="stored"}'] == 1 + stream.stored
    assert not suite.log.records("metrics.apart") and not suite.log.records("supervisor.metrics-anew")
