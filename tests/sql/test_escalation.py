"""What waits for people because nothing automatic is left: one alert, repeated at most twice, and the ways back (P-5)."""

import pytest


@pytest.fixture
def escalated(world):
    world.set("job_max_attempts", "1")
    item = world.item()
    world.finish(world.claim(), "failed", reason="it fell over")
    return item


def tick(world):
    return world.call("escalations_raise", 10, user="orch_reconcilerd")[0]["escalations_raise"]


def sleep(world, seconds):
    """Lets time go by for all that was raised."""
    world.db.query("update orch.escalation set alerted_at = alerted_at - make_interval(secs => %s)", seconds)


def row(world):
    return world.db.row("select * from orch.escalation order by id desc limit 1")


def alerts(world, item):
    return [payload["text"] for payload in world.effects("alert", item)]


def test_an_alert_is_repeated_twice_and_then_no_more(world, escalated):
    """P-5: one alert; repeated when its time has come, at most twice while nobody acknowledges it; then silence."""
    assert alerts(world, escalated) == ["the analyst failed: it fell over"]
    assert tick(world) == 0
    for n in (1, 2):
        sleep(world, 3601)
        assert (tick(world), tick(world)) == (1, 0)
        assert row(world)["raised_again"] == n
    sleep(world, 100000)
    assert tick(world) == 0
    said = alerts(world, escalated)
    assert len(said) == 3 and all(f"orchctl ack {escalated}" in text for text in said[1:]) and "not repeated again" in said[2]


def test_an_acknowledged_one_is_not_repeated(world, escalated):
    """P-5, O-2: ack is noted with who it was, once; nothing else changes, and the alert is not repeated."""
    before = world.task(escalated)
    assert "looks after" in world.operate("ack", escalated, "mine")["message"]
    first = row(world)
    assert first["acked_by"] == "orch_operator" and first["ended_at"] is None
    assert "already" in world.operate("ack", escalated, None)["message"]
    sleep(world, 100000)
    assert tick(world) == 0 and len(alerts(world, escalated)) == 1
    assert row(world)["acked_at"] == first["acked_at"] and world.task(escalated) == before
    assert [a["arguments"] for a in world.db.query("select * from orch.audit where act = 'ack' order by id")] == [{"note": "mine"}, {}]


def test_what_is_over_is_not_repeated(world, escalated):
    """P-5: retry and cancel end it; the next one is a new escalation with an alert of its own."""
    world.operate("retry", escalated, None)
    ended = row(world)
    assert (ended["ended_how"], ended["ended_by"]) == ("retry", "orch_operator")
    world.finish(world.claim(), "failed", reason="it fell over again")
    assert len(alerts(world, escalated)) == 2 and row(world)["ended_at"] is None
    assert world.db.value("select count(*) from orch.escalation") == 2
    world.operate("cancel", escalated, None)
    assert row(world)["ended_how"] == "cancel"
    sleep(world, 100000)
    assert tick(world) == 0
    assert "nothing to acknowledge" in world.operate("ack", escalated, None)["message"]


def test_switched_off(world, escalated):
    """P-5: escalation_reraise_s 0: the one alert, and no more."""
    world.set("escalation_reraise_s", "0")
    sleep(world, 100000)
    assert tick(world) == 0


def test_a_tick_is_bounded(world):
    """R-10: the longest unheard first, as many as it was told."""
    world.set("job_max_attempts", "1")
    world.set("serial_gate_enabled", "off")
    items = [world.item() for _ in range(3)]
    for _ in items:
        world.finish(world.claim(), "failed", reason="it fell over")
    sleep(world, 3601)
    assert world.call("escalations_raise", 2, user="orch_reconcilerd")[0]["escalations_raise"] == 2
    assert world.db.column("select raised_again from orch.escalation order by id") == [1, 1, 0]


def test_task_and_escalation_agree(world, escalated):
    """P-5: what stops the engine and what people are told are written by the same two functions, and agree."""
    assert world.db.column("""select p.proname from pg_proc p where p.pronamespace = 'orch'::regnamespace
                              and pg_get_functiondef(p.oid) ~ '(set|,)\\s*escalated_at\\s*=' order by 1""") == ["escalate", "escalation_end"]
    agree = """select bool_and((t.escalated_at is not null and not t.terminal) = exists (select from orch.escalation e
               where e.task_id = t.id and e.ended_at is null)) from orch.task t"""
    assert world.db.value(agree)
    world.operate("cancel", escalated, None)
    assert world.db.value(agree)


def test_the_list_has_the_urgent_and_the_unheard_first(world):
    """O-3, P-5: escalation list: urgent first, then those that nobody looks after."""
    world.set("job_max_attempts", "1")
    world.set("serial_gate_enabled", "off")
    first, second, third = [world.item() for _ in range(3)]
    for _ in range(3):
        world.finish(world.claim(), "failed", reason="it fell over")
    world.operate("ack", first, None)
    world.db.query("update orch.escalation set severity = 'urgent' where task_id = %s", world.task_id(third))
    listed = world.call("escalation_list", user="orch_readonly")[0]["escalation_list"]["escalations"]
    assert [e["work_item"] for e in listed] == [third, second, first] and listed[2]["acked_by"] == "orch_operator"
