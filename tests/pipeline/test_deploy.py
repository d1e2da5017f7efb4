"""A deploy in three phases (M-3), with the real processes: its command is started once and its end is known, whatever dies."""

import os
import signal

import pytest

from support.agents import BODIES
from support.deploys import Deploy
from support.pipeline import Pipeline
from support.processes import is_alive
from support.swallower import Swallower, socket_folder

# Silence is noticed sooner than a machine under load would be silent by itself.
LIVENESS = {"freeze_after": "20s", "takeover_after": "32s"}


@pytest.fixture
def make_deploy(project, folder, gate):
    return lambda suite, **how: Deploy(suite, project, folder, gate, **how)


def test_deployed_once_and_told(suite, project, make_deploy):
    """M-3, P-4, P-7: the command runs in a checkout of the head, once; what came of it is on the branch, in the ledger and in the record."""
    deploy = make_deploy(suite, wait=False)
    item = deploy.begin()
    deploy.line.wait_stage(item, "done")
    record, (start,) = deploy.record(item), deploy.started()
    assert start.split()[0] == start.split()[1] == record["sha"]
    assert (record["status"], record["exit_code"], record["host"]) == ("SUCCESS", 0, "testhost")
    assert record["awaiting_since"] < record["initiated_at"] < record["finished_at"]
    assert deploy.log(item).startswith(f"---\ndeploy_status: SUCCESS\nhook_exit_code: 0\nsha: {record['sha']}\n---\n")
    deploy.line.check_commits(item)
    evidence = deploy.line.db.row("select * from orch.evidence where gate = 'deploy_ok'")
    assert evidence["value"] == "SUCCESS" and evidence["blob"] and evidence["file"].endswith("14-deploy-log.md")
    shown = suite.orchctl_json("item", "show", item)["deploys"]
    assert [(d["kind"], d["state"], d["exit_code"]) for d in shown] == [("deploy", "SUCCESS", 0)]
    assert "SUCCESS" in suite.orchctl("deploy", "list").stdout
    suite.wait_for(lambda: not (suite.folder / f"state/deploys/{record['id']}/tree").exists(), what="its tree is removed")
    assert (suite.folder / f"state/deploys/{record['id']}/log").exists()


def test_failed_sends_back(suite, project, make_deploy):
    """P-5, M-3: any other exit code is a round of development, whose task says why; the next deploy is another record."""
    deploy = make_deploy(suite, wait=False)
    deploy.line.command("deploy", f"echo x x $$ >>{deploy.starts}; test $(wc -l <{deploy.starts}) -ge 2 || {{ echo 'no disk'; exit 7; }}")
    item = deploy.begin()
    deploy.line.wait(lambda: deploy.line.task(item)["developer_rounds"] == 1, 60, "a round of development")
    assert "the deploy command exited with 7" in deploy.line.db.value("select reason from orch.deploy_record")
    deploy.line.wait(lambda: deploy.line.task(item)["stage"] == "deploy", 120, "the second visit")
    deploy.line.approve(item)
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 2 and deploy.line.db.column("select status from orch.deploy_record order by id") == ["FAILED", "SUCCESS"]
    assert "deploy_status: SUCCESS" in deploy.log(item)


def test_never_ending_command_is_stopped(make_suite, project, make_deploy):
    """M-3, J-3: by its own clock, deploy_timeout, which is not the agents'."""
    deploy = make_deploy(make_suite(deploy_timeout="4s").start(), wait=False, end="sleep 600")  # lasts
    item = deploy.begin()
    record = deploy.wait_status(item, "FAILED")
    assert "deploy_timeout" in record["reason"] and not is_alive(int(deploy.started()[0].split()[2]))


def test_without_a_command_there_is_a_log_all_the_same(suite, project):
    """M-3, P-4."""
    line = Pipeline(suite, project)
    item = line.item()
    line.pass_human_gates(item)
    assert "the project has no deploy command" in project.read(f"docs/work-items/{item}/14-deploy-log.md")


