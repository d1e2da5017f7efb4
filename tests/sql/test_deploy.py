"""The record of a deploy: committed before the start, started once, ended once (M-3); the window it opens (C-5, C-6)."""

import pytest


def to_releaser(world, item):
    world.work(until="deploy", item=item)
    world.operate("approve", item, None)
    return world.until("releaser")


def initiate(world, job):
    return world.call("deploy_initiate", job["job_id"], job["epoch"], job["token"], "/state")[0]


def record(world, item, kind="deploy"):
    return world.db.row("select d.* from orch.deploy_record d join orch.task t on t.id = d.task_id where t.work_item = %s and d.kind = %s"
                        " order by d.id desc limit 1", item, kind)


def deployed(world, item, status="SUCCESS", **more):
    """The finalizer's end."""
    job = world.claim()
    assert job["role"] == "finalizer"
    world.finish(job, head_sha="c" * 40, deploy={"status": status, "reason": f"it was {status}", **more},
                 evidence=[{"gate": "deploy_ok", "value": status}])


@pytest.fixture
def item(world):
    world.command("deploy", "./deploy")
    return world.item()


def test_phase_a_is_the_stage(world, item):
    """M-3: from when the stage is entered the record awaits a person, and nothing has begun."""
    world.work(until="deploy", item=item)
    d = record(world, item)
    assert d["awaiting_since"] and d["initiated_at"] is None and d["status"] is None
    assert world.db.value("select state from orch.deploy", user="orch_readonly") == "awaiting"


def test_record_is_committed_before_the_start(world, item):
    """M-3: with commit, host and folder; the claim that asked may start, and hears the same again when its answer was lost."""
    job = to_releaser(world, item)
    answer = initiate(world, job)
    d = record(world, item)
    assert (answer["answer"], answer["dir"]) == ("start", f"/state/deploys/{d['id']}")
    assert (d["sha"], d["host"], d["boot_id"], d["command"]) == (world.task(item)["head_sha"], "testhost", "boot-1", "./deploy")
    assert initiate(world, job) == answer
    assert world.db.value("select count(*) from orch.deploy_record where initiated_at is not null") == 1


def test_a_fenced_claim_initiates_nothing(world, item):
    """T-5: a paused releaser that wakes up late does no harm."""
    job = to_releaser(world, item)
    world.call("job_release", job["job_id"], job["epoch"], job["token"], "a drain")
    assert initiate(world, job)["answer"] == "fenced" and record(world, item)["initiated_at"] is None


def lost(world, process=None):
    world.call("process_gone", process or world.process, "killed", False, None, user="orch_reaperd")


def test_who_comes_after_may_try_on_the_same_boot_only(world, item):
    """M-3: after a crash between commit and start a worker of the host goes on; the folder there says whether it was started.
    After a boot nobody can say, so nobody starts."""
    job = to_releaser(world, item)
    initiate(world, job)
    lost(world)
    world.process, world.epoch = world.add_process(pid=2)
    again = world.claim()
    assert again["job_id"] == job["job_id"] and again["epoch"] > job["epoch"]
    assert initiate(world, job)["answer"] == "fenced"
    assert initiate(world, again)["answer"] == "start"
    lost(world)
    world.process, world.epoch = world.add_process(pid=3, boot="boot-2")
    world.db.query("update orch.job set run_at = now() where status = 'queued'")
    assert initiate(world, world.claim())["answer"] == "already"


def test_only_its_host_goes_on(world, item):
    """M-3, S-14: releaser and finalizer are the host's that has the folder; others do not claim them, and say why."""
    job = to_releaser(world, item)
    initiate(world, job)
    lost(world)
    other = world.add_process(pid=9, host="otherhost")
    assert world.claim(*other) is None
    assert [w["reason"] for w in world.call("why", item, user="orch_readonly")] == ["only a worker of host testhost can do it"]
    world.process, world.epoch = world.add_process(pid=2)
    world.succeed(world.claim())
    assert world.claim(*other) is None
    deployed(world, item)
    assert world.claim(*other)["role"] == "merger"


def test_without_a_command_there_is_nothing_to_start(world):
    """M-3: the deploy is a SUCCESS that says so, and any host may write the log."""
    item = world.item()
    job = to_releaser(world, item)
    assert initiate(world, job)["answer"] == "nothing"
    d = record(world, item)
    assert (d["status"], d["reason"], d["host"]) == (None, "the project has no deploy command", None)
    assert initiate(world, job)["answer"] == "already"
    world.succeed(job)
    world.set("deploy_host_gone_s", "0")
    world.call("reconcile_gates", 10, user="orch_reconcilerd")
    assert world.claim(*world.add_process(pid=9, host="otherhost"))["role"] == "finalizer"


def test_what_came_of_it_is_stored_once(world, item):
    """M-3, C-6: phase C; the status of the record is the gate."""
    world.succeed(to_releaser(world, item))
    deployed(world, item, exit_code=0)
    d = record(world, item)
    assert (d["status"], d["exit_code"]) == ("SUCCESS", 0)
    world.db.query("select orch.deploy_close(d, 'x', 'FAILED', 1, 'late') from orch.deploy_record d")
    assert record(world, item)["status"] == "SUCCESS"


def test_failed_goes_back_and_deploys_anew_later(world, item):
    """P-5, M-3: a FAILED deploy is a round of development; the next visit of the stage has a record of its own."""
    world.succeed(to_releaser(world, item))
    deployed(world, item, "FAILED", exit_code=3)
    assert world.task(item)["stage"] == "development" and world.task(item)["developer_rounds"] == 1
    job = world.claim()
    assert "the deploy has FAILED: it was FAILED" in job["input"]
    world.succeed(job)
    assert initiate(world, to_releaser(world, item))["answer"] == "start"
    assert world.db.column("select status from orch.deploy_record order by id") == ["FAILED", None]


