"""Whose turn it is (S-11): fairness between repos, ageing, batches; and the hints that the claim goes by (ADR 13)."""

import pytest

from support.wait import wait_for


def repos(world, n):
    names = [f"repo{k}" for k in range(n)]
    for k, name in enumerate(names):
        world.add_project(name, f"R{k}")
    return names


def drifts(world):
    return world.db.value("select coalesce(sum(drifts), 0) from orch.repo")


def cancel_all(world, jobs):
    for job in jobs:
        world.operate("cancel", job["work_item"], None)
        world.finish(job, "cancelled")


def starts(world, n):
    """The repos of the next n starts; each task is over at once, so that its repo may go on."""
    order = []
    for _ in range(n):
        job = world.claim()
        order.append(job["repo"])
        cancel_all(world, [job])
    return order


@pytest.mark.parametrize("gate", ["on", "off"])
def test_a_flooding_repo_holds_nobody_up(world, gate):
    """S-11: one repo with a hundred tasks; of the others each starts within one round, whenever it comes."""
    world.set("serial_gate_enabled", gate)
    others = repos(world, 3)
    for n in range(100):
        world.item(f"Flood {n}", handle=n == 99)
    first = starts(world, 2)
    for name in others:
        world.item(project=name)
    assert first == ["demo", "demo"] and sorted(starts(world, 3)) == others
    for name in others:
        world.item(project=name)
    assert sorted(starts(world, 4)) == ["demo"] + others


def test_waiting_makes_urgent(world):
    """S-11: an entry job of the lowest priority gets past a stream of the most urgent ones once it has waited long enough."""
    world.set("priority_ageing_s", "100")
    lazy, busy = repos(world, 2)
    old = world.item(project=lazy, priority=4)
    world.item(project=busy, priority=0)
    assert starts(world, 1) == [busy]
    world.db.query("update orch.job set created_at = created_at - interval '350 s' where priority = 4")
    world.db.query("update orch.repo set look_at = now() where look_for = 'ageing'")
    world.item(project=busy, priority=0)
    assert starts(world, 1) == [busy]  # rank 1 by now
    world.db.query("update orch.job set created_at = created_at - interval '100 s' where priority = 4")
    world.db.query("update orch.repo set look_at = now() where look_for = 'ageing'")
    world.item(project=busy, priority=0)
    assert world.claim()["work_item"] == old  # rank 0, and its repo has never had a turn


def test_waiting_does_not_pass_work_in_progress(world):
    """S-11: work in progress comes before new work of the same priority, however long that has waited."""
    world.set("priority_ageing_s", "100")
    new, under_way = repos(world, 2)
    begun = world.item(project=under_way)
    world.work(until="architecture", item=begun)
    old = world.item(project=new)
    world.db.query("update orch.job set created_at = created_at - interval '1 hour' where entry and status = 'queued'")
    world.db.query("update orch.repo set look_at = now() where look_for = 'ageing'")
    first = world.claim()
    assert (first["work_item"], first["role"]) == (begun, "architect")
    assert world.claim()["work_item"] == old


def test_ageing_can_be_switched_off(world):
    """S-11, S-12: with 0 a priority is what it is."""
    world.set("priority_ageing_s", "0")
    lazy, busy = repos(world, 2)
    world.item(project=lazy, priority=4)
    world.db.query("update orch.job set created_at = created_at - interval '10 years'")
    world.item(project=busy, priority=3)
    assert starts(world, 2) == [busy, lazy]


def test_a_rank_is_looked_at_when_it_improves(world):
    """S-11: the claim itself knows when an entry job becomes more urgent; nobody has to touch the lane."""
    world.set("priority_ageing_s", "1000")
    lazy, _ = repos(world, 2)
    world.item(project=lazy, priority=4)
    world.db.query("select orch.lanes_refresh(100)")
    row = world.db.row("select entry_rank, look_for, look_at - (select created_at from orch.job) as after from orch.repo where name = %s", lazy)
    assert (row["entry_rank"], row["look_for"], row["after"].total_seconds()) == (4, "ageing", 1000)


