"""A board outside drives the pipeline as our own tracker does: by looks, whatever its events say (P-6, P-9, P-10, P-11, I-2, I-3, C-1, S-15)."""

import json

import pytest
from plane_world import US, Board


@pytest.fixture
def board(world):
    return Board(world)


def task(board, item):
    rows = board.world.db.query("select * from orch.task where work_item like %s order by id desc limit 1", f"DEMO-{item['number']}%")
    return rows[0] if rows else None


def taken_in(board, **given):
    item = board.add(state="To Analyse", **given)
    board.settle()
    assert task(board, item)["stage"] == "analysis"
    return item


def in_review(board, **given):
    item = taken_in(board, **given)
    board.world.succeed(board.world.claim())
    board.settle()
    assert board.shown(item) == "In Review"
    return item


def at(board, stage):
    item = taken_in(board)
    board.world.work(until=stage, item=f"DEMO-{item['number']}")
    board.settle()
    return item


def test_to_analyse_takes_an_item_in(board):
    """P-6, P-10: with its title, labels and priority, under our prefix; nothing else begins anything."""
    other = board.add(state="Development")
    item = board.add("Grüße \u202e<b>RTL</b> 'x'", state="To Analyse", labels=["bug", "عاجل"], priority="urgent")
    board.settle()
    t = task(board, item)
    assert (t["work_item"], t["title"], t["labels"], t["priority"], t["tracker_id"]) == ("DEMO-2", item["name"], ["bug", "عاجل"], 0, "i-2")
    assert task(board, other) is None and board.shown(other) == "Development"
    assert board.shown(item) == "Analysis"


def test_each_verb(board):
    """P-9, M-3, I-2: approve, reject with a comment, confirm the deploy: all from the board."""
    item = in_review(board)
    board.say(item, "cover leap years")
    board.move(item, "Rejected")
    board.settle()
    job = board.world.claim()
    assert job["role"] == "analyst" and "cover leap years" in job["input"]
    board.world.succeed(job)
    board.settle()
    board.move(item, "Approved")
    board.settle()
    assert (task(board, item)["stage"], board.shown(item)) == ("architecture", "Architecture")
    board.world.work(until="deploy", item="DEMO-1")
    board.settle()
    assert board.shown(item) == "Awaiting Deploy"
    board.move(item, "Confirm Deploy", actor="eve")
    board.settle()
    (d,) = board.world.db.query("select verdict, actor from orch.decision order by id desc limit 1")
    assert d == {"verdict": "approved", "actor": "eve"}
    board.world.work(item="DEMO-1")
    board.settle()
    assert board.shown(item) == "Done" and board.hints(item) == []


def test_an_old_comment_is_no_input(board):
    """P-9: what somebody said before the item was shown for review was about something else; ours is nobody's word."""
    item = board.add(state="To Analyse")
    board.say(item, "please soon")
    board.settle()
    board.world.succeed(board.world.claim())
    board.settle()
    board.say(item, "a comment of ours", US, ours=True)
    board.move(item, "Rejected")
    board.settle()
    assert board.world.claim()["input"] == "rejected: no comment was given" or "please soon" not in board.world.jobs("DEMO-1")[-1]["input"]


@pytest.mark.parametrize("shown", [True, False])
def test_a_comment_after_the_drag_is_input_too(board, shown):
    """P-9: people drag the card first and write then: what they write before the run begins is what it reads, once, and so is what comes
    before its next try; the board may show the next state meanwhile, or not yet."""
    item = in_review(board)
    board.move(item, "Rejected")
    board.deliver()
    board.world.handle_events()
    board.look()
    board.world.handle_events()
    board.show() if shown else None
    board.say(item, "cover leap years", "eve")
    said = list(board.deliveries)
    if not shown:
        board.show()  # after it was written
    board.settle()
    board.deliver(said * 2)
    board.settle()
    job = board.world.claim()
    assert job["input"].startswith("no comment was given") and job["input"].endswith("\n\neve has added: cover leap years")
    board.say(item, "and time zones")
    board.settle()
    board.world.finish(job, "failed", reason="no disk")
    board.world.db.query("update orch.job set run_at = clock_timestamp() where status = 'queued' returning 1")
    again = board.world.claim_of("DEMO-1")
    assert again["attempt"] == 2 and "leap years\n\nann has added: and time zones" in again["input"]
    assert board.world.db.column("select detail ->> 'comment' from orch.history where kind = 'decision' order by id") == [
        "no comment was given", "cover leap years", "and time zones"]
    board.world.succeed(again)
    board.settle()
    board.move(item, "Rejected")
    board.settle()
    assert "time zones" not in board.world.claim()["input"], "what was said before the item was shown for review again"