def test_the_log_is_the_finalizers(suite, project, agents, make_deploy):
    """P-4, provenance: what an agent writes into 14-deploy-log.md is refused, and never counts."""
    agents.set("deployer", BODIES["deployer"] + 'verdict 14-deploy-log.md "deploy_status: SUCCESS"\n')
    deploy = make_deploy(suite, wait=False, end="exit 1")
    item = deploy.begin()
    deploy.wait_status(item, "FAILED")
    assert deploy.line.runs(item, "deployer")[0]["refused"] == [f"docs/work-items/{item}/14-deploy-log.md"]


def test_a_link_in_place_of_the_docs_folder_is_not_followed(suite, project, agents, folder, make_deploy):
    """P-4: a hostile tree does not choose where the orchestrator writes: the log is not written, nothing outside is."""
    outside = folder / "outside"
    outside.mkdir()
    agents.set("developer", BODIES["developer"] + f'ln -s {outside} "$docs/14-deploy-log.md"\n')
    deploy = make_deploy(suite, wait=False)
    item = deploy.begin()
    deploy.line.wait_stage(item, "done")
    assert list(outside.iterdir()) == [] and "deploy_status: SUCCESS" in deploy.log(item)


def test_what_the_command_leaves_running_lives(suite, project, make_deploy):
    """M-3: a deploy may start production; it is not the orchestrator's to kill."""
    left = suite.folder / "left"
    deploy = make_deploy(suite, wait=False, end=f"setsid sleep 300 >/dev/null 2>&1 & echo $! >{left}")  # lasts
    item = deploy.begin()
    deploy.line.wait_stage(item, "done")
    pid = int(left.read_text())
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


# --- whatever dies -----------------------------------------------------------------------------------------------

def finish(deploy, item):
    deploy.gate.open()
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1, "it was started twice"
    assert deploy.record(item)["status"] == "SUCCESS"


def kill_worker(suite):
    worker, = suite.pids("workerd")
    os.kill(worker, signal.SIGKILL)
    suite.wait_for(lambda: suite.pids("workerd") not in ([], [worker]), what="another worker")


def test_worker_killed_after_the_start(suite, project, make_deploy):
    """M-3, J-8: kill -9 while the command runs, twice; who comes after waits for its end."""
    deploy = make_deploy(suite)
    item = deploy.begin()
    pid = deploy.wait_started()
    for _ in range(2):
        kill_worker(suite)
    assert is_alive(pid)
    finish(deploy, item)


def test_worker_killed_between_the_record_and_the_start(make_suite, database, folder, project, make_deploy):
    """M-3: the record is committed, its answer never came, the worker is killed. It is started, once, by who comes after."""
    (folder / "pg").mkdir()
    swallower = Swallower(folder / "pg", socket_folder(database) / ".s.PGSQL.5480")
    suite = make_suite(**LIVENESS)
    suite.write_config(database=database.dsn().replace(str(socket_folder(database)), str(folder / "pg")))
    suite.start()
    deploy = make_deploy(suite)
    swallower.hold("deploy_initiate")
    item = deploy.begin()
    deploy.line.wait(lambda: deploy.record(item) and deploy.record(item)["initiated_at"], 60, "the record is committed")
    assert deploy.started() == []
    swallower.held_statement = None
    kill_worker(suite)
    deploy.wait_started()
    finish(deploy, item)
    suite.stop()
    swallower.close()


def test_supervisor_killed(suite, project, make_deploy):
    """M-3: kill -9 of the supervisor; its daemons leave, the command goes on."""
    deploy = make_deploy(suite)
    item = deploy.begin()
    pid = deploy.wait_started()
    old = suite.pids("workerd")
    suite.kill()
    suite.wait_for(lambda: not any(is_alive(p) for p in old), what="the daemons have left")
    assert is_alive(pid)
    suite.start()
    finish(deploy, item)


