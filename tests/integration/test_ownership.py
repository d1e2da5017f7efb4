"""Whose a run is: taken back by force, claimed without anybody's knowledge, left behind by a killed shim; machines of one
name, and databases that do not fit."""

import os
import signal

import pytest

from support.agents import BODIES
from support.cluster import migrate
from support.pipeline import AUTHORS, Pipeline
from support.processes import Process, is_alive

# The order of the defaults (options_check.c), a tenth as long.
LIVENESS = {"beat_interval": "500ms", "freeze_after": "4s", "takeover_after": "8s", "reaper_interval": "500ms"}
PATIENT = {"beat_interval": "500ms", "freeze_after": "300s", "takeover_after": "600s", "reaper_interval": "500ms"}


def make_overdue(line, run):
    """The reaper takes it back by force."""
    line.db.query("update orch.job set claimed_at = now() - interval '1 day' where id = %s", run["job_id"])


def claim_of(line, run):
    """When the claim of a run was made."""
    return line.db.value("select at from orch.history where kind = 'claim' and job_id = %s and epoch = %s", run["job_id"], run["epoch"])


def check_recorded_once(line, item, outcomes):
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == outcomes
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_the_owner_says_that_the_agent_is_gone(make_suite, project, agents, gate):
    """T-3, T-5, J-1: who does not hold a job any more kills its agent at the next beat, writes nothing of it, and says so:
    then the job runs again, long before the promise is over, and the two agents have not met."""
    gate.hold("analyst")
    suite = make_suite(**PATIENT).start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    make_overdue(line, run)
    suite.log.wait("job.fenced", job=run["job_id"], epoch=run["epoch"])
    again = line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1], 60, "the second claim")
    assert not is_alive(run["pid"])
    said = line.db.row("select at, detail ->> 'reason' as reason from orch.history where kind = 'release' and epoch = %s", run["epoch"])
    assert said["reason"] == "its agent is gone" and said["at"] < claim_of(line, again)
    gate.open()
    check_recorded_once(line, item, ["lost", "success"])
    line.check_no_overlap(agents)


def test_the_owner_hangs_while_its_job_is_taken_back(make_suite, project, agents, gate):
    """J-1, T-3, T-5: nobody renews the agent of a claim that was taken back; another host runs the job when it stands still,
    and not before."""
    gate.hold("analyst")
    a, b = make_suite(host_name="a", **LIVENESS).start(), make_suite(host_name="b", **LIVENESS)
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    stopped = a.pids("reaperd") + a.pids("workerd")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    make_overdue(line, run)
    again = line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1], 60, "the second claim")
    assert Process(run["pid"]).state == "T"
    taken_back = line.db.value("select at from orch.history where kind = 'reap' and epoch = %s", run["epoch"])
    assert (claim_of(line, again) - taken_back).total_seconds() >= 8
    gate.open()
    check_recorded_once(line, item, ["lost", "success"])
    a.resume(stopped)
    line.wait(lambda: not is_alive(run["pid"]), 30, "its agent is killed")
    assert len(agents.marks("end", role="analyst")) == 1


def test_a_beat_that_does_not_name_the_claim_renews_nothing(make_suite, project, agents, gate):
    """T-5: the worker beats and is answered; its agent, whose claim has got another token, is not renewed but killed."""
    gate.hold("analyst")
    suite = make_suite(**PATIENT).start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.db.query("update orch.job set token = gen_random_uuid() where id = %s", run["job_id"])
    suite.log.wait("job.fenced", job=run["job_id"], epoch=run["epoch"])
    line.wait(lambda: not is_alive(run["pid"]), 30, "the agent is killed")
    suite.log.wait("worker.unknown-claims")  # an orphan now; and lost, since neither shim nor status is left
    gate.open()
    line.wait_shown(item, "in_review", timeout=90)
    line.check_no_overlap(agents)