def test_an_older_comment_is_not_added(board):
    """P-9: of two comments the newer one was the verdict's; the other one is not taken for news when somebody says more, or the first is told again."""
    item = in_review(board)
    board.say(item, "the older one")
    board.say(item, "the newer one")
    board.move(item, "Rejected")
    told = list(board.deliveries)
    board.deliver()
    for _ in range(2):
        board.world.handle_events()
        board.look()
    board.deliver(told)
    board.settle()
    assert board.world.claim()["input"] == "the newer one"


def test_talk_is_no_input(board):
    """P-9: what people say while nobody has sent anything back goes to no agent, and neither does what we say."""
    item = taken_in(board)
    board.say(item, "nice weather")
    board.settle()
    job = board.world.claim()
    assert job["input"] is None
    board.world.succeed(job)
    board.settle()
    board.move(item, "Approved")
    board.settle()
    board.say(item, "still nice")
    board.say(item, "ours", US, ours=True)
    board.settle()
    assert board.world.claim()["input"] is None


def test_a_question_is_answered_by_a_comment(board):
    """P-9: Needs Input, a comment, To Analyse."""
    item = taken_in(board)
    board.world.ask(board.world.claim(), "Which unit?")
    board.settle()
    assert board.shown(item) == "Needs Input"
    assert any("Which unit?" in c["text"] for c in board.comments[item["id"]])
    board.say(item, "in bytes")
    board.settle()
    board.move(item, "To Analyse")
    board.settle()
    assert board.world.db.row("select answer, answered_by from orch.question") == {"answer": "in bytes", "answered_by": "ann"}


def test_stop(board):
    """C-1, C-3: from anywhere; To Analyse then starts from scratch."""
    item = at(board, "review")
    board.move(item, "STOP")
    board.settle()
    assert (task(board, item)["stage"], board.shown(item)) == ("cancelled", "Cancelled")
    board.move(item, "To Analyse")
    board.settle()
    assert task(board, item)["stage"] == "analysis" and board.shown(item) == "Analysis"
    assert board.world.db.value("select count(*) from orch.task") == 2


def test_stop_then_to_analyse_while_the_agent_is_being_stopped(board):
    """C-3: the second move waits in the inbox, whatever the board shows meanwhile, and then makes a new task."""
    item = taken_in(board)
    job = board.world.claim()
    board.move(item, "STOP")
    board.settle()
    board.move(item, "To Analyse")
    board.settle()
    assert board.world.db.value("select count(*) from orch.task") == 1
    board.world.finish(job, "cancelled")
    board.world.db.query("update orch.event set run_at = clock_timestamp() where status = 'routed' returning 1")
    board.settle()
    assert [t["stage"] for t in board.world.db.query("select stage from orch.task order by id")] == ["cancelled", "analysis"]
    assert board.shown(item) == "Analysis"


def test_a_cancelled_item_stays_so(board):
    """C-7: neither an old event nor a sweep brings it back while nobody moves it."""
    item = taken_in(board)
    old = [("tracker.item", item["id"], {"state": board.state_id("To Analyse"), "actor": "ann"})]
    board.world.operate("cancel", "DEMO-1", None)
    board.deliver(old)
    board.settle()
    board.deliver(old)
    board.world.db.query("select orch.look_want(1, 'item', %s)", item["id"])
    board.settle()
    assert [t["stage"] for t in board.world.db.query("select stage from orch.task")] == ["cancelled"]