@pytest.mark.parametrize("verdict, stage", [("approve", "done"), ("reject", "development")])
def test_unknown_is_for_a_person(world, item, verdict, stage):
    """M-3: nobody knows what came of it: Blocked, one alert, and the person's word is kept; no word is no pass."""
    world.succeed(to_releaser(world, item))
    deployed(world, item, "UNKNOWN")
    assert world.task(item)["stage"] == "deploy" and world.claim() is None and world.waits(item) == ["person"]
    assert world.shown(item)[-1] == "blocked" and len(world.effects("alert", item)) == 1
    world.db.value("select orch.advance(%s, 'test')", world.task_id(item))
    assert len(world.effects("alert", item)) == 1
    world.operate(verdict, item, "I looked")
    assert record(world, item)["resolved_by"] == "orch_operator"
    if stage == "done":
        world.succeed(world.claim())
    assert world.task(item)["stage"] == stage


@pytest.mark.parametrize("status, window", [(None, True), ("UNKNOWN", True), ("SUCCESS", True), ("FAILED", False)])
def test_critical_window(world, item, status, window):
    """C-5: from the record on, until the deploy has failed or the stage has ended; doubt is critical. Parked it is not."""
    def critical():
        return world.db.value("select orch.in_critical_window(t) from orch.task t where work_item = %s", item)
    world.work(until="deploy", item=item)
    assert not critical()
    world.operate("approve", item, None)
    initiate(world, world.until("releaser"))
    assert critical()
    if status:
        world.db.query("update orch.job set status = 'done', process_id = null, token = null, claimed_at = null, ended_at = now() where status = 'running';"
                       "update orch.deploy_record set finished_at = now(), status = %s", status)
    assert critical() == window


def test_deferred_cancel_is_applied_after_a_failed_deploy(world, item):
    """C-6: the deploy ended honestly, and not in done: a full reset."""
    world.succeed(to_releaser(world, item))
    assert "deferred" in world.operate("cancel", item, "no")["message"]
    deployed(world, item, "FAILED")
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_cancel_during_unknown_waits_for_the_person(world, item):
    """C-5, C-6: doubt is critical. Approved and merged, the request is cleared; rejected, it is applied."""
    world.succeed(to_releaser(world, item))
    deployed(world, item, "UNKNOWN")
    assert "deferred" in world.operate("cancel", item, "no")["message"]
    assert world.task(item)["stage"] == "deploy"
    world.db.query("update orch.task set cancel_requested_at = null, cancel_requested_by = null")
    world.operate("approve", item, "it runs")
    assert "deferred" in world.operate("cancel", item, "no")["message"]
    world.succeed(world.claim())
    task = world.task(item)
    assert task["stage"] == "done" and task["cancel_requested_at"] is None


def test_host_that_is_gone_for_good(world, item):
    """M-3: after deploy_host_gone_s without a worker of the host the outcome is UNKNOWN, by name of the host, and a person decides."""
    world.succeed(to_releaser(world, item))
    lost(world)
    other = world.add_process(pid=9, host="otherhost")
    sweep = lambda: world.call("reconcile_gates", 10, user="orch_reconcilerd")  # noqa: E731
    sweep()
    assert record(world, item)["status"] is None
    world.set("deploy_host_gone_s", "1")
    world.db.query("update orch.process set ended_at = now() - interval '2 s' where id = %s; update orch.deploy_record set initiated_at = now() - interval '1 h'", world.process)
    sweep()
    d = record(world, item)
    assert d["status"] == "UNKNOWN" and "host testhost" in d["reason"]
    assert world.waits(item) == ["person"] and len(world.effects("alert", item)) == 1
    sweep()
    world.operate("approve", item, None)
    assert world.claim(*other)["role"] == "merger"


def test_host_that_has_a_worker_is_not_gone(world, item):
    """M-3: however long a deploy takes."""
    world.succeed(to_releaser(world, item))
    world.set("deploy_host_gone_s", "0")
    world.db.query("update orch.deploy_record set initiated_at = now() - interval '9 h'")
    world.call("reconcile_gates", 10, user="orch_reconcilerd")
    assert record(world, item)["status"] is None


def test_retry_never_deploys_again(world, item):
    """P-5, M-3: when the merge has failed for good, or the finalizer has, only that job begins anew."""
    world.succeed(to_releaser(world, item))
    job = world.claim()
    for _ in range(3):
        world.finish(job, "failed", reason="no")
        world.db.query("update orch.job set run_at = now() where status = 'queued'")
        job = world.claim()
    assert job is None and "finalizer failed" in world.task(item)["escalation"]
    version = world.task(item)["stage_version"]
    world.operate("retry", item, None)
    assert world.task(item)["stage_version"] == version
    deployed(world, item)
    assert world.claim()["role"] == "merger"
    assert world.db.value("select count(*) from orch.deploy_record where initiated_at is not null") == 1


def test_cancel_clears_what_was_not_begun(world, item):
    """C-3, C-5: parked on deploy is not critical; the awaiting record goes, an initiated one would stay."""
    world.work(until="deploy", item=item)
    world.operate("cancel", item, "no")
    assert world.db.value("select count(*) from orch.deploy_record") == 0


def test_listing(world, item):
    """O-2, O-3: deploy_list and item show the record."""
    world.succeed(to_releaser(world, item))
    shown = world.operate("deploy_list", None)["deploys"][0]
    assert (shown["work_item"], shown["state"], shown["host"]) == (item, "under way", "testhost")
    assert world.operate("deploy_list", "DEMO-99") == {"deploys": [], "observations": []}
    assert world.operate("item", item)["deploys"][0]["state"] == "under way"
