"""Hosts that die, stand still or boot again, and what the reapers of the others, or their own, make of it.

Two hosts are two suites on one database, with host names and state folders of their own.
"""

import os
import re
import signal

import pytest

from support.agents import BODIES
from support.pipeline import AUTHORS, Pipeline
from support.processes import Process, is_alive

# The order of the defaults (options_check.c), a tenth as long: no quicker, because a beat that a busy machine holds up for
# takeover_after is a death.
LIVENESS = {"beat_interval": "500ms", "freeze_after": "4s", "takeover_after": "8s", "reaper_interval": "500ms"}
TAKEOVER_S = 8


@pytest.fixture
def hosts(make_suite):
    """Two hosts, the first of which runs."""
    return make_suite(host_name="a", **LIVENESS).start(), make_suite(host_name="b", **LIVENESS)


def living(line, host):
    return line.db.value("select count(*) from orch.process p join orch.host h on h.id = p.host_id"
                         " where h.name = %s and p.ended_at is null", host)


def host_of(line, run):
    return line.db.value("select h.name from orch.run r join orch.process p on p.id = r.process_id"
                         " join orch.host h on h.id = p.host_id where r.id = %s", run["id"])


def owner_pid(line, job):
    return line.db.value("select p.pid from orch.process p join orch.job j on j.process_id = p.id where j.id = %s", job)


def wait_taken_over(line, item, host="b"):
    line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"], 90, "the second run")
    assert host_of(line, line.runs(item)[1]) == host


def check_done_twice_begun(line, agents, item):
    """J-1, P-7: what was begun twice is done once."""
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == ["lost", "success"]
    job = line.jobs(item)[0]
    assert (job["attempts"], job["crashes"]) == (1, 1)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_a_dead_host_is_taken_over(hosts, project, agents, gate):
    """R-6, R-8, J-6: all of a host dies; after takeover_after, and not before, another one does its work, once."""
    a, b = hosts
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    a.power_off()
    assert not is_alive(run["pid"])
    wait_taken_over(line, item)
    gate.open()
    check_done_twice_begun(line, agents, item)
    line.check_no_overlap(agents)
    line.wait(lambda: living(line, "a") == 0, 90, "the rows of the dead host are ended")
    silences = line.db.query("select p.end_reason, p.ended_at - p.beat_at as silence from orch.process p"
                             " join orch.host h on h.id = p.host_id where h.name = 'a'")
    assert all(re.fullmatch(r"silent for \d+ s: beat \d+", row["end_reason"]) for row in silences)
    assert all(row["silence"].total_seconds() >= TAKEOVER_S for row in silences)


def test_a_host_that_stood_still_is_fenced(hosts, project, agents, gate):
    """T-5, R-6: SIGSTOP of a whole host for longer than takeover_after; when it goes on it writes nothing, stops its
    agent, condemns nobody, and joins again."""
    a, b = hosts
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    stopped = a.pause()
    wait_taken_over(line, item)
    line.wait(lambda: living(line, "a") == 0, 90, "the rows of the host that stands still are ended")
    a.resume(stopped)
    a.log.wait("process.fenced", daemon="workerd")
    line.wait(lambda: not is_alive(run["pid"]), 90, "its agent is stopped")
    line.wait(lambda: living(line, "a") == 4, 90, "it has joined again")
    gate.open()
    check_done_twice_begun(line, agents, item)
    assert not a.log.records("job.ended", job=run["job_id"]) and not a.log.records("job.pushed", job=run["job_id"])
    assert not [r for r in a.log.records("reap.process-gone") if r["host"] == "b"]


def test_a_run_stands_still_before_it_is_taken_over(hosts, project, agents, gate):
    """T-5, R-6: a host whose worker and reaper are stopped, but whose shim and agent are not: the shim has frozen the
    agent before another host begins, and kills it when the worker goes on and finds itself fenced."""
    a, b = hosts
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    stopped = a.pids("reaperd") + a.pids("workerd")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    line.wait(lambda: len(line.runs(item)) == 2, 90, "the second claim")
    assert Process(run["pid"]).state == "T"
    gate.open()
    check_done_twice_begun(line, agents, item)
    assert Process(run["pid"]).state == "T" and len(agents.marks("end", role="analyst")) == 1
    a.resume(stopped)
    a.log.wait("process.fenced", daemon="workerd")
    line.wait(lambda: not is_alive(run["pid"]), 90, "its agent is killed")
    assert len(agents.marks("end", role="analyst")) == 1 and not a.log.records("job.ended", job=run["job_id"])


def test_a_host_that_left_and_does_not_come_back(hosts, project, agents, gate):
    """R-6, J-8: a host left in order, its run was to be adopted, and nobody came: another host takes it over, once the
    agent stands still. When the host does come back it kills what is left there."""
    a, b = hosts
    gate.hold("analyst")
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.suite = b.start()
    a.stop()
    assert is_alive(run["pid"])
    line.wait(lambda: len(line.runs(item)) == 2, 90, "the second claim")
    assert Process(run["pid"]).state == "T"
    assert b.log.wait("reap.orphan-lost")["what"] == "stranded"
    gate.open()
    check_done_twice_begun(line, agents, item)
    a.start()
    line.wait(lambda: not is_alive(run["pid"]), 90, "its agent is killed")
    assert len(agents.marks("end", role="analyst")) == 1