def test_a_claim_that_nobody_heard_of(make_suite, project, agents, gate):
    """J-1: a claim, and an effect's, that came to the server after its worker had given it up: the next beat names them,
    and they are given back. What the worker does know stays."""
    gate.hold("analyst")
    suite = make_suite(worker_slots=1, **PATIENT).start()
    line = Pipeline(suite, project, serial_gate_enabled="off")
    known = line.item("Known")
    run = line.wait_running(known, "analyst")
    lost = line.item("Lost")
    line.wait(lambda: line.task(lost) and line.jobs(lost), 30, "the second job")
    me = line.db.row("select id, epoch from orch.process where daemon = 'workerd'")
    mark = suite.log.mark()
    claim = line.db.row("select job_id, epoch from orch.job_claim(%s, %s)", me["id"], me["epoch"], user="orch_workerd")
    suite.log.wait("worker.unknown-claims", since=mark, released=1)
    job = line.jobs(lost)[0]
    assert job["id"] == claim["job_id"] and (job["status"], job["attempts"]) == ("queued", 0)
    assert line.jobs(known)[0]["epoch"] == run["epoch"] and is_alive(run["pid"])
    gate.open()
    for item in (known, lost):
        line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(lost)] == ["released", "success"] and [r["outcome"] for r in line.runs(known)] == ["success"]


def test_a_claim_is_no_better_than_the_newest_beat(make_suite, project, agents):
    """J-1, T-5: a worker that has not beaten for freeze_after hears that its claim stands, late: its agent is not begun, since
    others count the silence of its beats, until a beat counts."""
    suite = make_suite(**LIVENESS).start()
    line = Pipeline(suite, project)
    announce, beat = "job_started(bigint, bigint, uuid, integer, text, text, integer, uuid, uuid)", "process_beat(bigint, bigint, boolean)"
    line.db.query(f"alter function orch.{announce} rename to away")
    item = line.item()
    suite.log.wait("job.start-not-recorded")
    os.kill(suite.pids("reaperd")[0], signal.SIGSTOP)  # it would kill a worker that is silent
    line.db.query(f"alter function orch.{beat} rename to silence")
    mark = suite.log.mark()
    line.wait(lambda: len(suite.log.records("process.statement-failed", since=mark, daemon="workerd")) > 9, 60, "freeze_after is over")
    line.db.query(f"alter function orch.{announce.replace('job_started', 'away')} rename to job_started")
    suite.log.wait("job.start-not-recorded", since=mark, error="the newest heartbeat that was confirmed is too old")
    assert not suite.shims() and not agents.marks("start")
    line.db.query(f"alter function orch.{beat.replace('process_beat', 'silence')} rename to process_beat")
    os.kill(suite.pids("reaperd")[0], signal.SIGCONT)
    line.wait_shown(item, "in_review")
    line.check_no_overlap(agents)


# Leaves a process that belongs to nobody it knows, and waits.
ESCAPE = 'if [[ ! -e $marks/escaped ]]; then\n' \
         'setsid -f sh -c \'echo $$ >"$0"; exec tail -f /dev/null\' "$marks/escaped.new"\n' \
         'until [[ -s $marks/escaped.new ]]; do sleep 0.05; done # lasts\n' \
         'mv "$marks/escaped.new" "$marks/escaped"; exec tail -f /dev/null\n' \
         'fi\n'


@pytest.mark.parametrize("adopted", [False, True], ids=["own", "adopted"])
def test_what_a_killed_shim_has_left(make_suite, project, agents, adopted):
    """J-1, R-6: kill -9 of the shim: its agent dies with it, what the agent has detached does not. The job is not given back,
    to this host or another, while that lives."""
    agents.set("analyst", ESCAPE + BODIES["analyst"])
    suite = make_suite(**PATIENT).start()
    line = Pipeline(suite, project, job_backoff_s=1)
    item = line.item()
    run = line.wait_running(item, "analyst")
    escaped = agents.folder / "escaped"
    stray = int(line.wait(lambda: escaped.exists() and escaped.read_text(), 30, "the agent has detached a process"))
    if adopted:
        os.kill(suite.pids("workerd")[0], signal.SIGKILL)
        suite.log.wait("job.attached", agent=run["pid"])
    os.kill(suite.shims()[0].pid, signal.SIGKILL)
    line.wait(lambda: line.runs(item)[0]["outcome"], 30, "the end of the first run")
    assert not is_alive(stray) and not is_alive(run["pid"])
    check_recorded_once(line, item, ["transient", "success"])
    assert "left no status" in line.runs(item)[0]["reason"]


