"""The report and the rollback of a watch when forge, database or commands do not do as they should (M-5, R-6, J-8)."""

import os
import signal

import pytest

from support.pipeline import away
from support.processes import is_alive
from support.watches import Watch, production


@pytest.fixture
def watch(suite, project):
    return Watch(suite, project)


@pytest.fixture
def held(make_suite, project, gate):
    """A watch whose probes wait until the test opens the gate; then production is healthy, and the report is due."""
    watch = Watch(make_suite(probe_timeout="60s").start(), project)
    watch.probe = f"flock --shared {gate.path} true"
    return watch


def monitors(watch, item):
    """How many commits the report is on its branch."""
    return watch.line.project.git("log", "--format=%an", watch.line.task(item)["branch"]).split("\n").count("monitor")


def test_the_forge_is_away_for_the_report(held, project, gate):
    """M-5, I-7: tried again; people hear of it once it has lasted; then it is written, once."""
    watch, gone = held, project.bare.with_name("gone.git")
    watch.line.setting("effect_backoff_s", 0)
    item = watch.done(probe=watch.probe)
    project.bare.rename(gone)
    gate.open()
    try:
        watch.suite.log.wait("watch.errand-failed", timeout=60, what="report")
        watch.line.wait(lambda: watch.alerts(item), 90, "people are told")
    finally:
        gone.rename(project.bare)
    assert "16-post-deploy.md" in watch.alerts(item)[0] and "cannot be written" in watch.alerts(item)[0]
    assert "post_deploy_status: HEALTHY" in watch.report(item) and monitors(watch, item) == 1


def test_the_forge_refuses_the_report(held, project, gate):
    """M-5: tried again until it is taken."""
    watch, hook = held, project.bare / "hooks/pre-receive"
    item = watch.done(probe=watch.probe)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    gate.open()
    failed = watch.suite.log.wait("watch.errand-failed", timeout=60, what="report")
    assert "could not be pushed" in failed["error"]
    hook.unlink()
    assert "HEALTHY" in watch.report(item) and monitors(watch, item) == 1


@pytest.mark.parametrize("how", ["pushed", "deleted"])
def test_a_branch_that_is_elsewhere(held, project, gate, how):
    """M-5: on top of what somebody has pushed; or, where the branch was deleted after the merge, on what was merged."""
    watch = held
    item = watch.done(probe=watch.probe)
    branch = watch.line.task(item)["branch"]
    head = project.head(branch)
    if how == "pushed":
        head = project.commit({"theirs.txt": "x\n"}, "By hand", branch=branch)
    else:
        project.git("update-ref", "-d", f"refs/heads/{branch}")
    gate.open()
    assert "HEALTHY" in watch.report(item)
    assert project.git("rev-parse", f"{branch}^") == head


def test_a_report_whose_record_is_lost(watch):
    """M-5, R-6: pushed, and its worker killed before that was recorded: the next one finds it there."""
    mark = watch.suite.log.mark()
    with away(watch.line.db, "report_ended"):
        item = watch.done(probe="true")
        watch.suite.log.wait("watch.not-recorded", since=mark, timeout=60, what="report")
        assert monitors(watch, item) == 1
        worker, = watch.suite.pids("workerd")
        os.kill(worker, signal.SIGKILL)
    assert "HEALTHY" in watch.report(item) and monitors(watch, item) == 1


def test_what_cannot_be_claimed_is_claimed_later(watch):
    """M-5: a fault of the database is said, and costs a beat."""
    mark = watch.suite.log.mark()
    with away(watch.line.db, "probe_take"):
        item = watch.done(probe="true")
        watch.suite.log.wait("watch.claim-failed", since=mark, timeout=60)
    watch.wait_state(item, "HEALTHY")


# --- rollback --------------------------------------------------------------------------------------------------------

def degraded(watch, folder, timeout=60, **commands):
    """A second deploy that is worse than the first; its rollback is as the test says."""
    current, usual = production(folder)
    wanted = {kind: command for kind, command in {**usual, **commands}.items() if command}
    watch.wait_state(watch.done(**wanted), "HEALTHY")
    item = watch.done()
    watch.wait_state(item, "DEGRADED", timeout)
    return item, current


