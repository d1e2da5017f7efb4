"""Which state of a board stands for which of ours: by name, groups before ids, with fallbacks, and read again in time (I-2, C-1, I-7)."""

import json

import pytest
from plane_world import STATES, US, Board


def keys(board):
    return {r["name"]: r["key"] for r in board.world.db.query("select name, key from orch.tracker_state_map")}


def remote(board, key):
    return board.world.db.value("select m.name from orch.tracker_state_map m where m.remote_id = orch.state_remote(1, %s)", key)


def lacks(board):
    return board.world.db.row("select missing, colliding, disabled from orch.board")


def without(*names):
    return [s for s in STATES if s.rpartition(":")[0] not in names]


def alerts(board):
    return board.world.db.column("select payload ->> 'text' from orch.effect where object_key like 'alert:board:%%' order by id")


def test_a_whole_board(world):
    board = Board(world)
    assert keys(board) == {r["label"]: r["key"] for r in world.db.query("select key, label from orch.tracker_state")}
    assert lacks(board) == {"missing": [], "colliding": [], "disabled": None}
    assert world.db.value("select account from orch.endpoint where name = 'board'") == US


def test_names_as_people_write_them(world):
    board = Board(world, [s.replace("To Analyse", "  to   ANALYSE ").replace("Monitoring after", "MONITORING\tafter") for s in STATES])
    assert "to_analyse" in keys(board).values() and "monitoring" in keys(board).values()


def test_groups_come_before_names(world):
    """I-2: whatever is in completed is done, whatever is in cancelled is cancelled; a Done elsewhere is none of ours; STOP is STOP."""
    board = Board(world, ["Fertig:completed", "Approved:completed", "Done:started", "Verworfen:cancelled", "stop:cancelled", "In Progress:started", "Backlog:backlog"])
    assert keys(board) == {"Fertig": "done", "Approved": "done", "Done": None, "Verworfen": "cancelled", "stop": "stop", "In Progress": None, "Backlog": "backlog"}
    assert [remote(board, k) for k in ("done", "cancelled", "development", "in_review", "blocked")] == ["Fertig", "Verworfen", "In Progress", "In Progress", "In Progress"]
    assert "Approved" in lacks(board)["missing"] and "nobody can approve an analysis there" in lacks(board)["disabled"]


def test_ids_decide_nothing(world):
    """I-2: the same ids with other names mean what the names say."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    analysis, approved = board.state_id("Analysis"), board.state_id("Approved")
    board.states[analysis]["name"], board.states[approved]["name"] = "Approved", "Analysis"
    world.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '6 min' returning 1")
    world.succeed(world.claim())
    board.settle()
    board.move(item, "Approved")
    board.settle()
    assert item["state"] != analysis and world.task("DEMO-1")["stage"] == "architecture"


def test_a_fallback_is_no_verb(world):
    """I-2: a board that lacks a state shows the base state of its group, never a verb of people; and our own fallback is no move."""
    board = Board(world, ["Backlog:backlog", "To Analyse:unstarted", "Approved:started", "Rejected:started", "Confirm Deploy:started", "In Progress:started",
                          "Done:completed", "Cancelled:cancelled"])
    item = board.add(state="To Analyse")
    board.settle()
    assert board.shown(item) == "In Progress"
    world.succeed(world.claim())
    board.settle()
    assert board.shown(item) == "In Progress"
    board.move(item, "Approved")
    board.settle()
    assert world.task("DEMO-1")["stage"] == "architecture" and board.shown(item) == "In Progress" and board.hints(item) == []
    world.work(item="DEMO-1")
    board.settle()
    assert board.shown(item) == "Done"


def test_nothing_at_all_to_show(world):
    """I-2: a board without any state for it is left alone; nothing is stuck, and nothing is a dead letter."""
    board = Board(world, ["To Analyse:unstarted", "Approved:started", "Done:completed"])
    item = board.add(state="To Analyse")
    board.settle()
    assert board.shown(item) == "To Analyse" and world.task("DEMO-1")["stage"] == "analysis"
    assert world.db.column("select distinct status from orch.effect where kind = 'state'") == ["done"]


def test_a_board_without_stop_has_none(world):
    """C-1: no other state cancels, also not Cancelled set by hand."""
    board = Board(world, without("STOP"))
    item = board.add(state="To Analyse")
    board.settle()
    board.move(item, "Cancelled")
    board.settle()
    assert world.task("DEMO-1")["stage"] == "analysis" and len(board.hints(item)) == 1
    assert lacks(board)["missing"] == ["STOP"]


def test_names_that_collide(world):
    """I-2: none of them counts, with one alert that names them; mended, it counts."""
    board = Board(world, STATES + ["approved :started", "APPROVED:unstarted"])
    assert lacks(board)["colliding"] == ["APPROVED", "Approved", "approved "]
    assert keys(board)["Approved"] is None and remote(board, "in_review") == "In Review"
    assert len(alerts(board)) == 1 and "cannot be told apart: APPROVED, Approved" in alerts(board)[0]
    board.set_states([s for s in STATES if "In Review" not in s] + ["approved :started"])
    world.db.query("select orch.look_want(1, 'states', '')")
    board.look()
    assert remote(board, "in_review") not in ("approved ", "Approved"), "a fallback that people take for a verdict"
    item = board.add(state="To Analyse")
    board.settle()
    world.succeed(world.claim())
    board.settle()
    board.move(item, "Approved")
    board.settle()
    assert world.task("DEMO-1")["stage"] == "analysis" and board.hints(item) == []
    board.set_states(STATES)
    world.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '6 min' returning 1")
    board.move(item, "In Review")
    board.settle()
    board.move(item, "Approved")
    board.settle()
    assert world.task("DEMO-1")["stage"] == "architecture" and lacks(board)["colliding"] == []


def test_two_done_states_do_not_collide(world):
    board = Board(world, STATES + ["Released:completed"])
    assert lacks(board)["colliding"] == [] and remote(board, "done") == "Done"


@pytest.mark.parametrize("answer", [{}, {"states": []}, {"states": "x"}, {"states": [1, None]}, {"states": [{"id": None, "name": "x"}]}, [], {"states": [{"id": "1"}]}])
def test_a_refresh_that_fails_keeps_the_last_good_set(world, answer):
    """I-2: what cannot be read changes nothing, and items are gone on with."""
    board = Board(world)
    before = keys(board)
    world.db.query("select orch.look_want(1, 'states', '')")
    (look,) = world.call("look_claim", world.process, world.epoch, 8)
    said = world.call("look_finish", 1, "states", "", look["token"], "ok", json.dumps(answer), None, None)[0]["look_finish"]
    assert said.startswith("again: ") and keys(board) == before
    item = board.add(state="To Analyse")
    board.settle()
    assert board.shown(item) == "Analysis"


def test_the_set_has_a_lifetime(world):
    """I-2: plane_states_ttl_s later the states are asked once before the next item is looked at; not while nothing happens."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    world.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '299 s' returning 1")
    board.edit(item, name="b")
    board.deliver()
    world.handle_events()
    assert world.db.column("select kind from orch.look") == ["item"]
    board.settle()
    world.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '301 s' returning 1")
    assert world.db.column("select kind from orch.look") == []
    board.edit(item, name="c")
    board.deliver()
    world.handle_events()
    assert [look["kind"] for look in world.call("look_claim", world.process, world.epoch, 8)] == ["states"]
    world.set("plane_states_ttl_s", "1000")
    assert not world.db.value("select orch.board_is_stale(1)")


