"""Inbox, outbox, local tracker, reconciler (I-2, I-3, P-6, P-10, R-1, R-3, I-7)."""

import psycopg2
import pytest


def intake(world, source="plane", key="k", body=b"{}"):
    row = world.call("event_intake", source, "delivery", key, {}, psycopg2.Binary(body), user="orch_webhookd")[0]
    return row["event_id"], row["duplicate"]


@pytest.mark.parametrize("body", [b"", b"\0\xff\xfe", b"{not json", b'{"a":"\\u0000"}', b"[" * 100000])
def test_any_body_is_stored_as_it_came(world, body):
    """I-3: nothing is parsed before it is stored."""
    event, _ = intake(world, body=body)
    assert bytes(world.db.value("select body from orch.event where id = %s", event)) == body


def test_plane_body_is_one_delivery_for_two_hours(world):
    """I-3: equal bodies are the same delivery inside the window, a new one after it."""
    first, duplicate = intake(world)
    assert not duplicate
    assert intake(world) == (first, True)
    world.db.query("update orch.event_dedup set seen_at = now() - interval '3 hours'")
    second, duplicate = intake(world)
    assert second > first and not duplicate


def test_gitea_delivery_id_counts_for_ever(world):
    """I-3: a Gitea delivery id is never taken twice; the same key of another source is another delivery."""
    first, _ = intake(world, "gitea")
    world.db.query("update orch.event_dedup set seen_at = now() - interval '3 years'")
    assert intake(world, "gitea") == (first, True)
    assert intake(world, "plane")[1] is False


def test_malformed_is_set_aside_once(world):
    """I-3: quarantined by the consumer, kept for people, counted as a dead letter."""
    event, _ = intake(world)
    assert world.call("event_malformed", event, "no JSON at byte 0")[0]["event_malformed"]
    assert not world.call("event_malformed", event, "again")[0]["event_malformed"]
    assert not world.call("event_route", event, "k", "tracker.item", "p", "o", {})[0]["event_route"]
    assert world.db.column("select detail from orch.dead_letter") == ["no JSON at byte 0"]


def test_unknown_project_and_kind_are_ignored(world):
    """I-3: ignored with the reason, not malformed, not retried."""
    for kind, project in (("tracker.item", "nowhere"), ("user", None)):
        event, _ = intake(world, key=kind)
        world.call("event_route", event, kind, kind, project, "x", {})
    outcomes = [row["outcome"] for row in world.call("event_handle", 10)]
    assert len(outcomes) == 2 and all(o.startswith("ignored") for o in outcomes)


def test_order_per_key(world):
    """I-3: of one key only the oldest is handled at a time, also when it has to wait."""
    a = world.item("a", handle=False)
    world.operate("item_move", a, "stop", None)
    for e in world.call("event_unrouted", 10):
        body = world.db.value("select convert_from(body, 'UTF8')::jsonb from orch.event where id = %s", e["event_id"])
        world.call("event_route", e["event_id"], "item:" + a, "tracker.item", "demo", a, body)
    world.db.query("update orch.event set run_at = now() + interval '1 hour' where id = (select min(id) from orch.event)")
    assert world.call("event_handle", 10) == []
    world.db.query("update orch.event set run_at = now()")
    assert "taken in" in world.call("event_handle", 10)[0]["outcome"]
    assert "cancelled" in world.call("event_handle", 10)[0]["outcome"]


def test_a_burst_of_one_key_is_handled_as_fast_as_any(world):
    """I-3, I-7: twenty thousand events about one thing, as after an outage, do not slow each other down."""
    world.db.query("insert into orch.event (source, delivery, body, status, key, kind) select 'gitea', n::text, '', 'routed',"
                   " 'forge:x', 'forge.status' from generate_series(1, 20000) n")
    world.db.query("analyze orch.event")
    with world.db.connect() as connection, connection.cursor() as cursor:
        cursor.execute("set statement_timeout = '10s'")  # looking at each pair of them takes longer than that
        for _ in range(5):
            cursor.execute("select event_id from orch.event_handle(10)")
    assert world.db.column("select id from orch.event where ended_at is not null order by id") == list(range(1, 6))


def test_order_holds_while_an_earlier_event_is_not_routed(world):
    """I-3: of two workers that route, the one with the later event may be first: it is not handled before the earlier one."""
    a = world.item("a", handle=False)
    world.operate("item_move", a, "stop", None)
    for e in reversed(world.call("event_unrouted", 10)):
        assert world.call("event_handle", 10) == []
        body = world.db.value("select convert_from(body, 'UTF8')::jsonb from orch.event where id = %s", e["event_id"])
        world.call("event_route", e["event_id"], "item:" + a, "tracker.item", "demo", a, body)
    assert "taken in" in world.call("event_handle", 10)[0]["outcome"]
    assert "cancelled" in world.call("event_handle", 10)[0]["outcome"]