# --- machines of one name ---

def living(line):
    return line.db.column("select id from orch.process where ended_at is null order by id")


def test_two_machines_of_one_name(make_suite, project, agents, gate):
    """T-2: neither condemns the other; the second says what is wrong, once, and waits until the first has left."""
    gate.hold("analyst")
    a, b = make_suite(host_name="same", **LIVENESS).start(), make_suite(host_name="same", **LIVENESS)
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.db.query("update orch.process set boot_id = 'another-machine'")
    first = living(line)
    assert len(first) == 4
    b.start(wait=False)
    for daemon in ("workerd", "reaperd", "reconcilerd", "webhookd"):
        assert 'another machine beats under the host name "same"' in b.log.wait("process.refused", daemon=daemon)["error"]
    beats = "select min(beat_count) from orch.process where ended_at is null"
    before = line.db.value(beats)
    line.wait(lambda: line.db.value(beats) > before + 20, 90, "longer than takeover_after")
    assert living(line) == first and is_alive(run["pid"]) and Process(run["pid"]).state != "T"
    assert len(b.log.records("process.refused", daemon="workerd")) == 1 and not b.log.records("process.registered")
    assert not [r for suite in (a, b) for r in suite.log.records("reap.process-gone") + suite.log.records("process.fenced")]
    a.stop()
    line.suite = b
    b.wait_ready()
    assert not set(living(line)) & set(first)
    gate.open()
    line.wait_shown(item, "in_review")


# --- databases that do not fit ---

DAEMONS = ["workerd", "reaperd", "reconcilerd", "webhookd"]


def test_a_database_that_was_not_migrated(make_suite, empty_database):
    """O-5: each daemon says once what to do, and waits; nothing is restarted. Migrated, it serves."""
    suite = make_suite(database=empty_database, **LIVENESS)
    suite.start(wait=False)
    said = {daemon: suite.log.wait("process.refused", daemon=daemon) for daemon in DAEMONS}
    assert all("orchctl migrate" in record["hint"] and record["level"] == "error" for record in said.values())
    pids = {daemon: suite.pids(daemon) for daemon in DAEMONS}
    migrate(empty_database.dsn())
    suite.wait_ready()
    for daemon in DAEMONS:
        suite.log.wait("process.registered", daemon=daemon)
        assert len(suite.log.records("process.refused", daemon=daemon)) == 1
    assert {daemon: suite.pids(daemon) for daemon in DAEMONS} == pids


@pytest.mark.parametrize("function, text", [("schema_version", "the database has migration 1, this program needs"),
                                            ("schema_oldest", "the database is newer than this program")])
def test_a_database_of_another_release(suite, function, text):
    """O-5: older or newer: a daemon that starts waits, others go on; it registers when the database fits."""
    for daemon in DAEMONS:
        suite.log.wait("process.registered", daemon=daemon)
    body = suite.database.value(f"select pg_get_functiondef('orch.{function}'::regproc)")
    value = {"schema_version": 1, "schema_oldest": 999}[function]
    suite.database.query(f"create or replace function orch.{function}() returns integer language sql stable"
                         f" security definer set search_path = pg_catalog, pg_temp as 'select {value}'")
    mark = suite.log.mark()
    os.kill(suite.pids("workerd")[0], signal.SIGKILL)
    refused = suite.log.wait("process.refused", since=mark, daemon="workerd")
    assert text in refused["error"] and "orchctl migrate" in refused["hint"]
    suite.database.query(body)
    suite.log.wait("process.registered", since=mark, daemon="workerd", pid=refused["pid"])
