"""What runs leave on a host, and how long it stays there (J-9, C-3, R-8, R-10)."""

import fcntl
import json
import os
import subprocess

import pytest

from support.pipeline import Pipeline
from support.wait import stays


@pytest.fixture
def line(make_suite, project):
    return Pipeline(make_suite(retention_interval="500ms").start(), project)


def runs_folder(line):
    return line.suite.folder / "state" / "runs"


def folders(line):
    return sorted(p.name for p in runs_folder(line).iterdir())


def names(runs):
    return sorted(f"{r['job_id']}-{r['epoch']}" for r in runs)


def with_folder(line, item):
    """Those of runs that have left a log, or had a worktree: the finalizer has no agent, and commits."""
    return [r for r in line.runs(item) if r["log"] or r["head_sha"]]


def age(line, item, days):
    """Makes the whole life of an item so many days older."""
    task = line.task(item)["id"]
    line.db.query("set session_replication_role = replica")
    line.db.query("update orch.run r set ended_at = r.ended_at - make_interval(days => %s) from orch.job j where j.id = r.job_id and j.task_id = %s", days, task)
    line.db.query("update orch.job set ended_at = ended_at - make_interval(days => %s) where task_id = %s", days, task)
    line.db.query("update orch.task set stage_entered_at = stage_entered_at - make_interval(days => %s) where id = %s", days, task)
    line.db.query("set session_replication_role = origin")