@pytest.mark.parametrize("verb", ["To Analyse", "Development", "Done", "Approved", "Needs Input"])
def test_a_move_by_hand_does_nothing(board, verb):
    """P-10: it leaves one hint, and the board shows nothing new until something happens."""
    item = at(board, "review")
    jobs = board.world.jobs("DEMO-1")
    board.move(item, verb)
    board.settle()
    assert len(board.hints(item)) == 1 and task(board, item)["stage"] == "review" and board.world.jobs("DEMO-1") == jobs
    board.deliver([("tracker.item", item["id"], {"state": item["state"], "actor": "ann"})] * 3)
    board.settle()
    assert len(board.hints(item)) == 1


def test_our_own_echo_costs_nothing(board):
    """I-3: since 1.3 what we set comes back as an event: it is dropped before anything is asked."""
    item = in_review(board)
    looked = board.world.db.value("select count(*) from orch.event where outcome like 'ignored: our own%%'")
    assert looked >= 2
    board.deliver([("tracker.item", item["id"], {"state": item["state"], "actor": US})])
    assert board.world.handle_events() == ["ignored: our own echo"]
    assert board.look() == []


def test_an_answer_that_was_lost_is_no_move(board):
    """I-3: the board has what we set, and we do not know it yet: no hint, whoever asks first."""
    item = taken_in(board)
    board.world.succeed(board.world.claim())
    (f,) = [f for f in board.world.call("effect_claim", board.world.process, board.world.epoch, 50) if f["kind"] == "state"]
    board.execute(f)
    board.deliver()
    board.world.handle_events()
    board.world.db.query("select orch.look_want(1, 'item', %s)", item["id"])
    board.look()
    assert not [c for c in board.world.effects("comment", "DEMO-1") if ":hint:" in c["marker"]]
    assert board.world.db.value("select state_id = %s from orch.tracker_item", item["state"])


def test_an_older_answer_changes_nothing(board):
    """I-3: a question that was under way while we set the state does not see a move in what it found before."""
    item = in_review(board)
    old = dict(item)
    board.move(item, "Approved")
    board.settle()
    board.world.db.query("select orch.look_want(1, 'item', %s)", item["id"])
    (look,) = board.world.call("look_claim", board.world.process, board.world.epoch, 8)
    said = board.world.call("look_finish", 1, "item", item["id"], look["token"], "ok", json.dumps(old), None, None)[0]["look_finish"]
    assert "newer" in said
    board.settle()
    assert board.hints(item) == []


def test_what_a_person_has_set_is_heard_before_it_is_overwritten(board):
    """C-1, I-2: the event of a STOP was lost; our next state finds it on the board, and lets it be heard first."""
    item = in_review(board)
    board.world.operate("approve", "DEMO-1", None)
    board.move(item, "STOP")
    board.deliveries = []
    shown = board.show()
    assert ("state", "conflict", "architecture") in shown
    board.settle()
    assert (task(board, item)["stage"], board.shown(item)) == ("cancelled", "Cancelled")


def test_only_the_last_of_several_states_is_shown(board):
    """I-7: after an outage the board is not led through all that happened meanwhile."""
    item = taken_in(board)
    board.world.work(until="testing", item="DEMO-1")
    shown = [state for kind, _, state in board.show() if kind == "state"]
    assert shown[-1] == "testing" and len(shown) == 1
    assert board.shown(item) == "Testing"


def test_a_state_is_two_requests(world):
    """I-7: it is read before it is written, and both are of the sixty that a minute has."""
    board = Board(world, per_minute=60, read=False)
    item = board.add(state="To Analyse")
    for _ in range(4):
        world.db.query("update orch.endpoint set tokens = 6, refilled_at = clock_timestamp() returning 1")
        board.deliver()
        world.handle_events()
        board.look()
    world.db.query("update orch.endpoint set tokens = 6, refilled_at = clock_timestamp() returning 1")
    assert [f["payload"]["state"] for f in world.call("effect_claim", world.process, world.epoch, 1)] == ["analysis"]
    assert 3.9 < world.db.value("select tokens from orch.endpoint") < 4.5 and item