def rolled_back(watch, item, status):
    watch.line.wait(lambda: watch.row(item)["rollback"] == status, 90, f"the rollback is {status}")
    row = watch.line.db.row("select * from orch.deploy_record where kind = 'rollback'")
    assert any(row["reason"] in text for text in watch.alerts(item))
    return row["reason"]


@pytest.mark.parametrize("rollback, why", [
    ("kill -9 $$", "ended by Killed"),
    ("sleep 600", "ended by deploy_timeout"),  # lasts
])
def test_a_rollback_that_is_ended(make_suite, project, folder, rollback, why):
    """M-5, J-3: a failure that people hear of; nothing is tried again."""
    watch = Watch(make_suite(deploy_timeout="3s").start(), project)
    item, _ = degraded(watch, folder, rollback=rollback)
    assert why in rolled_back(watch, item, "FAILED")


def test_a_rollback_that_claims_success(watch, folder):
    """M-5: it exits with 0, and deploy_check says that the degraded commit still runs: that is a failure."""
    item, _ = degraded(watch, folder, rollback="true")
    assert "the degraded commit still runs" in rolled_back(watch, item, "FAILED")


def test_a_rollback_that_nobody_can_check(watch, folder):
    """M-5: without deploy_check its exit code is what is known."""
    item, current = degraded(watch, folder, deploy_check=None)
    assert rolled_back(watch, item, "SUCCESS") == "the rollback command exited with 0"
    assert current.with_suffix(".rollbacks").read_text() == "start\n"


def test_a_rollback_whose_shim_is_killed(watch, folder, gate):
    """M-5, J-3: no exit code: what is left of it is killed, production is asked, and it is not started again."""
    item, current = degraded(watch, folder, rollback=f"echo $$ >>{folder}/rollback; flock --shared {gate.path} true")
    started = folder / "rollback"
    watch.line.wait(lambda: started.exists() and started.read_text().strip(), 60, "the rollback runs")
    shim, = (p for p in watch.suite.shims() if any("/deploys/" in a for a in p.args))
    os.kill(shim.pid, signal.SIGKILL)
    assert "the degraded commit still runs" in rolled_back(watch, item, "FAILED")
    pid, = started.read_text().split()
    assert not is_alive(int(pid))
    assert current.read_text() != current.with_suffix(".before").read_text()


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_rollback_does_not_wait_for_a_forge_that_it_does_not_need(watch, folder, project, mirrored):
    """M-5, I-7: the forge is away when production is found degraded. What was deployed is in the mirror of the host; where it is not, the
    rollback is begun when the forge is back."""
    _, usual = production(folder)
    gone, mirrors = project.bare.with_name("gone.git"), watch.suite.folder / "state/mirrors"
    lose = f"mv {project.bare} {gone} 2>/dev/null" + ("" if mirrored else f"; rm -rf {mirrors}")
    mark = watch.suite.log.mark()
    try:
        item, current = degraded(watch, folder, probe=f"{usual['probe']} || {{ {lose}; exit 1; }}")
        assert gone.exists()
        if not mirrored:
            failed = watch.suite.log.wait("watch.errand-failed", since=mark, timeout=60, what="rollback")
            assert not current.with_suffix(".rollbacks").exists() and watch.row(item)["rollback"] == "under way", failed
            gone.rename(project.bare)
        rolled_back(watch, item, "SUCCESS")
    finally:
        if gone.exists():
            gone.rename(project.bare)
    assert current.with_suffix(".rollbacks").read_text() == "start\n"


def test_a_rollback_whose_record_cannot_be_made(watch, folder):
    """M-5, R-6: nothing is started before the record is; then it is, once."""
    with away(watch.line.db, "watch_initiate"):
        item, current = degraded(watch, folder)
        watch.line.wait(lambda: watch.line.db.value("select count(*) from orch.deploy_record where kind = 'rollback' and token is not null"), 60, "it is claimed")
        assert not current.with_suffix(".rollbacks").exists()
    rolled_back(watch, item, "SUCCESS")
    assert current.with_suffix(".rollbacks").read_text() == "start\n"
