"""F-2: what lost webhooks should have told is found in the list of a tracker's items (R-2, R-3, R-5, R-10); silence (I-3)."""

import json

import pytest
from plane_world import Board

PAGE = 4


class Listed(Board):
    """A board that also has a list, the last changed first, in pages of four."""

    asked = 0

    def answer(self, look):
        if look["kind"] != "items":
            return super().answer(look)
        self.asked += 1
        start = int(look["object"] or 0)
        rows = sorted(self.items.values(), key=lambda item: item["updated_at"], reverse=True)
        shown = [{k: v for k, v in item.items() if k not in ("blocked_by", "description")} for item in rows[start:start + PAGE]]
        return {"items": shown, "next": str(start + PAGE) if start + PAGE < len(rows) else None}

    def deliver(self, deliveries=None):
        if deliveries is None:
            self.deliveries = []  # every one is lost
        else:
            super().deliver(deliveries)

    def sweep(self, due=True):
        """A tick of the reconciler and all that follows; how many pages were asked for."""
        if due:
            self.world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
        before = self.asked
        self.world.call("reconcile_outside", 20, user="orch_reconcilerd")
        self.settle()
        return self.asked - before

    def counted(self):
        return {row["result"]: row["n"] for row in self.world.db.query("select result, n from orch.sweep_count where kind = 'items'")}

    def task(self, item):
        rows = self.world.db.query("select * from orch.task where tracker_id like %s order by id desc limit 1", item["id"] + "%")
        return rows[0] if rows else None


@pytest.fixture
def board(world):
    return Listed(world)


def begun(board, **given):
    item = board.add(state="To Analyse", **given)
    board.sweep()
    assert board.task(item)["stage"] == "analysis"
    return item


def in_review(board):
    item = begun(board)
    board.world.succeed(board.world.claim())
    board.settle()
    assert board.shown(item) == "In Review"
    return item


def test_each_verb_whose_webhook_was_lost(board):
    """R-2: To Analyse, Rejected with its comment, Approved, Confirm Deploy and STOP: as the webhooks would have, through the same
    handlers; slower, and nothing else."""
    item = in_review(board)
    board.say(item, "cover leap years")
    board.move(item, "Rejected")
    board.sweep()
    job = board.world.claim()
    assert job["role"] == "analyst" and "cover leap years" in job["input"]
    board.world.succeed(job)
    board.settle()
    board.move(item, "Approved")
    board.sweep()
    assert board.task(item)["stage"] == "architecture"
    board.world.work(until="deploy", item=board.task(item)["work_item"])
    board.settle()
    while job := board.world.claim():
        board.world.succeed(job)
    board.settle()
    assert board.shown(item) == "Awaiting Deploy"
    board.move(item, "Confirm Deploy")
    board.sweep()
    board.world.work()
    board.settle()
    assert board.task(item)["stage"] == "done"
    other = begun(board)
    board.move(other, "STOP")
    board.sweep()
    assert board.task(other)["stage"] == "cancelled"
    board.move(other, "To Analyse")
    board.sweep()
    assert board.task(other)["stage"] == "analysis", "from scratch"


def test_a_project_that_takes_nothing_in_is_watched_until_it_is_empty(board):
    """R-2: a lost STOP is found as long as there is something to stop; then the list is nobody's business."""
    item = begun(board)
    board.world.operate("project_set", "demo", "active", "off")
    board.move(item, "STOP")
    assert board.sweep() > 0
    assert board.task(item)["stage"] == "cancelled"
    assert board.sweep() == 0


def test_a_sweep_and_the_webhook_make_one_task(board):
    """R-5: in either order, and twice: one task, one branch, one analyst job."""
    item = board.add(state="To Analyse")
    told = list(board.deliveries)
    board.sweep()
    board.deliver(told * 2)
    board.settle()
    board.sweep()
    other = board.add(state="To Analyse")
    board.deliver(list(board.deliveries))
    board.world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
    board.world.call("reconcile_outside", 20, user="orch_reconcilerd")
    board.world.handle_events()  # both look for it, at once
    board.settle()
    for i in (item, other):
        assert board.world.db.value("select count(*) from orch.task where tracker_id = %s", i["id"]) == 1
        assert board.world.db.value("select count(*) from orch.job j join orch.task t on t.id = j.task_id where t.tracker_id = %s", i["id"]) == 1


def test_it_goes_down_to_what_it_has_seen_and_no_further(board):
    """R-10: the first list goes to the oldest item, page by page; the next ones end at the watermark."""
    for number in range(10):
        board.add(f"Item {number}")
    assert board.sweep() == 3 and board.counted() == {"other": 10}
    board.world.db.query("update orch.sweep set watermark = watermark + interval '2 min' returning 1")  # the overlap, which is more than all these
    assert board.sweep(due=False) == 0, "not before it is due"
    assert board.sweep() == 1
    board.world.db.query("update orch.sweep set whole_at = whole_at - interval '2 h' returning 1")
    assert board.sweep() == 3, "all of them again, from time to time"
    item = board.add(state="To Analyse")
    assert board.sweep() == 1 and board.task(item)


