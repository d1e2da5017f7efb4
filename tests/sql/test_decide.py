"""What a person's verdict does to an item that was escalated (P-5, P-9)."""

import psycopg2
import pytest


@pytest.fixture
def escalated(world):
    """The reviewer has failed for good."""
    world.set("job_max_attempts", "1")
    item = world.item()
    world.work(until="review", item=item)
    world.db.query("update orch.task set developer_rounds = 2 where work_item = %s", item)
    world.finish(world.claim(), "failed", reason="it fell over")
    assert world.task(item)["escalated_at"]
    return item


def test_rejected_it_goes_back_for_fresh_rounds(world, escalated):
    """P-5: that ends the escalation; the developer works again, with the comment, and as many rounds as at the begin."""
    assert "rejected" in world.operate("reject", escalated, "do it by a table")["message"]
    task = world.task(escalated)
    assert (task["stage"], task["escalated_at"], task["developer_rounds"]) == ("development", None, 1)
    assert world.db.value("select ended_how from orch.escalation where task_id = %s", task["id"]) == "reject"
    assert "do it by a table" in world.claim()["input"]


def test_there_is_nothing_to_approve(world, escalated):
    """P-9: its gate is not a person's: refused, with what does go on; nothing has changed."""
    before = world.task(escalated)
    with pytest.raises(psycopg2.Error, match="there is nothing to approve") as refused:
        world.operate("approve", escalated, "fine")
    assert refused.value.pgcode == "OR002" and f"orchctl retry {escalated}" in refused.value.diag.message_hint
    assert world.task(escalated) == before


def test_nobody_waits_for_a_verdict(world):
    """P-9: refused, and says what the item waits for."""
    item = world.item()
    with pytest.raises(psycopg2.Error, match="does not wait for a person") as refused:
        world.operate("approve", item, None)
    assert refused.value.pgcode == "OR002" and refused.value.diag.message_hint
