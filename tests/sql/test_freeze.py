"""Freeze and unfreeze (S-2, S-16, O-2, O-4)."""

import psycopg2
import pytest


def test_freeze_holds_new_work_and_unfreeze_lets_it_go(world):
    """S-2, S-16: with reason and work item; what is under way goes on."""
    a, b = world.item(), world.item()
    world.work(until="architecture", item=a)
    answer = world.operate("freeze", "demo", "production is degraded", a)
    assert answer["frozen"] and answer["freezes"][0]["reason"] == "production is degraded" and answer["freezes"][0]["work_item"] == a
    assert world.blocks(b)[0] == "freeze" and world.claim()["work_item"] == a
    assert world.call("freeze_list", user="orch_readonly")[0]["freeze_list"]["freezes"][0]["frozen_by"] == "orch_operator"
    answer = world.operate("unfreeze", "demo")
    assert (answer["frozen"], answer["cleared"]) == (False, 1) and world.blocks(b) == ["active-task"]


def test_again_adds_history_and_clearing_clears_all(world):
    """S-16: setting it again adds history; clearing clears every row, gives the count, and is idempotent."""
    world.operate("freeze", "demo", "first", None)
    assert "was already" in world.operate("freeze", "demo", "second", None)["message"]
    assert [world.operate("unfreeze", "demo")["cleared"] for _ in range(2)] == [2, 0]
    kinds = world.db.query("select kind, actor, detail from orch.history where kind in ('freeze', 'unfreeze') and repo_id is not null order by id")
    assert [(k["kind"], k["detail"].get("reason"), k["detail"].get("cleared")) for k in kinds] == [
        ("freeze", "first", None), ("freeze", "second", None), ("unfreeze", None, 2)]
    assert world.db.column("select act from orch.audit where object = 'demo' and act <> 'project_add' order by id") == ["freeze", "freeze", "unfreeze", "unfreeze"]
    assert world.db.value("select count(*) from orch.repo_freeze") == 2


@pytest.mark.parametrize("switch, value, hint", [("serial_gate_freeze_enabled", "off", "serial_gate_freeze_enabled on"), ("serial_gate_enabled", "off", "serial_gate_enabled"),
                                                 ("serial_gate_repos", "other", "serial_gate_repos")])
def test_a_freeze_that_would_hold_nothing_is_refused(world, switch, value, hint):
    """S-12, S-16: with freezing switched off, or the repo out of scope: a clear message, and no row. One of before can be cleared."""
    world.operate("freeze", "demo", "before", None)
    world.set(switch, value)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("freeze", "demo", "now", None)
    assert refused.value.pgcode == "OR002" and hint in refused.value.diag.message_hint
    assert world.operate("unfreeze", "demo")["cleared"] == 1


def test_the_work_item_must_be_of_the_repo(world):
    """O-5: a freeze blames no task of another repo."""
    world.add_project("other", "OTH")
    a = world.item(project="other")
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("freeze", "demo", "why", a)
    assert refused.value.pgcode == "OR003"


def test_a_freeze_waits_for_the_claim_of_its_lane(world):
    """S-16: after it has answered, no entry job of the repo starts."""
    world.item()
    with world.db.connect("orch") as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("select from orch.repo where name = 'demo' for no key update")
        world.db.query("set lock_timeout = '100ms'", user="orch_operator")
        for act in (("freeze", "demo", "why", None), ("unfreeze", "demo")):
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                world.operate(*act)
            world.db.query("set lock_timeout = '100ms'", user="orch_operator")
        other.rollback()