def test_an_interrupted_list_goes_on_where_it_stopped(board):
    """R-10: the next page is a question that is kept; no second list begins meanwhile, and the watermark waits for the last page."""
    for number in range(10):
        board.add(f"Item {number}")
    board.world.call("reconcile_outside", 20, user="orch_reconcilerd")
    [look] = [k for k in board.world.call("look_claim", board.world.process, board.world.epoch, 8) if k["kind"] == "items"]
    board.world.call("look_finish", look["project_id"], "items", "", look["token"], "ok", json.dumps(board.answer(look)), None, None)
    assert board.world.db.column("select object from orch.look where kind = 'items'") == ["4"]
    assert board.world.db.value("select watermark from orch.sweep") is None
    board.world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
    assert board.world.call("reconcile_outside", 20, user="orch_reconcilerd")[0]["wanted"] == 0
    board.settle()
    assert board.world.db.value("select watermark is not null and whole_at is not null from orch.sweep")


def test_what_is_passed_over_changes_nothing(board):
    """R-3: terminal, also by the tracker's group; escalated; Blocked and Needs Input; a lease. Nobody is told, nothing is asked,
    and each is counted. What was passed over for a lease is come back to."""
    done, escalated, blocked, leased = (begun(board) for _ in range(4))
    board.move(done, "Done")
    board.world.db.query("update orch.task set escalated_at = now(), escalation = 'x' where tracker_id = %s returning 1", escalated["id"])
    board.edit(escalated, name="Another name")
    board.move(blocked, "Blocked")
    board.world.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose) select t.id, p.id, p.epoch, gen_random_uuid(), 'x' from orch.task t, orch.process p"
                         " where t.tracker_id = %s limit 1 returning 1", leased["id"])
    board.move(leased, "Rejected")
    board.add("Changed after that")
    before, effects = board.counted(), board.world.db.value("select count(*) from orch.effect")
    board.sweep()
    after = {key: n - before.get(key, 0) for key, n in board.counted().items() if n != before.get(key, 0)}
    assert (after["terminal"], after["escalated"], after["blocked"], after["lease"]) == (1, 1, 1, 1), after
    assert board.world.db.value("select count(*) from orch.effect") == effects
    assert {i["id"]: board.task(i)["stage"] for i in (done, escalated, blocked)} == {i["id"]: "analysis" for i in (done, escalated, blocked)}
    assert all(not board.hints(i) for i in (done, escalated, blocked, leased))
    mark = board.world.db.value("select watermark from orch.sweep")
    assert mark <= board.world.db.value("select %s::timestamptz", leased["updated_at"])
    board.world.db.query("delete from orch.transition_lease returning 1")
    board.sweep()
    assert board.counted()["moved"] == before["moved"] + 1, "it is come back to"


def test_a_verdict_on_what_was_escalated_is_no_revival(board):
    """R-2, R-3: an escalated task is passed over, but for what a person has asked since."""
    item = in_review(board)
    board.world.db.query("update orch.task set escalated_at = now(), escalation = 'x' where tracker_id = %s returning 1", item["id"])
    board.move(item, "STOP")
    board.sweep()
    assert board.task(item)["stage"] == "cancelled"


def test_an_endpoint_that_is_away_is_not_asked(board):
    """R-10, I-7: no list while it is away; the one afterwards finds all of it."""
    board.sweep()
    item = board.add(state="To Analyse")
    board.world.db.query("update orch.endpoint set state = 'down', reason = 'x', not_before = clock_timestamp() + interval '1 h' returning 1")
    assert board.sweep() == 0 and board.world.db.value("select count(*) from orch.look") == 0
    board.world.db.query("update orch.endpoint set state = 'ok', reason = null, not_before = null returning 1")
    board.sweep()
    assert board.task(item)


@pytest.mark.parametrize("answer", [{}, {"items": None}, {"items": {}}, {"items": [{}]}, {"items": [1, None, "x", []]}, {"items": [{"id": 5, "state": [], "updated_at": "yesterday"}]},
                                    {"items": [], "next": "x" * 1000}, None], ids=range(8))
def test_lists_that_are_none(board, answer):
    """O-5: nothing happens, and the next list is asked for when it is due."""
    board.sweep()
    real, board.answer = board.answer, lambda look: answer if look["kind"] == "items" else real(look)
    board.world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
    board.world.call("reconcile_outside", 20, user="orch_reconcilerd")
    board.settle()
    assert board.world.db.value("select count(*) from orch.task") == 0
    board.world.db.query("delete from orch.look returning 1")
    board.answer = real
    item = board.add(state="To Analyse")
    board.sweep()
    assert board.task(item)


