"""Pause without blocking, priorities, and another try: acts on one task (S-8, S-11, P-5, O-2, O-4)."""

import psycopg2
import pytest

from world import fake_sha


def history(world, item, kind):
    return world.db.query("select actor, detail from orch.history h join orch.task t on t.id = h.task_id where t.work_item = %s and kind = %s order by h.id",
                          item, kind)


def test_the_incident_that_caused_pause(world):
    """S-8: a predecessor in development holds up an urgent successor; paused, it does not; resumed, its next job runs, the
    successor keeps going, and new entries wait again."""
    slow = world.item("Slow")
    world.work(until="development", item=slow)
    running = world.claim()
    urgent = world.item("Urgent", priority=0)
    assert world.blocks(urgent) == ["active-task"] and world.claim() is None
    assert "left to end" in world.operate("pause", slow, "waits for the vendor")["message"]
    assert world.claim()["work_item"] == urgent
    assert world.succeed(running) == "recorded"  # what ran is left to end, and counts
    assert world.blocks(slow) == ["pause"] and world.claim() is None
    world.succeed({**world.db.row("select * from orch.running_job"), "work_item": urgent})
    world.operate("approve", urgent, None)
    third = world.item("Third")
    assert world.blocks(third) == ["active-task"]
    world.operate("resume", slow)
    assert {world.claim()["work_item"], world.claim()["work_item"]} == {slow, urgent}
    assert world.blocks(third) == ["active-task"] and f"{slow} is earlier" in world.call("why", third, user="orch_readonly")[0]["reason"]


def test_pause_bypasses_no_dependency_and_no_freeze(world):
    """S-8: who depends on the paused task, or is in a frozen repo, still waits."""
    slow, urgent = world.item(), world.item()
    world.db.query("insert into orch.task_dependency values (%s, %s, 'test')", world.task_id(urgent), world.task_id(slow))
    world.operate("pause", slow, None)
    assert world.blocks(urgent) == ["dependency"]
    world.operate("freeze", "demo", "look first", None)
    assert world.blocks(urgent) == ["freeze", "dependency"]
    assert world.claim() is None


def test_with_the_switch_off_nothing_has_changed(world):
    """S-8, S-12: pausing is refused with a clear message; a pause made before does not count; it can still be ended."""
    a, b = world.item(), world.item()
    world.operate("pause", a, None)
    world.set("serial_gate_pause_enabled", "off")
    assert world.blocks(a) == [] and world.blocks(b) == ["active-task"]
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("pause", b, None)
    assert refused.value.pgcode == "OR002" and "serial_gate_pause_enabled on" in refused.value.diag.message_hint
    assert world.operate("resume", a)["paused_at"] is None


def test_pause_and_resume_twice_change_nothing(world):
    """O-2: idempotent, and each call is audited; the history has each change once."""
    a = world.item()
    first = world.operate("pause", a, "once")
    again = world.operate("pause", a, "twice")
    assert again["paused_at"] == first["paused_at"] and "already, by orch_operator" in again["message"]
    assert [row["detail"] for row in history(world, a, "pause")] == [{"reason": "once"}]
    assert world.operate("resume", a)["waits"][0]["axis"] == "slot"
    assert "not paused" in world.operate("resume", a)["message"]
    assert len(history(world, a, "resume")) == 1
    assert world.db.column("select act from orch.audit where object = %s and act <> 'item_create' order by id", a) == ["pause", "pause", "resume", "resume"]


@pytest.mark.parametrize("act, args", [("pause", (None,)), ("priority_set", (1,)), ("retry", (None,))])
def test_a_task_that_is_over_is_left_alone(world, act, args):
    """O-5: refused under the name people know, done or cancelled."""
    world.set("serial_gate_enabled", "off")
    done, cancelled = world.item(), world.item()
    world.operate("cancel", cancelled, None)
    world.work(until="done", item=done)
    for item, stage in ((done, "done"), (cancelled, "cancelled")):
        with pytest.raises(psycopg2.Error) as refused:
            world.operate(act, item, *args)
        assert refused.value.pgcode == "OR002" and f"{item} is {stage}" in refused.value.diag.message_primary
    assert "nothing to resume" in world.operate("resume", cancelled)["message"]


def test_a_pause_waits_for_the_claim_of_its_lane(world):
    """S-8: pause and claim lock the lane, so one of them is first: a claim that is under way is seen."""
    world.item()
    with world.db.connect("orch") as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("select from orch.job_claim(%s, %s)", (world.process, world.epoch))
        world.db.query("set lock_timeout = '100ms'", user="orch_operator")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            world.operate("pause", "DEMO-1", None)
        other.commit()
    assert "left to end" in world.operate("pause", "DEMO-1", None)["message"]