def test_refused_at_intake(board):
    """P-6: a comment and no task; mended, it is taken in where it stands."""
    item = board.add("x" * 201, state="To Analyse")
    board.settle()
    assert task(board, item) is None
    assert [c["text"] for c in board.comments[item["id"]]] == ["Not taken in: the title has 201 characters; at most 200 are allowed"]
    board.edit(item, name="short")
    board.settle()
    assert task(board, item)["title"] == "short"
    assert len(board.comments[item["id"]]) == 1


def test_labels_and_priority_follow(board):
    """P-11, S-11: also after intake; a label that passes a gate does so."""
    board.world.operate("project_set", "demo", "auto_approve", "on")
    item = in_review(board)
    board.edit(item, labels=["auto-approve", "x"], priority="high")
    board.settle()
    t = task(board, item)
    assert (t["labels"], t["priority"], t["stage"]) == (["auto-approve", "x"], 1, "architecture")


def test_an_operators_priority_stays(board):
    """S-11: what the tracker has said before does not undo an act of later."""
    item = taken_in(board, priority="low")
    board.world.operate("priority_set", "DEMO-1", 0)
    board.edit(item, name="Another title")
    board.settle()
    assert task(board, item)["priority"] == 0


def test_relations_are_dependencies(board):
    """S-15: read at intake, in both shapes; what is not in the pipeline is named."""
    first = taken_in(board)
    never = board.add("Never in the pipeline")
    second = board.add("Second")
    second["blocked_by"] = [{"project": "p-1", "item": first["id"]}, {"item": never["id"]}]
    board.move(second, "To Analyse")
    board.settle()
    assert board.world.db.query("select work_item, waits_for from orch.dependency") == [{"work_item": f"DEMO-{second['number']}", "waits_for": "DEMO-1"}]
    assert any("Not waited for" in c["text"] for c in board.comments[second["id"]])
    board.world.operate("cancel", "DEMO-1", None)
    assert not board.world.db.value("select in_force from orch.dependency")


def waits_for(board):
    return board.world.db.column("select work_item || ' ' || waits_for from orch.dependency order by 1")


def test_a_look_at_an_item_of_a_task_reads_its_relations(board):
    """S-15: also of one that was taken in without any; taken away there, it holds nothing up; an item without a task is not asked for them."""
    first, second, other = taken_in(board), taken_in(board), board.add()
    second["blocked_by"] = [{"item": first["id"]}]
    board.edit(second, name="Second")
    board.settle()
    assert waits_for(board) == ["DEMO-2 DEMO-1"] and board.world.blocks("DEMO-2") == ["dependency", "active-task"]
    second["blocked_by"] = []
    board.edit(second, name="Second again")
    board.settle()
    assert waits_for(board) == []
    board.world.db.query("select orch.look_want(1, 'item', %s)", other["id"])
    assert [look["parts"] for look in board.world.call("look_claim", board.world.process, board.world.epoch, 8)] == [0]


def test_a_circle_is_refused(board):
    """S-15: Blocked on the board, with an alert that spells it out."""
    a, b = board.add("A"), board.add("B")
    a["blocked_by"], b["blocked_by"] = [{"item": b["id"]}], [{"item": a["id"]}]
    board.move(a, "To Analyse")
    board.settle()
    board.move(b, "To Analyse")
    board.settle()
    board.edit(a, name="A again")
    board.world.db.query("select orch.look_want(1, 'item', %s, 1)", a["id"])
    board.settle()
    assert board.shown(a) == "Blocked"
    assert "would wait for itself" in task(board, a)["escalation"]