# --- do webhooks come at all? -------------------------------------------------------------------------------------


def alerts(world, word="webhook"):
    return [a["text"] for a in world.db.column("select payload from orch.effect where kind = 'alert' order by id") if word in a["text"]]


def test_silence_is_told_once_and_once_when_it_is_over(board):
    """I-3: Plane switches a webhook off that has failed five times, and tells nobody who listens."""
    board.world.set("tracker_silence_s", "864000")
    board.sweep()
    begun(board)
    assert alerts(board.world) == [], "it may still come"
    board.world.set("tracker_silence_s", "180")
    for _ in range(3):
        board.sweep()
    [alert] = alerts(board.world)
    assert "no webhook comes" in alert and "Nothing is lost" in alert
    board.world.db.query("insert into orch.event (source, delivery, body, status, key, kind, project, object, facts)"
                         " values ('plane', 'd-1', '', 'routed', 'k', 'tracker.comment', 'p-1', 'i-1', '{}') returning 1")
    for _ in range(3):
        board.sweep()
    assert len(alerts(board.world)) == 2 and "come again" in alerts(board.world)[1]


def test_a_webhook_that_came_is_no_silence(board):
    """I-3: late, but it came."""
    board.world.set("tracker_silence_s", "864000")
    board.sweep()
    begun(board)
    board.world.set("tracker_silence_s", "180")
    board.world.db.query("insert into orch.event (source, delivery, body, status, key, kind, project, object, facts)"
                         " values ('plane', 'd-1', '', 'routed', 'k', 'tracker.comment', 'p-1', 'i-1', '{}') returning 1")
    board.sweep()
    assert alerts(board.world) == []


HOOK = {"id": 1, "url": "https://orch.example.org/webhook/gitea", "active": True, "content_type": "json", "events": ["push", "delete", "pull_request", "status", "create"]}


@pytest.fixture
def forge(world):
    world.operate("endpoint_set", "git", "gitea", "https://git.example.org", "/etc/orchestrator/git.token", None, None, None, None, None, None, HOOK["url"])
    world.operate("project_connect", "demo", "forge", "git", "acme/shop")
    return world


def hooks(world, answer, said="ok"):
    world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
    world.call("reconcile_outside", 20, user="orch_reconcilerd")
    [look] = [k for k in world.call("look_claim", world.process, world.epoch, 8) if k["kind"] == "hooks"]
    assert look["endpoint"]["repo"] == "acme/shop" and look["adapter"] == "gitea"
    return world.call("look_finish", look["project_id"], "hooks", look["object"], look["token"], said, json.dumps(answer), None, said)[0]["look_finish"]


@pytest.mark.parametrize("listed, why", [([], "no webhook"), ([{**HOOK, "active": False}], "switched off"), ([{**HOOK, "content_type": "form"}], "no JSON"),
                                         ([{**HOOK, "events": ["push"]}], "not told of all"), ([{**HOOK, "url": "https://elsewhere.example.org/webhook/gitea"}], "no webhook")])
def test_a_webhook_that_does_not_come_to_us(forge, listed, why):
    """I-3: looked at each minute; one alert, and one when it is mended."""
    assert hooks(forge, {"hooks": [HOOK]}).startswith("fine")
    for _ in range(3):
        assert why in hooks(forge, {"hooks": listed})
    [alert] = alerts(forge)
    assert why in alert and "demo" in alert
    for _ in range(2):
        hooks(forge, {"hooks": [*listed, HOOK]})
    assert len(alerts(forge)) == 2 and "come again" in alerts(forge)[1]
    hooks(forge, {"hooks": []})
    assert len(alerts(forge)) == 3


def test_a_webhook_is_made_anew_where_that_is_allowed(forge):
    """I-3: only then, and not again and again; a wrong one to us goes first, others are left alone."""
    def effects():
        return [(f["kind"], f["payload"]) for f in forge.db.query("select kind, payload from orch.effect where kind like '%%_hook' order by id")]
    theirs = {**HOOK, "id": 8, "url": "https://elsewhere.example.org/webhook/gitea"}
    hooks(forge, {"hooks": [theirs]})
    assert effects() == []
    forge.operate("project_set", "demo", "repair_hooks", "on")
    for _ in range(3):
        hooks(forge, {"hooks": [theirs, {**HOOK, "id": 9, "active": False}]})
    assert effects() == [("delete_hook", {"hook": 9}), ("make_hook", {"url": HOOK["url"]})]


