"""Each axis by its view, its switch and its scope (S-1 to S-6, S-8 to S-10, S-12, S-14)."""

import pytest


def pause(world, item):
    world.db.query("update orch.task set paused_at = now(), paused_by = 'test' where work_item = %s", item)


def resume(world, item):
    world.db.query("update orch.task set paused_at = null, paused_by = null where work_item = %s", item)


def freeze(world, repo="demo", reason="production is degraded"):
    world.db.query("insert into orch.repo_freeze (repo_id, reason, frozen_by) select id, %s, 'test' from orch.repo where name = %s", reason, repo)


def depend(world, item, on):
    world.db.query("insert into orch.task_dependency values (%s, %s, 'test')", world.task_id(item), world.task_id(on))


def test_batch_admits_exactly_its_oldest(world):
    """S-5, S-10: a batch of fresh tasks admits its oldest, and does not deadlock."""
    a, b, c = [world.item(f"Thing {n}") for n in range(3)]
    assert [world.blocks(i) for i in (a, b, c)] == [[], ["active-task"], ["active-task"]]
    assert world.claim()["work_item"] == a
    assert world.claim() is None


def test_successor_enters_when_predecessor_is_done(world):
    """S-5, P-8: the next entry job waits until the earlier task is terminal."""
    a, b = world.item(), world.item()
    world.work(until="done", item=a)
    assert world.task(b)["stage"] == "analysis"
    assert world.claim()["work_item"] == b


def test_flow_jobs_pass_freeze_and_serial(world):
    """S-9: a task already under way is gated by neither."""
    a, b = world.item(), world.item()
    world.work(until="architecture", item=a)
    freeze(world)
    job = world.claim()
    assert (job["work_item"], job["role"]) == (a, "architect")
    assert world.blocks(b) == ["freeze", "active-task"]


def test_freeze_holds_entry_until_cleared_and_outlives_its_task(world):
    """S-2: an active freeze blocks entry jobs, also after the task that caused it is done."""
    a = world.item()
    world.work(until="done", item=a)
    freeze(world)
    b = world.item()
    assert world.blocks(b) == ["freeze"] and world.claim() is None
    assert "production is degraded" in world.call("why", b, user="orch_readonly")[0]["reason"]
    world.db.query("update orch.repo_freeze set cleared_at = now(), cleared_by = 'test'")
    assert world.claim()["work_item"] == b


def test_pause_lets_successor_overtake_and_blocks_own_jobs(world):
    """S-3, S-8: paused is out of the active set; its own next job waits; resume is the reverse."""
    a, b = world.item(), world.item()
    world.work(until="development", item=a)
    pause(world, a)
    assert world.blocks(a) == ["pause"]
    assert world.claim()["work_item"] == b
    resume(world, a)
    c = world.item()
    assert world.blocks(a) == [] and world.blocks(c) == ["active-task"]
    assert world.claim()["role"] == "developer"


def test_pause_bypasses_neither_dependency_nor_freeze(world):
    """S-4, S-8: a dependency on a paused task still blocks."""
    a, b = world.item(), world.item()
    depend(world, b, a)
    pause(world, a)
    assert world.blocks(b) == ["dependency"]
    freeze(world)
    assert world.blocks(b) == ["freeze", "dependency"]


def test_cancelled_predecessor_no_longer_blocks(world):
    """S-4: a dependency ends with its predecessor, cancelled as well as done."""
    world.set("serial_gate_enabled", "off")
    a, b = world.item(), world.item()
    depend(world, b, a)
    assert world.blocks(b) == ["dependency"]
    world.operate("cancel", a, None)
    assert world.blocks(b) == []


def test_cancel_request_blocks_every_job(world):
    """S-1: a requested cancellation wins over everything."""
    a = world.item()
    world.db.query("update orch.task set cancel_requested_at = now() where work_item = %s", a)
    assert world.blocks(a)[0] == "cancel" and world.claim() is None


def test_backoff_holds_until_run_at(world):
    """S-6: a job whose time has not come is not claimable, and says when."""
    a = world.item()
    world.db.query("update orch.job set run_at = now() + interval '1 hour'")
    assert world.blocks(a) == ["backoff"] and world.claim() is None
    world.db.query("update orch.job set run_at = now()")
    assert world.claim()["work_item"] == a


@pytest.mark.parametrize("switch, axis, make", [
    ("serial_gate_enabled", "active-task", lambda w, a, b: None),
    ("serial_gate_enabled", "freeze", lambda w, a, b: freeze(w)),
    ("serial_gate_freeze_enabled", "freeze", lambda w, a, b: freeze(w)),
    ("serial_gate_pause_enabled", "pause", lambda w, a, b: pause(w, b)),
    ("task_deps_enabled", "dependency", lambda w, a, b: depend(w, b, a)),
])
def test_switch_off_means_the_axis_does_not_exist(world, switch, axis, make):
    """S-12: each switch, by itself."""
    a, b = world.item(), world.item()
    make(world, a, b)
    assert axis in world.blocks(b)
    world.set(switch, "off")
    assert axis not in world.blocks(b)


def test_pause_switch_off_restores_the_active_set(world):
    """S-8, S-12: serial_gate_pause_enabled decides over both halves of the pause."""
    a, b = world.item(), world.item()
    pause(world, a)
    assert world.blocks(b) == []
    world.set("serial_gate_pause_enabled", "off")
    assert world.blocks(b) == ["active-task"] and world.blocks(a) == []


@pytest.mark.parametrize("scope, gated", [
    ("", True), ("demo", True), ("other", False), ("other, demo", True), ("other  demo", True),
    ("demo'; drop table orch.task; --", False), ("demo drop'; --", True), ("$$ ;", True), ("de", False), ("./..;x other", False),
])
def test_scopes(world, scope, gated):
    """S-12: an empty scope is all repos; bad tokens are dropped and harm nothing else."""
    _, b = world.item(), world.item()
    world.set("serial_gate_repos", scope)
    assert world.blocks(b) == (["active-task"] if gated else [])


def test_repos_do_not_gate_each_other(world):
    """S-5, S-11: the gate is per repo, and repos take turns."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item(project="other")
    assert [world.claim()["work_item"], world.claim()["work_item"]] == [a, b]


def test_every_live_task_has_a_reason(world):
    """S-14: no waiting task has an empty list; a claimable job has no block."""
    a, b = world.item(), world.item()
    seen = {a: set(), b: set()}
    for _ in range(40):
        for item in (a, b):
            if not world.task(item)["terminal"]:
                waits = world.waits(item)
                assert waits, f"{item} waits for nothing in {world.task(item)['stage']}"
                seen[item].update(waits)
        if job := world.claim():
            assert world.waits(job["work_item"]) == ["running"]
            world.succeed(job)
        else:
            waiting = world.db.column("select work_item from orch.task t where orch.waits_for_person(t)")
            if not waiting:
                break
            assert world.waits(waiting[0]) == ["person"]
            world.operate("approve", waiting[0], None)
    assert world.task(a)["stage"] == world.task(b)["stage"] == "done"
    assert seen[a] == {"slot", "person"} and seen[b] == {"slot", "person", "active-task"}
