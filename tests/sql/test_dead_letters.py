"""Dead letters: what an outage makes none of, what is put aside, and trying again (I-3, I-7, O-2)."""

import psycopg2
import pytest


def intake(world, source="plane", key="k"):
    return world.call("event_intake", source, "delivery", key, {}, psycopg2.Binary(b"{}"), user="orch_webhookd")[0]["event_id"]


def effect(world):
    return world.call("effect_claim", world.process, world.epoch, 1)


def finish(world, f, outcome, retry_after=None):
    return world.call("effect_finish", f["effect_id"], f["epoch"], f["token"], outcome, "said so", retry_after)[0]["effect_finish"]


def route_failed(world, event, sqlstate):
    return world.call("event_route_failed", event, sqlstate, "no good")[0]["event_route_failed"]


def test_an_outage_of_a_day_makes_no_dead_letter(world):
    """I-7: by the standard settings, with every wait as short as jitter makes it."""
    world.item()
    waited = 0
    while waited < 24 * 3600:
        finish(world, effect(world)[0], "retry")
        assert world.db.value("select status from orch.effect") == "pending"
        waited += world.db.value("select extract(epoch from run_at - clock_timestamp())::float8 from orch.effect")
        world.db.query("update orch.effect set run_at = now()")
    assert world.db.value("select max(extract(epoch from orch.backoff(n, 2))) <= 300 from generate_series(1, 1000) n")


def test_a_peer_cannot_put_us_off_for_long(world):
    """I-7: whatever Retry-After says, the next try is within the hour."""
    world.item()
    finish(world, effect(world)[0], "retry", 2_000_000_000)
    assert world.db.value("select run_at < now() + interval '61 minutes' from orch.effect")


def test_an_effect_is_tried_soon_when_the_peer_names_no_time(world):
    """I-7: after effect_backoff_s, not after the longest wait that a peer may ask for."""
    world.item()
    finish(world, effect(world)[0], "retry")
    assert world.db.value("select run_at < clock_timestamp() + interval '4 s' from orch.effect")


def test_an_effect_is_tried_again(world):
    """I-7, O-2: from its first attempt, idempotent, audited, in the history of its task."""
    a = world.item()
    first = effect(world)[0]
    finish(world, first, "dead")
    letter = f"effect-{first['effect_id']}"
    assert world.call("dead_letter_list", 10, user="orch_readonly")[0]["dead_letter_list"]["dead_letters"][0]["letter"] == letter
    assert world.operate("dead_letter_retry", letter) == {"letter": letter, "message": f"{letter} is tried again"}
    assert "no dead letter: it is pending" in world.operate("dead_letter_retry", letter)["message"]
    again = effect(world)[0]
    assert (again["effect_id"], again["attempts"]) == (first["effect_id"], 1)
    assert finish(world, first, "done") == "fenced" and finish(world, again, "done") == "recorded"
    assert "it is done" in world.operate("dead_letter_retry", letter)["message"]
    assert world.db.column("select task_id from orch.history where kind = 'dead-letter'") == [world.task_id(a)]
    audit = world.db.query("select * from orch.audit where act = 'dead_letter_retry' order by id")
    assert len(audit) == 3 and audit[0]["before"]["detail"] == "said so"


def test_a_state_that_another_followed_stays_dead(world):
    """I-2, I-7: the tracker is not turned back."""
    world.item()
    first = effect(world)[0]
    finish(world, first, "dead")
    world.succeed(world.claim())
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dead_letter_retry", f"effect-{first['effect_id']}")
    assert refused.value.pgcode == "OR002" and "out of date" in refused.value.diag.message_primary


def test_events_are_tried_again(world):
    """I-3, I-7: a dead one is handled again, a malformed one routed again."""
    a = world.item("a", handle=False)
    world.set("event_max_attempts", "1")
    world.db.query("create function orch.boom() returns trigger language plpgsql as $$ begin raise 'boom'; end $$")
    world.db.query("create trigger boom before insert on orch.task for each row execute function orch.boom()")
    assert world.handle_events()[0].startswith("failed")
    bad = intake(world)
    world.call("event_malformed", bad, "no JSON")
    dead = world.db.value("select letter from orch.dead_letter where object = %s", a)
    world.db.query("drop trigger boom on orch.task")
    for letter in (dead, f"event-{bad}"):
        assert "tried again" in world.operate("dead_letter_retry", letter)["message"]
    assert [e["event_id"] for e in world.call("event_unrouted", 10)] == [bad]
    world.call("event_malformed", bad, "still no JSON")
    assert "taken in" in world.call("event_handle", 10)[0]["outcome"]
    assert world.db.column("select letter from orch.dead_letter") == [f"event-{bad}"]


@pytest.mark.parametrize("sqlstate", ["22P02", "22003", "23514"])
def test_data_that_the_database_refuses_is_put_aside_at_once(world, sqlstate):
    """I-3: no later try can differ; those behind it go on."""
    first, second = intake(world, key="1"), intake(world, key="2")
    assert route_failed(world, first, sqlstate) is True
    assert [e["event_id"] for e in world.call("event_unrouted", 10)] == [second]
    world.call("event_route", second, "k", "tracker.item", "nowhere", "x", {})
    assert [e["event_id"] for e in world.call("event_handle", 10)] == [second]
    assert world.db.column("select detail from orch.dead_letter") == ["routing failed: no good"]
    assert route_failed(world, first, sqlstate) is False


def test_other_errors_are_put_aside_when_it_is_only_this_event(world):
    """I-3: as long as nothing can be routed the fault may be ours, and every event is kept; later tries wait longer."""
    world.set("event_max_attempts", "3")
    first, second = intake(world, key="1"), intake(world, key="2")
    for _ in range(5):
        assert route_failed(world, first, "42883") is False
    assert first not in [e["event_id"] for e in world.call("event_unrouted", 10)]
    world.call("event_route", second, "k", "tracker.item", "nowhere", "x", {})
    assert world.call("event_handle", 10) == []
    assert route_failed(world, first, "42883") is True
    assert [e["event_id"] for e in world.call("event_handle", 10)] == [second]


def test_a_dead_letter_can_be_put_away(world):
    """I-7, O-2: off the list and the count, once; its row stays, and it can still be tried by name."""
    a = world.item()
    f = effect(world)[0]
    finish(world, f, "dead")
    bad = intake(world)
    world.call("event_malformed", bad, "no JSON")
    count = "select value from orch.metric where name = 'orch_dead_letters'"
    assert world.db.value(count) == 2
    for letter in (f"effect-{f['effect_id']}", f"event-{bad}"):
        assert "is put away" in world.operate("dead_letter_drop", letter, "a probe")["message"]
        assert "already" in world.operate("dead_letter_drop", letter, None)["message"]
    assert world.db.value(count) == 0
    history = world.db.query("select task_id, detail from orch.history where kind = 'dead-letter' order by id")
    assert [h["task_id"] for h in history] == [world.task_id(a), None] and history[0]["detail"]["reason"] == "a probe"
    world.operate("dead_letter_retry", f"effect-{f['effect_id']}")
    again = effect(world)[0]
    finish(world, again, "dead")
    assert world.db.value(count) == 1