def test_who_may_not_look_at_webhooks_is_no_alert(forge):
    """I-3: a bot that may write and is no administrator is as it should be; and the forge goes on being asked."""
    for _ in range(3):
        assert "may not look" in hooks(forge, None, "refused")
    assert alerts(forge) == [] and forge.db.value("select state from orch.endpoint") == "ok"
    assert forge.db.value("select fault from orch.sweep_status where kind = 'hooks'") == "our token may not look at its webhooks"


# --- F-1: what is said --------------------------------------------------------------------------------------------


def test_unblocked_is_said_after_it_has_moved_and_once(world):
    """R-4: only after a confirmed change of stage, once for each item and state; R-1: through the same door."""
    a = world.item()
    world.set("stage_grace_s", "0")

    def sweep():
        world.call("reconcile_gates", 100, user="orch_reconcilerd")
        return [text for text in (said["text"] for said in world.effects("comment", a)) if text.startswith("Unblocked")]

    world.db.query("delete from orch.job returning 1")
    assert sweep() == [] and world.jobs(a)[0]["status"] == "queued", "its job was lost and is queued again: it has not moved"
    world.succeed(world.claim())
    assert sweep() == [] and world.task(a)["stage"] == "analysis", "a person decides: nothing has moved"
    # a label whose event was lost
    world.db.query("update orch.local_item set labels = '{auto-approve}' returning 1")
    world.db.query("update orch.project set auto_approve = true returning 1")
    [said] = sweep()
    assert world.task(a)["stage"] == "architecture" and "in architecture now" in said and "stood still in analysis" in said
    assert sweep() == [said]
    world.db.query("""select orch.unblocked_tell(jsonb_populate_record(t, '{"stage": "analysis"}')) from orch.task t""")
    assert sweep() == [said], "it came there again"
    world.db.query("delete from orch.job where role = 'architect' returning 1")
    assert sweep() == [said] and [job["role"] for job in world.jobs(a)] == ["analyst", "architect"], "its job was lost: it is queued again, and no stage has changed"


def test_a_relation_that_is_made_later_is_found_before_the_task_begins(board):
    """S-15, R-10: nothing tells of a relation, and it changes no item: those next to begin are asked for theirs, one with each list."""
    world = board.world
    first, second, third = begun(board), begun(board, priority="low"), begun(board)
    running = world.claim()
    assert running["work_item"] == board.task(first)["work_item"]
    second["blocked_by"] = [{"item": third["id"]}]
    third["blocked_by"] = [{"item": first["id"]}]
    board.sweep()
    assert world.db.query("select * from orch.dependency") == [], "they were read when they were taken in, and are not read each minute"
    world.db.query("update orch.tracker_item set related_at = related_at - interval '301 s' returning 1")
    asked = []
    for _ in range(4):
        world.db.query("update orch.sweep set due_at = clock_timestamp() returning 1")
        world.call("reconcile_outside", 20, user="orch_reconcilerd")
        asked.append(world.db.column("select object from orch.look where kind = 'item' and parts = 1"))
        board.settle()
    assert asked == [[third["id"]], [second["id"]], [], []], "the next one first; not one that has begun"
    assert world.db.column("select work_item || ' ' || waits_for from orch.dependency order by 1") == [
        f"DEMO-{second['number']} DEMO-{third['number']}", f"DEMO-{third['number']} DEMO-{first['number']}"]


def test_what_is_counted_is_written_once_for_a_page_and_in_one_order(board):
    """R-3, R-10: two projects' lists that count at once wait for each other, and never both."""
    world = board.world
    world.db.query("create table public.written (id serial, result text); create function public.note_count() returns trigger language plpgsql security definer as"
                   " $$begin insert into public.written (result) values (new.result); return new; end$$;"
                   " create trigger note_count after insert or update on orch.sweep_count for each row execute function public.note_count()")
    item = begun(board)
    for number in range(3):
        board.add(f"Item {number}", state="Development")
    board.sweep()
    world.db.query("update orch.sweep set whole_at = null returning 1")
    board.edit(item, name="Changed")
    world.db.query("truncate public.written")
    assert board.sweep() == 1
    assert world.db.column("select result from public.written order by id") == ["changed", "other"]


def test_silence_is_not_broken_by_ourselves(board):
    """I-3: what a list has told is an event of ours, and no delivery: people still hear that none has ever come."""
    finding = "select count(*) from orch.doctor_finding where check_name = 'hooks' and says like '%%from board'"
    begun(board)
    assert board.world.db.value("select count(*) from orch.event where source = 'plane'") > 0
    assert board.world.db.value(finding) == 1
    board.world.db.query("insert into orch.event (source, delivery, body) values ('plane', 'd-1', '') returning 1")
    assert board.world.db.value(finding) == 0