def test_a_worker_that_hangs_is_killed_and_its_run_goes_on(make_suite, project, agents, gate):
    """R-6, J-8: SIGSTOP of one worker: the reaper of its host kills it, another worker adopts its run, and the same agent
    goes on where it was frozen."""
    gate.hold("analyst")
    suite = make_suite(workerd_count=2, **LIVENESS).start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    pid = owner_pid(line, run["job_id"])
    os.kill(pid, signal.SIGSTOP)
    assert suite.log.wait("reap.killed")["evidence"].startswith("silent for ")
    line.wait(lambda: not is_alive(pid) and owner_pid(line, run["job_id"]) != pid, 90, "the run is adopted")
    line.wait(lambda: Process(run["pid"]).state == "S", 90, "its agent goes on")
    gate.open()
    line.wait_shown(item, "in_review")
    assert [(r["pid"], r["outcome"]) for r in line.runs(item)] == [(run["pid"], "success")]
    assert (line.jobs(item)[0]["attempts"], line.jobs(item)[0]["crashes"]) == (1, 0)
    assert len(agents.marks("start", role="analyst")) == 1
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_an_earlier_boot_holds_nothing(make_suite, project, agents, gate):
    """T-2, R-6: whatever a process of an earlier boot held is given back, a run with a shim too, as soon as its silence shows
    that it is no other machine of the same name."""
    gate.hold("analyst")
    suite = make_suite(**LIVENESS).start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    suite.power_off()
    line.db.query("update orch.process set boot_id = 'an-earlier-boot', beat_at = now() - interval '1 year'")
    suite.start()
    line.wait(lambda: len(line.runs(item)) > 1, 60, "the second run")
    gate.open()
    line.wait_shown(item, "in_review")
    assert line.runs(item)[0]["outcome"] == "lost" and line.runs(item)[-1]["outcome"] == "success"
    evidence = suite.log.records("reap.process-gone")[0]["evidence"]
    assert evidence.startswith("silent for ") and "the host has booted since" in evidence
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_a_job_over_the_ceiling(make_suite, project, agents, gate):
    """R-6 tier 3, T-3: what runs for too long is taken back whatever its owner says, and people are alerted."""
    gate.hold("analyst")
    suite = make_suite(**LIVENESS).start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.db.query("update orch.job set claimed_at = now() - interval '1 day' where id = %s", run["job_id"])
    suite.log.wait("reap.overdue")
    assert line.db.value("select count(*) from orch.effect where kind = 'alert' and payload ->> 'text' like '%%taken back'") == 1
    gate.open()
    line.wait_shown(item, "in_review")
    assert line.runs(item)[0]["outcome"] == "lost" and line.runs(item)[-1]["outcome"] == "success"
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_leases_of_the_dead(make_suite, project):
    """R-7: a merge lease without a running job and a transition lease without a living owner go."""
    line = Pipeline(make_suite(**LIVENESS).start(), project)
    line.wait_shown(line.item(), "in_review")
    line.db.query("insert into orch.merge_lease (repo_id, task_id) select repo_id, id from orch.task")
    line.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose)"
                  " select t.id, p.process_id, 1, gen_random_uuid(), 'releaser' from orch.task t,"
                  " orch.process_start('testhost', 'an-earlier-boot', 'workerd', 1, 1, 'test') p")
    for lease in ("merge_lease", "transition_lease"):
        line.wait(lambda: line.db.value(f"select count(*) from orch.{lease}") == 0, 90, f"the {lease} is reclaimed")


# Kills the worker, then the shim, and lives on as a stray.
POISON = 'if [[ $ORCH_TITLE == Poison ]]; then\n' \
         'kill -KILL "$(cut -d " " -f 4 "/proc/$PPID/stat")" "$PPID"; exec tail -f /dev/null\n' \
         'fi\n'


def test_a_job_that_kills_its_worker_does_not_stand_in_the_way(make_suite, project, agents):
    """J-6, R-6: it waits behind its peers, fails for good after some crashes, and its strays are killed each time."""
    agents.set("analyst", POISON + BODIES["analyst"])
    suite = make_suite(worker_slots=1, **LIVENESS).start()
    line = Pipeline(suite, project, serial_gate_enabled="off", job_max_crashes=2, job_backoff_s=1)
    poison = line.item("Poison")
    suite.log.wait("job.started")
    peers = [line.item(f"Peer {n}") for n in range(2)]
    for peer in peers:
        line.wait_shown(peer, "in_review", timeout=90)
    line.wait_escalated(poison, timeout=120)
    job = line.jobs(poison)[0]
    outcomes = [r["outcome"] for r in line.runs(poison)]
    # a worker that looks while the reaper cleans finds the lock held, adopts, and then sees that nothing was left
    assert (job["status"], job["crashes"]) == ("failed", 3) and outcomes.count("lost") == 3 and set(outcomes) <= {"lost", "transient"}
    starts = [mark.work_item for mark in agents.marks("start", role="analyst")]
    assert starts.count(poison) == len(outcomes) and starts.index(peers[0]) < [i for i, s in enumerate(starts) if s == poison][2]
    strays = [mark.pid for mark in agents.marks("start", work_item=poison)]
    line.wait(lambda: not any(is_alive(pid) for pid in strays), 90, "its strays are killed")
    line.check_no_overlap(agents)
