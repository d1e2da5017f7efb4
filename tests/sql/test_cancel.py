"""Cancellation as far as rows go (C-1 to C-8)."""

import psycopg2
import pytest


def test_cancel_of_a_waiting_task_is_a_full_reset(world):
    """C-3: jobs, leases, branch deletion, stage, tombstones; the row stays."""
    a = world.item()
    world.work(until="development", item=a)
    head = world.task(a)["head_sha"]
    assert "is cancelled" in world.operate("cancel", a, "not wanted")["message"]
    task = world.db.row("select * from orch.task")
    assert (task["stage"], task["work_item"], task["tracker_id"]) == ("cancelled", f"{a}#cancelled-{task['id']}", f"1#cancelled-{task['id']}")
    assert task["cancelled_at"] is not None and task["cancel_requested_at"] is None
    assert [j["status"] for j in world.db.query("select status from orch.job order by id")] == ["done", "done", "cancelled"]
    payload = world.db.value("select payload from orch.effect where kind = 'delete_branch'")
    assert payload == {"branch": task["branch"], "expected": head}
    assert world.shown(a)[-1] == "cancelled"


def test_cancel_is_idempotent(world):
    """C-2: absent is an error; done or cancelled is no effect, no second message."""
    a = world.item()
    world.operate("cancel", a, None)
    before = world.db.value("select count(*) from orch.history")
    assert "nothing to cancel" in world.operate("cancel", a, None)["message"]
    assert world.db.value("select count(*) from orch.history") == before


def test_cancel_waits_for_the_running_agent(world):
    """C-3: the running agent is stopped first; then the reset."""
    a = world.item()
    job = world.claim()
    world.operate("cancel", a, None)
    assert world.task(a)["stage"] == "analysis" and world.db.value("select stop_requested_at is not null from orch.job")
    world.finish(job, "cancelled")
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_success_that_races_the_cancel_is_cancelled(world):
    """C-3: an agent that ended well just before it was stopped does not save the task."""
    a = world.item()
    job = world.claim()
    world.operate("cancel", a, None)
    world.succeed(job)
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_deferred_in_the_critical_window_then_void_when_done(world):
    """C-5, C-6: a deploy that has begun ends honestly; done makes the request a no-op and clears it."""
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    job = world.until("releaser")
    assert "deferred" in world.operate("cancel", a, None)["message"]
    assert "deferred" in world.operate("cancel", a, None)["message"]
    assert len([c for c in world.effects("comment", a) if "deferred" in c["text"]]) == 1
    assert world.db.value("select count(*) from orch.job where stop_requested_at is not null") == 0
    world.succeed(job)
    for _ in range(2):
        world.succeed(world.claim())
    task = world.task(a)
    assert task["stage"] == "done" and task["cancel_requested_at"] is None


def test_deferred_is_applied_when_the_deploy_failed(world):
    """C-6: the step ended honestly and the task is not done: full reset."""
    world.command("deploy", "true")
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    world.succeed(world.until("releaser"))
    world.operate("cancel", a, None)
    world.succeed(world.claim(), "FAILED")
    assert world.db.value("select stage from orch.task") == "cancelled"


@pytest.mark.parametrize("role", ["integrator", "releaser"])
@pytest.mark.parametrize("way_back", ["failed", "transient", "released", "lost"])
def test_deferred_is_applied_when_the_deploy_would_be_repeated(world, way_back, role):
    """C-6, J-6: the deploy, or the rebase under the merge lease, has ended without a result. It is not repeated, and does not wait for ever to be."""
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    job = world.until(role)
    assert "deferred" in world.operate("cancel", a, None)["message"]
    if way_back == "released":
        world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")
    elif way_back == "lost":
        world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    else:
        world.finish(job, way_back, reason="exit 1")
    assert world.db.value("select stage from orch.task") == "cancelled"
    assert world.db.value("select status from orch.job where id = %s", job["job_id"]) == "cancelled"


def test_parked_for_confirmation_is_not_critical(world):
    """C-5: waiting on deploy for a person is a full reset."""
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("cancel", a, None)
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_to_analyse_starts_a_cancelled_item_from_scratch(world):
    """C-3, C-7: the tombstone makes room; the old task stays cancelled and holds no gate."""
    a, b = world.item(), world.item()
    world.work(until="development", item=a)
    world.operate("cancel", a, None)
    assert world.blocks(b) == []
    assert "taken in" in world.move(a, "to_analyse")
    assert world.db.column("select stage from orch.task order by id") == ["cancelled", "analysis", "analysis"]
    assert world.blocks(a) == ["active-task"]
    world.operate("cancel", a, None)
    assert world.db.value("select count(*) from orch.task where work_item like '%%#cancelled-%%#cancelled-%%'") == 0
    assert world.db.value("select count(*) from orch.task where stage = 'cancelled'") == 2


def test_stop_in_the_tracker_cancels_and_its_switch_and_scope(world):
    """C-1, S-12: the state STOP is looked at before everything else."""
    a = world.item()
    world.set("stop_status_enabled", "off")
    assert "ignored" in world.move(a, "stop")
    world.set("stop_status_enabled", "on")
    world.set("stop_status_repos", "other")
    assert "ignored" in world.move(a, "stop")
    world.set("stop_status_repos", "")
    assert "is cancelled" in world.move(a, "stop")
    assert "ignored" in world.move(a, "stop")


def test_an_escalated_task_is_cancelled_at_once(world):
    """C-3: nothing runs and nothing will; what waits behind it goes on."""
    world.set("job_backoff_s", "0")
    a, b = world.item(), world.item()
    for _ in range(3):
        world.finish(world.claim(), "failed", reason="no")
    assert world.waits(a) == ["escalated"] and world.claim() is None
    assert "is cancelled" in world.operate("cancel", a, None)["message"]
    assert world.db.value("select stage from orch.task order by id limit 1") == "cancelled"
    assert world.claim()["work_item"] == b


def test_escalated_after_the_deploy_is_not_critical(world):
    """C-5: nothing is under way when the merge has failed for good; the cancellation does not wait for ever."""
    world.set("job_backoff_s", "0")
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    world.finish(world.until("merger"), "failed", reason="the forge refuses")
    for _ in range(2):
        world.finish(world.claim(), "failed", reason="the forge refuses")
    assert world.waits(a) == ["escalated"]
    assert "is cancelled" in world.operate("cancel", a, None)["message"]


def test_an_earlier_life_of_an_item_can_be_looked_at(world):
    """C-3: the row stays: the item names its tasks before, and each can be asked for by that name."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("cancel", a, "not wanted")
    gone = world.db.value("select work_item from orch.task")
    assert world.operate("item", a)["earlier"] == []
    world.move(a, "to_analyse")
    assert world.operate("item", a)["earlier"] == [gone] and world.operate("item", a)["runs"] == []
    before = world.operate("item", gone)
    assert before["task"]["stage"] == "cancelled" and [r["role"] for r in before["runs"]] == ["analyst"] and before["earlier"] == []
    with pytest.raises(psycopg2.Error, match="there is no work item"):
        world.operate("item", f"{a}#cancelled-99")