def test_a_batch_takes_as_many_as_asked(world):
    """J-1, S-11: in one round trip, in order, each once."""
    names = repos(world, 5)
    items = [world.item(project=name) for name in names]
    jobs = world.call("job_claim", world.process, world.epoch, 3)
    assert [job["work_item"] for job in jobs] == items[:3]
    assert [job["work_item"] for job in world.call("job_claim", world.process, world.epoch, 10)] == items[3:]
    assert world.call("job_claim", world.process, world.epoch, 10) == []


def test_a_lane_without_a_gate_offers_by_priority(world):
    """S-11: without a serial gate priority decides within a repo, too; what is blocked is passed over."""
    world.set("serial_gate_enabled", "off")
    a, b, c = world.item("a", priority=3), world.item("b", priority=1), world.item("c", priority=3)
    world.operate("pause", b, None)
    assert [world.claim()["work_item"], world.claim()["work_item"], world.claim()] == [a, c, None]
    world.operate("resume", b)
    assert world.claim()["work_item"] == b and drifts(world) == 0


ENDS = {
    "resume": (lambda w, a, b: (w.operate("pause", a, None), w.operate("pause", b, None)), lambda w, a, b: w.operate("resume", a)),
    "unfreeze": (lambda w, a, b: w.operate("freeze", "demo", "x", None), lambda w, a, b: w.operate("unfreeze", "demo")),
    "dependency": (lambda w, a, b: w.operate("dependency_add", a, b), lambda w, a, b: w.operate("dependency_remove", a, b)),
    "backoff": (lambda w, a, b: w.db.query("update orch.job set run_at = now() + interval '1 hour'"), lambda w, a, b: w.db.query("update orch.job set run_at = now()")),
    "setting": (lambda w, a, b: w.operate("freeze", "demo", "x", None), lambda w, a, b: w.set("serial_gate_freeze_enabled", "off")),
    "cancelled predecessor": (lambda w, a, b: (w.operate("dependency_add", a, w.item(project="other")), w.operate("pause", "OTH-1", None)), lambda w, a, b: w.operate("cancel", "OTH-1", None)),
    "cancelled head": (lambda w, a, b: w.operate("dependency_add", a, b), lambda w, a, b: w.operate("cancel", a, None)),
}


@pytest.mark.parametrize("how", ENDS)
def test_whatever_ends_a_block_is_noticed_at_once(world, how):
    """ADR 13: each event that may let an entry job start touches its lane; none is found in doubt."""
    world.add_project("other", "OTH")
    world.set("lane_doubt_s", "3600")
    block, end = ENDS[how]
    a, b = world.item(), world.item()
    block(world, a, b)
    while (job := world.claim()) and job["repo"] == "other":
        pass
    assert job is None
    assert world.db.value("select entry_rank is null from orch.repo where name = 'demo'")
    end(world, a, b)
    claimed = world.claim()
    assert claimed["work_item"] == (b if how == "cancelled head" else a) and drifts(world) == 0


def test_a_block_that_ends_unsaid_is_found_and_counted(world):
    """ADR 13: the drift counter: a lane that nothing touched is looked at all the same."""
    a = world.item()
    world.operate("freeze", "demo", "x", None)
    assert world.claim() is None
    world.db.query("set session_replication_role = replica; update orch.repo_freeze set cleared_at = now(), cleared_by = 'x'; set session_replication_role = origin")
    assert world.claim() is None
    world.db.query("update orch.repo set look_at = now()")
    assert world.claim()["work_item"] == a and drifts(world) == 1
    assert world.db.value("select value from orch.metric where name = 'orch_lane_drifts_total'") == 1


def test_a_claim_looks_in_vain_at_some_lanes_only(world):
    """S-11, S-13: when many lanes hope for too much, one claim lets their locks go after 64 of them, and calls the next one."""
    names = repos(world, 70)
    for name in names:
        world.item(project=name)
    world.db.query("select orch.lanes_refresh(1000)")  # all hope, as after a change that touches all lanes
    world.db.query("insert into orch.repo_freeze (repo_id, reason, frozen_by) select id, 'x', 'x' from orch.repo returning 1")
    hoping = lambda: world.db.value("select count(*) from orch.repo where entry_rank is not null")  # noqa: E731
    assert hoping() == 70
    waker = world.db.connect()
    waker.cursor().execute("listen orch_work")
    assert world.claim() is None and hoping() == 70 - 64
    wait_for(lambda: waker.poll() or waker.notifies, what="the next claim is called")
    assert world.claim() is None and hoping() == 0
