"""Processes that die without a word: their work goes back, once, and no agent runs twice."""

import os
import signal

from support.pipeline import AUTHORS, Pipeline
from support.processes import is_alive
from support.wait import stays

def owner_pid(line, job):
    return line.db.value("select p.pid from orch.process p join orch.job j on j.process_id = p.id where j.id = %s", job)


def test_a_worker_taken_for_dead_stops_and_writes_nothing(make_suite, project, agents, gate):
    """T-5, J-1: a worker whose host was declared dead, wrongly, kills its agents, writes nothing and leaves; the supervisor
    starts another, and the job is run once more."""
    gate.hold("analyst")
    suite = make_suite(workerd_count=2).start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    pid = owner_pid(line, run["job_id"])
    line.db.query("select orch.process_gone(process_id, 'a mistake', true, null) from orch.job where id = %s", run["job_id"])
    suite.log.wait("process.fenced", pid=pid)
    line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"], 30, "the second run")
    assert not is_alive(run["pid"])
    line.wait(lambda: pid not in suite.pids("workerd") and len(suite.pids("workerd")) == 2, 30, "another worker")
    gate.open()
    line.wait_shown(item, "in_review")
    assert [r["outcome"] for r in line.runs(item)] == ["lost", "success"]
    assert not suite.log.records("job.ended", pid=pid)
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_cancelled_while_its_worker_is_dead(make_suite, project, agents, gate):
    """J-6, C-7: what the dead held of a cancelled task becomes cancelled, and is not queued again."""
    gate.hold("analyst")
    suite = make_suite(reaper_interval="3s").start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    os.kill(owner_pid(line, run["job_id"]), signal.SIGKILL)
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    assert [job["status"] for job in line.jobs(item)] == ["cancelled"]
    line.wait(lambda: not is_alive(run["pid"]), what="the agent is stopped")
    stays(lambda: len(line.runs(item)) == 1, 1.0)


def test_a_reused_pid_is_no_proof_of_life(suite, project):
    """T-2, R-6: a process is its boot, its pid and that pid's start: a live pid with another start is another process."""
    line = Pipeline(suite, project)
    ours = line.db.row("select * from orch.process where daemon = 'workerd'")
    def impostor(boot, pid, start):
        return line.db.row("select * from orch.process_start('testhost', %s, 'workerd', %s, %s, 'test')", boot, pid, start,
                           user="orch_workerd")["process_id"]
    gone = [impostor(ours["boot_id"], ours["pid"], ours["pid_start"] - 1), impostor(ours["boot_id"], 2 ** 22 + 1, 1)]
    for process in gone:
        line.wait(lambda: line.db.value("select ended_at from orch.process where id = %s", process), 30, f"process {process} is reaped")
    assert line.db.value("select ended_at from orch.process where id = %s", ours["id"]) is None


def test_each_daemon_comes_back(suite, project):
    """R-8: any daemon killed: the supervisor starts another, whose row is new, and the old row is ended by the reaper."""
    line = Pipeline(suite, project)
    for name in ("reaperd", "reconcilerd", "workerd"):
        old = suite.pids(name)[0]
        os.kill(old, signal.SIGKILL)
        line.wait(lambda: set(suite.pids(name)) - {old}, 30, f"another {name}")
        # one statement: between two, the new one's row may come beside that of the old one, which is still to be ended
        line.wait(lambda: line.db.value("select count(*) = 1 and bool_and(pid <> %s) from orch.process where daemon = %s and ended_at is null",
                                        old, name), 30, f"the rows of {name}")
    item = line.item()
    line.wait_shown(item, "in_review")


def test_a_lost_job_is_found_by_the_reconciler(make_suite, project):
    """R-1: a task that stands still although its gate is green, or whose job was never queued, is moved on."""
    suite = make_suite(reconcile_interval="500ms").start()
    line = Pipeline(suite, project, stage_grace_s=0)
    item = line.item()
    line.wait_shown(item, "in_review")
    line.db.query("insert into orch.decision (task_id, stage, stage_version, gate, verdict, actor) select id, stage, stage_version, 'analysis_approved',"
                  " 'approved', 'lost event' from orch.task where work_item = %s", item)
    suite.log.wait("reconcile.advanced")
    line.wait_shown(item, "awaiting_deploy")


def test_leftovers_of_a_dead_worker_are_removed(make_suite, project, agents, gate):
    """J-9, T-5: a run whose claim is over when its worker dies has its agent killed and its tree removed; its log stays."""
    gate.hold("analyst")
    suite = make_suite().start()
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    folder = suite.folder / "state/runs" / f"{run['job_id']}-{run['epoch']}"
    assert (folder / "tree").exists()
    os.kill(owner_pid(line, run["job_id"]), signal.SIGKILL)
    line.db.query("select orch.process_gone(process_id, 'its host is dead', true, null) from orch.job where id = %s", run["job_id"])
    line.wait(lambda: not (folder / "tree").exists() and not (folder / "owner").exists(), 30, "the tree is removed")
    assert not is_alive(run["pid"])
    assert (folder / "log").exists() and suite.log.records("shim.evicted", job=run["job_id"], epoch=run["epoch"])
    gate.open()
    line.wait_shown(item, "in_review")
    line.check_no_overlap(agents)