def test_failing_handler_is_retried_then_dead(world):
    """I-3: one event that cannot be handled does not stop the others, and ends as a dead letter."""
    world.set("event_max_attempts", "2")
    a, b = world.item("a", handle=False), world.item("b", handle=False)
    world.db.query("create function orch.boom() returns trigger language plpgsql as $$ begin if new.title = 'a' then raise 'boom'; end if; return new; end $$")
    world.db.query("create trigger boom before insert on orch.task for each row execute function orch.boom()")
    outcomes = world.handle_events()
    assert [o.split()[0] for o in outcomes] == ["failed:", "taken"]
    world.db.query("update orch.event set run_at = now() where status = 'routed'")
    world.call("event_handle", 10)
    assert world.db.column("select object from orch.dead_letter") == [a]
    assert world.task(b)["stage"] == "analysis"


@pytest.mark.parametrize("title", ["x" * 201, " " * 5])
def test_qg0(world, title):
    """P-6: what fails gets a comment and no task."""
    world.db.query("insert into orch.local_item (project_id, work_item, title, state) select id, 'DEMO-9', %s, 'to_analyse' from orch.project", title)
    assert world.move("DEMO-9", "to_analyse").startswith("refused")
    assert world.db.value("select count(*) from orch.task") == 0
    assert "Not taken in" in world.effects("comment", "DEMO-9")[0]["text"]
    with pytest.raises(psycopg2.Error) as refused:
        world.item(title)
    assert refused.value.pgcode == "OR003"


def test_title_of_200_characters_is_taken(world):
    """P-6: characters, not bytes."""
    assert world.task(world.item("ü" * 200))["stage"] == "analysis"


def test_item_that_already_lives(world):
    """P-6, P-10: To Analyse again makes no second task."""
    a = world.item()
    assert "ignored" in world.move(a, "to_analyse") or "hinted" in world.move(a, "to_analyse")
    assert world.db.value("select count(*) from orch.task") == 1
    assert world.db.value("select count(*) from orch.job") == 1


@pytest.mark.parametrize("state", ["development", "testing", "done", "architecture", "to_analyse"])
def test_relaunch_hole_is_closed(world, state):
    """P-10: moving an existing task by hand enqueues nothing and leaves a hint."""
    a = world.item()
    world.work(until="development", item=a)
    before = world.db.query("select id, status from orch.job"), world.task(a)["stage_version"]
    assert world.move(a, state).startswith("hinted")
    assert before == (world.db.query("select id, status from orch.job"), world.task(a)["stage_version"])
    assert "STOP, then To Analyse" in world.effects("comment", a)[-1]["text"]


def test_to_analyse_on_an_idle_task_in_analysis(world):
    """P-9: the analyst runs again."""
    a = world.item()
    world.succeed(world.claim())
    assert "works again" in world.move(a, "to_analyse", "think of leap years")
    job = world.claim()
    assert job["role"] == "analyst" and "leap years" in job["input"]


def test_human_verbs_through_the_tracker(world):
    """I-2, P-9: Approved, Rejected and Confirm Deploy are the person's verdicts."""
    a = world.item()
    assert world.move(a, "approved").startswith("hinted")
    world.succeed(world.claim())
    world.move(a, "rejected", "again")
    world.succeed(world.claim())
    world.move(a, "approved")
    assert world.task(a)["stage"] == "architecture"
    while world.task(a)["stage"] != "deploy":
        world.succeed(world.claim())
    world.move(a, "confirm_deploy")
    assert world.until("releaser")["stage"] == "deploy"


def effect(world, limit=1):
    return world.call("effect_claim", world.process, world.epoch, limit)


def finish(world, f, outcome, retry_after=None):
    return world.call("effect_finish", f["effect_id"], f["epoch"], f["token"], outcome, "said so", retry_after)[0]["effect_finish"]


def test_effects_of_an_object_keep_their_order(world):
    """I-7: a later effect of an object waits for the earlier; another object's does not."""
    a, b = world.item("a"), world.item("b")
    world.succeed(world.claim())
    first, other = effect(world, 10)
    assert {first["payload"]["work_item"], other["payload"]["work_item"]} == {a, b}
    assert effect(world, 10) == []
    assert finish(world, first, "done") == "recorded"
    assert effect(world, 10)[0]["payload"]["state"] == "in_review"


def test_effect_retry_dead_and_fence(world):
    """T-5: retries wait, end as a dead letter; an old claim is fenced; an answer asked for again is recorded."""
    world.set("effect_max_attempts", "2")
    world.item()
    f = effect(world)[0]
    assert [finish(world, f, "retry", 0), finish(world, f, "retry", 0)] == ["recorded", "recorded"]
    again = effect(world)[0]
    assert finish(world, f, "done") == "fenced"
    finish(world, again, "retry", 0)
    assert world.db.value("select status from orch.effect") == "dead"
    assert world.db.value("select count(*) from orch.dead_letter") == 1


