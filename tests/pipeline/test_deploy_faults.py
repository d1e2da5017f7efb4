"""A deploy whose command, folder or record misbehaves (M-3, R-6): it is started once, and what came of it is told as it is."""

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
