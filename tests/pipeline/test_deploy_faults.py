"""A deploy whose command, folder or record misbehaves (M-3, R-6): it is started once, and what came of it is told as it is."""

import fcntl
import os
import signal

import pytest

from support.deploys import Deploy
from support.pipeline import away


@pytest.fixture
def make_deploy(project, folder, gate):
    return lambda suite, **how: Deploy(suite, project, folder, gate, **how)


@pytest.mark.parametrize("end, why", [("kill -9 $$", "killed by signal 9"), ("kill -SEGV $$", "killed by signal 11")])
def test_a_command_that_is_killed(suite, make_deploy, end, why):
    """M-3, P-5: that is a failure, and is told as one."""
    deploy = make_deploy(suite, wait=False, end=end)
    item = deploy.begin()
    record = deploy.wait_status(item, "FAILED")
    assert why in record["reason"] and len(deploy.started()) == 1
    deploy.line.wait(lambda: deploy.line.task(item)["developer_rounds"] == 1, 60, "a round of development")


def test_a_shim_that_is_told_to_end(suite, make_deploy):
    """M-3: from outside, in order: the command is stopped, which is a failure and no riddle."""
    deploy = make_deploy(suite)
    item = deploy.begin()
    deploy.wait_started()
    shim, = (p for p in suite.shims() if any("/deploys/" in a for a in p.args))
    os.kill(shim.pid, signal.SIGTERM)
    assert "stopped from outside" in deploy.wait_status(item, "FAILED")["reason"]


def test_a_command_that_writes_its_status_itself(suite, make_deploy):
    """M-3, bad input: what is no status decides nothing: a person does. Nothing is started again."""
    deploy = make_deploy(suite)
    deploy.line.command("deploy", f'echo x x $$ >>{deploy.starts}; echo "exited=zero" >../status; flock --shared {deploy.gate.path} true')
    item = deploy.begin()
    deploy.wait_started()
    deploy.wait_status(item, "UNKNOWN")
    deploy.line.wait_shown(item, "blocked")
    deploy.gate.open()
    suite.orchctl("approve", item, "--comment", "it runs")
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1


def test_a_folder_that_cannot_be_made(suite, make_deploy):
    """M-3: nothing has been started, so it is tried again, and then starts once."""
    deploy = make_deploy(suite, wait=False)
    deploy.line.setting("job_backoff_s", 0)
    place = suite.folder / "state/deploys"
    place.write_text("in the way\n")
    item = deploy.line.item()
    deploy.line.approve_analysis(item)
    deploy.line.wait_shown(item, "awaiting_deploy")
    deploy.line.approve(item)
    deploy.line.wait(lambda: [r for r in deploy.line.runs(item, "releaser") if r["outcome"] == "transient"], 60, "the releaser could not")
    assert "could not be started" in deploy.line.runs(item, "releaser")[0]["reason"] and deploy.started() == []
    place.unlink()
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1


@pytest.mark.parametrize("function", ["deploy_look", "deploy_initiate"])
def test_the_record_cannot_be_asked(suite, make_deploy, function):
    """M-3, R-6: without the record nothing is started; then it is, once."""
    deploy = make_deploy(suite, wait=False)
    mark = suite.log.mark()
    with away(suite.database, function):
        item = deploy.begin()
        suite.log.wait("job.retry", since=mark, timeout=60, what="deploy record")
        assert deploy.started() == []
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1 and deploy.record(item)["status"] == "SUCCESS"


def test_drained_while_production_is_asked(make_suite, make_deploy, folder):
    """M-3, J-8: the command left no exit code, and the suite is stopped while deploy_check runs: it is asked again, nothing else is."""
    suite = make_suite(probe_timeout="60s").start()
    deploy = make_deploy(suite)
    asked = folder / "asked"
    deploy.line.command("deploy_check", f'echo x >>{asked}; flock --shared {deploy.gate.path} true; echo "$ORCH_HEAD_SHA"')
    item = deploy.begin()
    deploy.wait_started()
    shim, = (p for p in suite.shims() if any("/deploys/" in a for a in p.args))
    os.kill(shim.pid, signal.SIGKILL)
    deploy.line.wait(asked.exists, 60, "production is asked")
    suite.stop()
    assert deploy.record(item)["status"] is None
    deploy.gate.open()
    suite.start()
    deploy.line.wait_stage(item, "done")
    assert deploy.record(item)["status"] == "SUCCESS" and len(deploy.started()) == 1 and asked.read_text() == "x\nx\n"


def test_the_end_of_the_start_is_lost(suite, make_deploy):
    """M-3, R-6: the command runs, the releaser's end cannot be recorded, and its worker is killed: nothing is started again."""
    deploy = make_deploy(suite)
    item = deploy.line.item()
    deploy.line.approve_analysis(item)
    deploy.line.wait_shown(item, "awaiting_deploy")
    deploy.line.wait(lambda: not deploy.line.db.value("select count(*) from orch.job where active"), 60, "nobody else has to be recorded")
    mark = suite.log.mark()
    with away(suite.database, "deploy_begin"):
        deploy.line.approve(item)
        suite.log.wait("job.retry", since=mark, timeout=60, what="deploy record")
    with away(suite.database, "head_store"):
        deploy.wait_started()
        worker, = suite.pids("workerd")
        suite.log.wait("job.report-refused", since=mark, timeout=60)
        os.kill(worker, signal.SIGKILL)
    deploy.gate.open()
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1 and deploy.record(item)["status"] == "SUCCESS"


def test_a_shim_that_cannot_begin(suite, make_deploy):
    """M-3: somebody holds its lock, so it ends at once. The record says that it began, so nobody starts it again: a person decides."""
    deploy = make_deploy(suite, wait=False)
    item = deploy.line.item()
    deploy.line.approve_analysis(item)
    deploy.line.wait_shown(item, "awaiting_deploy")
    locks = suite.folder / "state/locks"
    locks.mkdir(exist_ok=True)
    with open(locks / f"deploy-{deploy.record(item)['id']}", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        deploy.line.approve(item)
        deploy.line.wait_run(item, "releaser")
        deploy.line.wait(lambda: deploy.line.runs(item, "finalizer"), 60, "the finalizer looks")
        assert deploy.record(item)["status"] is None
    deploy.wait_status(item, "UNKNOWN")
    deploy.line.wait_shown(item, "blocked")
    suite.orchctl("reject", item, "--comment", "it does not run")
    deploy.line.wait(lambda: deploy.line.task(item)["developer_rounds"] == 1, 60, "a round of development")
    assert deploy.started() == []


def test_stopped_while_the_record_cannot_be_made(suite, make_deploy):
    """C-5, C-6: its releaser runs, so STOP waits; then the deploy either has begun, and ends honestly, or never does."""
    deploy = make_deploy(suite, wait=False)
    mark = suite.log.mark()
    with away(suite.database, "deploy_initiate"):
        item = deploy.begin()
        suite.log.wait("job.retry", since=mark, timeout=60, what="deploy record")
        assert "deferred" in deploy.line.cancel(item)
    stage = deploy.line.wait_stage(item, "cancelled", "done", timeout=120)
    assert len(deploy.started()) == (stage == "done")