def test_drained_and_started_again(suite, project, make_deploy):
    """M-3, J-8: the suite is stopped in order in the middle, and the end of the command comes while nobody is there."""
    deploy = make_deploy(suite)
    item = deploy.begin()
    pid = deploy.wait_started()
    suite.stop()
    assert is_alive(pid)
    deploy.gate.open()
    suite.wait_for(lambda: not is_alive(pid), what="the command has ended")
    suite.start()
    finish(deploy, item)


def test_another_boot_starts_nothing(make_suite, project, make_deploy):
    """M-3, T-2: the host was booted in the middle: no exit code, nobody starts again, a person decides."""
    suite = make_suite(**LIVENESS).start()
    deploy = make_deploy(suite)
    item = deploy.begin()
    deploy.wait_started()
    suite.power_off()
    deploy.line.db.query("update orch.process set boot_id = 'an-earlier-boot', beat_at = now() - interval '1 year';"
                         "update orch.deploy_record set boot_id = 'an-earlier-boot'")
    suite.start()
    record = deploy.wait_status(item, "UNKNOWN", 90)
    assert "no exit code" in record["reason"]
    deploy.line.wait_shown(item, "blocked")
    suite.orchctl("approve", item, "--comment", "it runs")
    deploy.line.wait_stage(item, "done")
    assert len(deploy.started()) == 1 and deploy.record(item)["resolved_by"]


@pytest.mark.parametrize("check, status", [
    ('echo "$ORCH_HEAD_SHA"', "SUCCESS"), ("echo 0123456789012345678901234567890123456789", "FAILED"), ("exit 3", "UNKNOWN"), ("true", "UNKNOWN"),
    (None, "UNKNOWN")])
def test_shim_killed_leaves_no_exit_code(make_suite, project, make_deploy, check, status):
    """M-3: a hook that writes no exit code. Production is asked; without an answer a person decides, and rejects."""
    suite = make_suite(probe_timeout="20s").start()
    deploy = make_deploy(suite, end="sleep 600")  # lasts
    if check:
        deploy.line.command("deploy_check", check)
    item = deploy.begin()
    pid = deploy.wait_started()
    shim, = (p for p in suite.shims() if any("/deploys/" in a for a in p.args))
    os.kill(shim.pid, signal.SIGKILL)
    record = deploy.wait_status(item, status)
    assert "left no exit code" in record["reason"] and not is_alive(pid)
    if status == "SUCCESS":
        deploy.line.wait_stage(item, "done")
        assert "hook_exit_code" not in deploy.log(item)
    elif status == "UNKNOWN":
        deploy.line.wait_shown(item, "blocked")
        text = deploy.log(item, deploy.line.task(item)["branch"])
        assert text.startswith("---\ndeploy_status: UNKNOWN\nsha: ") and "a person decides" in text and "left no exit code" in text
        suite.orchctl("reject", item, "--comment", "it does not run")
    if status != "SUCCESS":
        deploy.line.wait(lambda: deploy.line.task(item)["developer_rounds"] == 1, 60, "a round of development")
    assert len(deploy.started()) == 1


def test_cancelled_in_its_middle(suite, project, make_deploy):
    """C-5, C-6: the running actor is left alone; the deploy fails honestly; then it is a full reset."""
    deploy = make_deploy(suite, end="exit 1")
    item = deploy.begin()
    pid = deploy.wait_started()
    assert "deferred" in deploy.line.cancel(item) and is_alive(pid)
    deploy.gate.open()
    deploy.line.wait_stage(item, "cancelled")
    assert len(deploy.started()) == 1


def test_forge_is_away_when_the_log_is_pushed(suite, project, make_deploy):
    """I-7, M-3: the finalizer tries again, and starts nothing again."""
    deploy = make_deploy(suite)
    item = deploy.begin()
    deploy.wait_started()
    away = project.bare.with_suffix(".away")
    project.bare.rename(away)
    deploy.gate.open()
    suite.log.wait("job.retry", timeout=60)
    away.rename(project.bare)
    finish(deploy, item)