def test_effects_of_the_dead_are_taken_back(world):
    """R-6: a claimed effect of a dead process is pending again, its old claim fenced."""
    world.item()
    f = effect(world)[0]
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    assert finish(world, f, "done") == "fenced"
    world.process, world.epoch = world.add_process(pid=2)
    assert effect(world)[0]["effect_id"] == f["effect_id"]


def reconcile(world):
    """A tick's counts, those that are not 0."""
    return {key: n for key, n in world.call("reconcile_gates", 10, user="orch_reconcilerd")[0].items() if n}


def test_reconciler_moves_what_a_lost_event_left(world):
    """R-1: green evidence without a move goes through the door; red and waiting are left alone."""
    world.set("stage_grace_s", "0")
    a = world.item()
    world.work(until="development", item=a)
    world.succeed(world.claim())
    job = world.claim()
    assert job["role"] == "ci"
    world.db.query("alter table orch.commit_status disable trigger all")
    world.finish(job)  # ended, but its status never came
    assert world.task(a)["stage"] == "development" and world.waits(a) == ["gate"]
    assert reconcile(world) == {"examined": 1, "skipped": 1, "red": 1}
    world.db.query("insert into orch.commit_status (repo_id, sha, context, state) select repo_id, head_sha, 'ci', 'success' from orch.task")
    assert reconcile(world)["advanced"] == 1
    assert world.task(a)["stage"] == "review"


def test_reconciler_leaves_people_and_the_young_alone(world):
    """R-1, R-3: analysis is a human gate; a task younger than its grace is not looked at."""
    world.item()
    world.succeed(world.claim())
    assert reconcile(world) == {}
    world.set("stage_grace_s", "0")
    assert reconcile(world) == {"examined": 1, "skipped": 1, "human": 1}


def everything(world):
    """All that a skip must not change."""
    tables = ["task", "job", "run", "evidence", "decision", "effect", "history", "escalation", "transition_lease", "local_item", "local_comment"]
    return [world.db.query(f"select * from orch.{t} order by 1") for t in tables]


def test_what_the_reconciler_skips(world):
    """R-3: escalated, owned, human, red and terminal tasks: each is counted by its reason, and nothing changes, nobody is told."""
    world.set("stage_grace_s", "0")
    world.set("serial_gate_enabled", "off")
    world.set("job_max_attempts", "1")
    world.finish(world.claim_of(world.item()), "failed", reason="it fell over")
    world.succeed(world.claim_of(world.item()))
    owned = world.item()
    world.succeed(world.claim_of(owned))
    world.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose) values (%s, %s, 1, gen_random_uuid(), 'merger')",
                   world.task_id(owned), world.process)
    red = world.item()
    world.finish(world.claim_of(red))  # it ended well, and left nothing
    world.operate("cancel", world.item(), None)
    before = everything(world)
    assert reconcile(world) == {"examined": 4, "skipped": 4, "escalated": 1, "human": 1, "lease": 1, "red": 1}
    assert everything(world) == before


def test_the_reconciler_skips_what_somebody_is_at(world, database):
    """R-3, R-5: a task that another holds is not waited for; one that has ended since it was found is terminal."""
    world.set("stage_grace_s", "0")
    a = world.item()
    world.succeed(world.claim())
    with database.connect() as other, other.cursor() as cursor:
        cursor.execute("begin; select from orch.task for update")
        assert reconcile(world) == {"examined": 1, "skipped": 1, "busy": 1}
    world.operate("cancel", a, None)
    assert world.db.value("select orch.reconcile_skip(t) from orch.task t") == "terminal"


def test_reconciler_comes_to_everything(world):
    """R-10: tasks that wait for people, however many and however long, do not keep a tick of two from what it can move."""
    world.set("stage_grace_s", "0")
    world.set("serial_gate_enabled", "off")
    for _ in range(4):
        world.item()
        world.succeed(world.claim())
    a = world.item()
    world.db.query("delete from orch.job where task_id = %s", world.task_id(a))
    ticks = (world.call("reconcile_gates", 2, user="orch_reconcilerd")[0] for _ in range(60))
    assert any(tick["advanced"] == 1 for tick in ticks)


def test_reconciler_queues_a_job_that_was_never_queued(world):
    """R-1: level-triggered: a step without its job gets it."""
    world.set("stage_grace_s", "0")
    world.item()
    world.db.query("delete from orch.job")
    assert reconcile(world)["advanced"] == 1
    assert world.claim()["role"] == "analyst"