def test_deleted_in_the_tracker(board):
    """S-3, I-7: held, with one alert; nothing is lost, and a person decides."""
    item = at(board, "review")
    del board.items[item["id"]]
    for _ in range(2):
        board.deliver([("tracker.deleted", item["id"], {})])
        board.settle()
    assert task(board, item)["paused_at"] is not None and task(board, item)["stage"] == "review"
    alerts = board.world.effects("alert", "DEMO-1")
    assert len(alerts) == 1 and "orchctl resume DEMO-1" in alerts[0]["text"]
    board.items[item["id"]] = item
    board.edit(item, name="back")
    board.settle()
    assert board.world.db.value("select gone_at from orch.tracker_item") is None


@pytest.mark.parametrize("answer", [{}, {"id": "i-1", "number": "1", "name": "x", "state": "s-1"}, {"id": "i-1", "number": 1, "name": None, "state": "s-1"},
                                    {"id": "i-2", "number": 1, "name": "x", "state": "s-1"}, {"id": "i-1", "number": 1, "name": "x", "state": {"id": "s-1"}},
                                    [], "x", {"id": "i-1", "number": 1, "name": "x", "state": "s-1", "updated_at": "2026-99-99T00:00:00Z"}])
def test_answers_of_the_wrong_shape(board, answer):
    """O-5: refused with a reason, asked again, in the end given up; nothing is made of them."""
    board.world.db.query("select orch.look_want(1, 'item', 'i-1')")
    (look,) = board.world.call("look_claim", board.world.process, board.world.epoch, 8)
    said = board.world.call("look_finish", 1, "item", "i-1", look["token"], "ok", json.dumps(answer), None, None)[0]["look_finish"]
    assert said.startswith("again: "), said
    assert board.world.db.value("select count(*) from orch.tracker_item") == 0


def test_ten_thousand_labels(board):
    """O-5: an item keeps five hundred of them, and nothing else suffers."""
    item = board.add(state="To Analyse", labels=[f"label {n:05}" for n in range(10000)])
    board.settle()
    assert len(task(board, item)["labels"]) == 500


def test_two_projects_of_one_board(world):
    """I-1: each event belongs to the project that it names; one that is not ours is ignored, and says so."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.deliver([("tracker.item", item["id"], {"state": item["state"]})])
    world.db.query("update orch.event set project = 'p-9' returning 1")
    assert world.handle_events() == ["ignored: no project is registered for p-9"]
    board.settle()
    assert task(board, item)


def test_a_status_finds_its_branch(world):
    """I-4: by the head that we pushed, by the branch in the event, else by the only task under development; ambiguous is not resolved."""
    world.operate("endpoint_set", "git", "gitea", "https://git.example.org", "/t", None, None, None, None)
    a, b = world.item(), world.item()
    world.set("serial_gate_enabled", "off")
    world.work(until="development", item=a)
    world.operate("pause", a, None)
    world.work(until="development", item=b)
    world.operate("project_connect", "demo", "forge", "git", "acme/shop")
    heads = {item: world.task(item)["head_sha"] for item in (a, b)}

    def told(sha, **facts):
        world.db.query("insert into orch.event (source, body, status, key, kind, project, object, facts) values ('gitea', '', 'routed', %s, 'forge.status', 'acme/shop', %s, %s) returning 1",
                       f"gitea:acme/shop:{sha}", sha, json.dumps({"sha": sha, **facts}))
        return world.handle_events()[0]

    assert "looked at" in told(heads[a]) and world.task(a)["branch"] in told(heads[a])
    assert told("f" * 40).startswith("ignored: more than one branch"), "two are under development"
    assert world.task(b)["branch"] in told("e" * 40, branch=world.task(b)["branch"])
    assert told("d" * 40, branch="main").startswith("ignored: no branch")
    world.db.query("update orch.task set head_sha = %s where work_item = any (%s) returning 1", "c" * 40, [a, b])
    assert told("c" * 40).startswith("ignored: more than one branch")
    world.operate("cancel", b, None)
    assert world.task(a)["branch"] in told("b" * 40), "the only one under development"
    assert {(row["kind"], row["object"]) for row in world.db.query("select kind, object from orch.look")} == {("status", s) for s in (heads[a], "e" * 40, "b" * 40)}