def test_a_state_that_is_new_is_asked_for(world):
    """I-2: an unknown id refreshes the set, once; a state that stands for nothing of ours does nothing."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    board.states["s-new"] = {"id": "s-new", "name": "Waiting for legal", "group": "started"}
    board.move(item, "Waiting for legal")
    board.settle()
    assert keys(board)["Waiting for legal"] is None and world.task("DEMO-1")["stage"] == "analysis" and board.hints(item) == []


def test_a_state_that_is_never_listed_is_asked_for_once(world):
    """I-2, I-7: such as that of items in triage: the minute of the endpoint does not go into asking for it; listed one day, it counts."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    world.succeed(world.claim())
    board.settle()
    item.update(state="s-hidden", updated_at=board.now())
    board.tell(item, "ann")
    board.deliver()
    world.handle_events()
    asked = []
    for _ in range(12):
        for look in world.call("look_claim", world.process, world.epoch, 8):
            asked.append(look["kind"])
            world.call("look_finish", look["project_id"], look["kind"], look["object"], look["token"], "ok", json.dumps(board.answer(look)), None, None)
    assert asked == ["item", "states", "item"]
    board.states["s-hidden"] = {**board.states.pop(board.state_id("Approved")), "id": "s-hidden"}
    world.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '6 min' returning 1")
    board.edit(item, name="b")
    board.settle()
    assert world.task("DEMO-1")["stage"] == "architecture"


def test_a_state_that_is_gone_when_it_is_to_be_shown(world):
    """I-2: refused by the board, the set is read again and the next one shown."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    board.set_states([s.replace("In Review", "In Progress") for s in STATES])
    board.states = {f"n-{k}": {**s, "id": f"n-{k}"} for k, s in board.states.items()}
    item["state"] = "n-" + item["state"]
    world.succeed(world.claim())
    board.settle()
    assert board.shown(item) == "In Progress"
    assert world.db.value("select count(*) from orch.effect where status = 'dead'") == 0


def test_the_project_is_deleted_there(world):
    """I-7: one alert; what is known stays, and nothing of ours is lost."""
    board = Board(world)
    item = board.add(state="To Analyse")
    board.settle()
    for _ in range(2):
        world.db.query("select orch.look_want(1, 'states', '')")
        (look,) = world.call("look_claim", world.process, world.epoch, 8)
        assert world.call("look_finish", 1, "states", "", look["token"], "not-found", None, None, "gone")[0]["look_finish"].startswith("gone")
    assert len(alerts(board)) == 1 and "has no project p-1 any more" in alerts(board)[0]
    assert world.task("DEMO-1")["stage"] == "analysis" and keys(board) and item


def test_connected_elsewhere_it_is_another_board(world):
    board = Board(world)
    world.operate("project_connect", "demo", "tracker", "board", "p-2")
    assert keys(board) == {} and world.db.column("select kind from orch.look") == ["states"]
    world.operate("project_connect", "demo", "tracker", "local", None)
    assert world.db.column("select kind from orch.look") == []