def test_priority_moves_a_task_forward(world):
    """S-11: the queued job and the next ones have it, and the tracker shows it."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item(project="other")
    assert world.operate("priority_set", b, 0)["priority"] == 0
    assert "already" in world.operate("priority_set", b, 0)["message"]
    assert world.claim()["work_item"] == b
    assert world.db.column("select priority from orch.local_item order by id") == [2, 0]
    assert [row["detail"] for row in history(world, b, "priority")] == [{"from": 2, "to": 0}]
    world.succeed(world.db.row("select * from orch.running_job"))
    world.operate("approve", b, None)
    assert world.db.value("select priority from orch.job where status = 'queued' and role = 'architect'") == 0
    assert world.db.value("select priority from orch.job where task_id = %s", world.task_id(a)) == 2


def escalated_by_failure(world):
    world.set("job_max_attempts", "1")
    a = world.item()
    world.finish(world.claim(), "failed", reason="it fell over")
    return a


def test_retry_of_a_job_that_failed_for_good(world):
    """P-5: a person acts: the stage begins anew, with new attempts and the comment; the tracker shows the stage again."""
    a = escalated_by_failure(world)
    assert world.waits(a) == ["escalated"] and world.shown(a)[-1] == "blocked" and world.claim() is None
    assert "orchctl retry" in world.call("why", a, user="orch_readonly")[0]["ends_when"]
    answer = world.operate("retry", a, "the disk was full")
    assert answer["escalation"] is None and answer["message"] == f"{a} is tried again, in analysis"
    assert world.shown(a)[-1] == "analysis"
    job = world.claim()
    assert (job["attempt"], job["input"]) == (1, "the disk was full")
    assert history(world, a, "retry")[0]["detail"] == {"escalation": "the analyst failed: it fell over", "comment": "the disk was full"}
    assert "not held up" in world.operate("retry", a, None)["message"]


def test_retry_after_too_many_rounds(world):
    """P-5: it gets its rounds of development anew, and the developer hears the reviewer and the person."""
    world.set("max_developer_retries", "0")
    a = world.item()
    world.work(until="review", item=a)
    world.succeed(world.claim(), "REQUEST_CHANGES")
    assert world.waits(a) == ["escalated"]
    world.set("max_developer_retries", "1")
    assert world.operate("retry", a, "mind the leap years")["stage"] == "development"
    job = world.claim()
    assert job["role"] == "developer" and "REQUEST_CHANGES" in job["input"] and "leap years" in job["input"]
    assert world.task(a)["developer_rounds"] == 1


def test_retry_ends_a_backoff(world):
    """S-6: a job that waits for its next attempt is claimable at once; the attempts stay counted."""
    a = world.item()
    world.finish(world.claim(), "failed", reason="flaky")
    assert world.blocks(a) == ["backoff"]
    assert "analyst" in world.operate("retry", a, None)["message"]
    assert world.claim()["attempt"] == 2


def test_retry_in_every_stage(world):
    """P-5: an edge leads back into each stage that a role can fail in."""
    world.set("job_max_attempts", "1")
    a, seen = world.item(), []
    while world.task(a)["stage"] != "done":
        job = world.claim()
        if job is None:
            world.operate("approve", a, None)
        elif (job["stage"], job["role"]) in seen:
            world.succeed(job)
        else:
            seen.append((job["stage"], job["role"]))
            world.finish(job, "failed", reason="it fell over", head_sha=fake_sha())
            assert world.operate("retry", a, None)["stage"] == job["stage"]
    assert len(seen) == world.db.value("select count(*) from orch.stage_step where role is not null and command is null")


def test_retry_is_refused_while_it_is_cancelled(world):
    a = world.item()
    world.claim()
    world.operate("cancel", a, None)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("retry", a, None)
    assert refused.value.pgcode == "OR002"


def test_names_are_found_by_an_index(world):
    """O-2: an act on one task does not read all of them, whatever the name is made of."""
    world.db.query("insert into orch.task (project_id, repo_id, tracker_id, work_item, title, stage, stage_version) "
                   "select p.id, p.repo_id, 'x' || n, 'DEMO-x' || n, 't', 'done', 1 from orch.project p, generate_series(1, 20000) n")
    world.db.query("analyze orch.task")
    a = world.item()
    world.operate("cancel", a, None)
    world.move(a, "to_analyse")
    plan = world.db.query("explain (format json) select t from orch.task t where regexp_replace(t.work_item, '#cancelled-[0-9]+$', '') = %s "
                          "and t.work_item in (%s, %s || '#cancelled-' || t.id) order by t.id desc limit 1", a, a, a)
    assert "task_of_item" in str(plan) and "Seq Scan" not in str(plan)
    assert world.db.value("select (orch.task_of(%s)).work_item", a) == a
    for odd in ("DEMO-.*", "%", "", "DEMO-1#cancelled-1", "x' or 1=1 --"):
        assert world.db.value("select (orch.task_of(%s)).id", odd) is None