def refs(line):
    mirror = line.suite.folder / "state" / "mirrors" / f"{line.project.name}.git"
    out = subprocess.run(["git", "--git-dir", mirror, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/orch/runs"], check=True, capture_output=True, text=True)
    return sorted(out.stdout.split())


def test_logs_stay_for_their_time_and_commits_for_longer(line):
    """J-9: the log of a run is kept for keep_logs_days after its job ended, its commit for keep_commits_days after its task."""
    item, other = line.item("first"), line.item("second")
    line.pass_human_gates(item)
    line.wait_shown(other, "in_review")
    first, second = with_folder(line, item), with_folder(line, other)
    assert folders(line) == names(first + second) and all(os.path.getsize(r["log"]) >= 0 for r in first if r["log"])
    assert [r["role"] for r in first if not r["log"]] == ["finalizer"]
    committed = refs(line)
    assert len(committed) == 8
    age(line, item, 31)
    line.wait(lambda: folders(line) == names(second), 30, "the folders of the first go")
    locks = sorted(os.listdir(line.suite.folder / "state" / "locks"))
    assert not [r for r in first if f"job-{r['job_id']}" in locks] and f"job-{second[0]['job_id']}" in locks
    line.wait(lambda: all(r["files_removed_at"] for r in line.runs(item)), 30, "that is noted, also of runs that had none")
    assert not any(r["files_removed_at"] for r in line.runs(other))
    said = line.suite.orchctl("log", item, "--run", str(first[0]["id"]), check=False)
    assert said.returncode == 1 and "kept long enough" in said.stderr and "keep_logs_days" in said.stderr
    assert refs(line) == committed
    age(line, item, 60)
    line.wait(lambda: refs(line) == names(r for r in second if r["head_sha"]), 30, "the commits of the first go")
    line.approve(other)
    line.wait_shown(other, "awaiting_deploy", 120)  # the mirror is as good as before


def test_folders_of_deploys_go_as_well(line):
    """J-9, M-3: with log and lock, after keep_logs_days; one whose lock is held, because its command lives, stays."""
    line.command("deploy", "echo out")
    state = line.suite.folder / "state"
    item, other = line.item("first"), line.item("second")
    for each in (item, other):
        line.pass_human_gates(each)
    first, second = line.db.column("select id from orch.deploy_record order by id")
    assert (state / f"deploys/{first}/log").read_text() == "out\n"
    with open(state / f"locks/deploy-{second}", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line.db.query("update orch.deploy_record set finished_at = finished_at - interval '31 days'")
        line.wait(lambda: not (state / f"deploys/{first}").exists(), 30, "the folder goes")
        line.wait(lambda: line.db.value("select files_look_at from orch.deploy_record where id = %s", second), 30, "the other is looked at later")
    assert (state / f"deploys/{second}/log").exists() and not (state / f"locks/deploy-{first}").exists()
    line.db.query("update orch.deploy_record set files_look_at = now()")
    line.wait(lambda: not (state / f"deploys/{second}").exists(), 30, "now it goes, too")


def test_what_was_not_committed_stays_and_is_reported(line, agents):
    """C-3: a tree that could not be committed is kept, whatever its age, until somebody has saved it."""
    agents.set("analyst", "mkdir .GIT\necho precious >.GIT/work\n")
    line.setting("job_max_attempts", 1)
    item = line.item()
    assert "cannot be committed" in line.wait_escalated(item)
    run = line.runs(item)[0]
    folder = runs_folder(line) / f"{run['job_id']}-{run['epoch']}"
    line.suite.log.wait("job.tree-kept", job=run["job_id"])
    line.wait(lambda: not (folder / "owner").exists(), 30, "it is cleaned up")
    assert (folder / "tree" / ".GIT" / "work").read_text() == "precious\n"
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    age(line, item, 400)
    line.suite.log.wait("retention.kept", path=str(folder))
    assert (folder / "tree" / ".GIT" / "work").exists()
    told = json.loads(line.suite.orchctl("retention", "--json").stdout)
    assert [(k["folder"], "nowhere else" in k["reason"]) for k in told["kept"]] == [(folder.name, True)]
    assert "nowhere else" in line.suite.orchctl("retention").stdout
    subprocess.run(["rm", "-r", folder], check=True)
    line.db.query("update orch.run set files_look_at = now()")
    line.wait(lambda: line.runs(item)[0]["files_removed_at"], 30, "it is gone")


def test_one_host_tick_at_a_time(line):
    """R-8: while another reaper of the host is at it, as in an upgrade, this one touches no file."""
    item = line.item()
    line.wait_shown(item, "in_review")
    with open(line.suite.folder / "state" / "locks" / "retention", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line.cancel(item)
        line.wait_stage(item, "cancelled")
        age(line, item, 31)
        stays(lambda: len(folders(line)) == 1, 2.0)
    line.wait(lambda: folders(line) == [], 30, "then it goes")


def test_what_is_removed_is_what_was_announced(line):
    """R-10: `orchctl retention` says how much the next tick takes; the reaper then takes that."""
    line.suite.stop()
    line.db.query("insert into orch.event (source, body, status, ended_at) select 'gitea', 'x', 'ignored', now() - interval '100 days' from generate_series(1, 1200)")
    told = {r["rule"]: r for r in json.loads(line.suite.orchctl("retention", "--json").stdout)["rules"]}
    batch = line.db.value("select orch.retention_batch()")
    assert told["event"]["next"] == batch and told["event"]["due"] == 1200
    mark = line.suite.log.mark()
    line.suite.start()
    rows = [int(line.suite.log.wait("retention.removed", since=mark, what="event")["rows"])]
    line.wait(lambda: not line.db.value("select count(*) from orch.event"), 30, "tick after tick the rest goes")
    line.wait(lambda: len(line.suite.log.records("retention.removed", since=mark, what="event")) >= 3, what="each tick says so")
    assert rows == [batch]
    assert [int(r["rows"]) for r in line.suite.log.records("retention.removed", since=mark, what="event")] == [batch, batch, 1200 - 2 * batch]


def test_retention_ends_with_the_database_and_goes_on_with_it(line):
    """R-10, J-6: a tick that lost its connection in the middle is followed by one that does the rest."""
    item = line.item()
    line.wait_shown(item, "in_review")
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    line.db.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orch_reaperd'")
    age(line, item, 31)
    line.wait(lambda: folders(line) == [], 60, "the folder goes")
