"""Looks: questions to services outside, one per object, asked again until there is an answer (I-3, I-4, I-7)."""

import concurrent.futures
import json

import pytest

from support.wait import wait_for


def connect(world, project="demo", endpoint="board", place="p-1", per_minute=None):
    world.operate("endpoint_set", endpoint, "plane", f"https://{endpoint}.example.org", f"/etc/orchestrator/{endpoint}.token", "acme", None, None, per_minute)
    world.operate("project_connect", project, "tracker", endpoint, place)
    world.db.query("delete from orch.look returning 1")
    # its states are known
    world.db.query("insert into orch.tracker_board (project_id) select id from orch.project where name = %s returning 1", project)


def want(world, *objects, project="demo", kind="item", parts=0):
    for o in objects:
        world.db.query("select orch.look_want(id, %s, %s, %s) from orch.project where name = %s", kind, o, parts, project)


def claim(world, limit=8):
    return world.call("look_claim", world.process, world.epoch, limit)


def finish(world, l, said="not-found", answer=None, retry_after=None, detail="why"):
    return world.call("look_finish", l["project_id"], l["kind"], l["object"], l["token"], said,
                      json.dumps(answer if answer is not None else {}), retry_after, detail)[0]["look_finish"]


def looks(world):
    return {(l["kind"], l["object"]): l for l in world.db.query("select * from orch.look_open")}


def due(world):
    world.db.query("update orch.look set run_at = clock_timestamp() - interval '1 s' returning 1")
    world.db.query("update orch.endpoint set tokens = 1000, not_before = case when not_before is not null then clock_timestamp() - interval '1 s' end returning 1")


@pytest.fixture
def board(world):
    connect(world)
    return world


def test_wanted_often_is_one_question(board):
    """I-3: however many events point at an object, it is asked once, with all that anybody wants to know."""
    want(board, "i-1")
    want(board, "i-1", parts=2)
    want(board, "i-1", parts=1)
    (l,) = claim(board)
    assert (l["object"], l["parts"], l["adapter"], l["endpoint"]["project"]) == ("i-1", 3, "plane", "p-1")
    assert claim(board) == []
    finish(board, l)
    assert looks(board) == {}


def test_wanted_again_while_it_is_asked(board):
    """I-3: what changed after the question was sent may not be in its answer."""
    want(board, "i-1")
    (l,) = claim(board)
    want(board, "i-1")
    assert claim(board) == [], "two ask at once"
    finish(board, l)
    (again,) = claim(board)
    finish(board, again)
    assert looks(board) == {}


def test_nothing_is_asked_of_our_own_tracker(world):
    """I-1: its items are rows of ours."""
    want(world, "DEMO-1")
    assert looks(world) == {}


def test_who_asked_is_dead(board):
    """R-6: what a dead worker has asked is free at once; an answer of its that comes late changes nothing."""
    want(board, "i-1")
    (l,) = claim(board)
    process, epoch = board.process, board.epoch
    board.call("process_gone", process, "killed", False, user="orch_reaperd")
    board.process, board.epoch = board.add_process(pid=2)
    (again,) = claim(board)
    assert finish(board, l) == "fenced"
    assert looks(board)[("item", "i-1")]["under_way"]
    finish(board, again)
    assert looks(board) == {}
    board.process, board.epoch = process, epoch
    want(board, "i-2")
    assert claim(board) == [], "a process that has ended claims"


def test_a_lost_answer(board):
    """I-3: a claim, or an answer, that nobody hears of is asked again when its lease is over."""
    want(board, "i-1")
    (l,) = claim(board)
    due(board)
    (again,) = claim(board)
    assert again["token"] != l["token"]
    assert finish(board, l) == "fenced"
    assert finish(board, again) != "fenced"
    assert finish(board, again) == "fenced", "told again, it is not handled again"


def test_an_endpoint_that_is_away_uses_up_no_try(board):
    """I-7: an outage of hours loses no question."""
    want(board, "i-1")
    for _ in range(12):
        (l,) = claim(board)
        finish(board, l, "unavailable")
        assert claim(board) == []
        due(board)
    assert looks(board)[("item", "i-1")]["attempts"] == 0
    (l,) = claim(board)
    finish(board, l)
    assert looks(board) == {}
    assert board.db.value("select state from orch.endpoint where name = 'board'") == "ok"


def test_a_question_without_an_answer_is_given_up(board):
    """I-7: tries are bounded, and what was given up is in the history; wanted again, it is asked again."""
    want(board, "i-1")
    for n in range(8):
        (l,) = claim(board)
        said = finish(board, l, "unknown", detail="cut off")
        assert said.startswith("given up" if n == 7 else "again"), (n, said)
        due(board)
    assert looks(board) == {}
    (row,) = board.db.query("select detail from orch.history where kind = 'look'")
    assert row["detail"]["object"] == "i-1" and "cut off" in row["detail"]["reason"]
    want(board, "i-1")
    assert len(claim(board)) == 1


def test_an_answer_that_cannot_be_read(board):
    """O-5: the reason is kept, and nothing else of it is done."""
    want(board, "i-1")
    (l,) = claim(board)
    said = board.call("look_finish", l["project_id"], l["kind"], l["object"], l["token"], "ok", '{"a":"\\u0000"}', None, None)[0]["look_finish"]
    assert said.startswith("again: ")
    assert looks(board)[("item", "i-1")]["attempts"] == 1


def test_an_endpoint_without_tokens_starves_nobody(world):
    """I-7, R-10: a thousand questions to a service that may not be asked now leave the batch to the others."""
    connect(world, per_minute=10)
    world.add_project("shop", "SHOP")
    connect(world, "shop", "other", "p-2", per_minute=1000)
    want(world, *(f"i-{n}" for n in range(1000)))
    want(world, "o-1", "o-2", project="shop")
    first = claim(world)
    assert {"o-1", "o-2"} <= {l["object"] for l in first}
    assert [l["object"] for l in first if l["project_id"] == 1] == ["i-0"], "a bucket of a tenth of a minute"
    want(world, "o-3", project="shop")
    assert [l["object"] for l in claim(world)] == ["o-3"]


def test_the_relations_and_comments_are_requests_too(world):
    """I-7: sixty requests a minute are of all kinds."""
    connect(world, per_minute=60)  # a bucket of six
    want(world, *(f"i-{n}" for n in range(6)), parts=3)
    assert len(claim(world)) == 2


def test_a_question_of_more_requests_than_the_bucket_holds(world):
    """I-7: an item with its relations and comments is three requests: asked when the bucket is full, and what it took too much is waited for."""
    connect(world, per_minute=10)  # a bucket of one
    want(world, "i-0", "i-1", parts=3)
    assert [l["object"] for l in claim(world)] == ["i-0"]
    world.db.query("update orch.endpoint set refilled_at = refilled_at - interval '20 s' returning 1")
    assert claim(world) == [], "three of eight in a minute"
    world.db.query("update orch.endpoint set refilled_at = refilled_at - interval '5 s' returning 1")
    assert [l["object"] for l in claim(world)] == ["i-1"]


def test_states_are_asked_first(board):
    """I-2: what the state of an item means is known before the item is looked at; a failed question holds up nothing."""
    want(board, "i-1")
    want(board, "", kind="states")
    (states,) = claim(board)
    assert states["kind"] == "states"
    assert claim(board) == []
    finish(board, states, "unknown")
    assert [l["kind"] for l in claim(board)] == ["item"]


def test_a_claim_waits_for_nobody(board):
    """I-3: who wants, or ends, a look may be at it for long, and may wait for a look of ours: what is locked is taken another time."""
    want(board, "i-1", "i-2")
    wanting, claiming = board.db.connect(), board.db.connect("orch_workerd")
    wanting.autocommit = False
    try:
        wanting.cursor().execute("select orch.look_want(1, 'item', 'i-1')")
        with claiming.cursor() as cursor:
            cursor.execute("set lock_timeout = '2s'")
            cursor.execute("select object from orch.look_claim(%s, %s, 8)", [board.process, board.epoch])
            assert cursor.fetchall() == [("i-2",)]
    finally:
        wanting.rollback()
        wanting.close()
        claiming.close()
    assert [l["object"] for l in claim(board)] == ["i-1"]


def test_two_who_want_an_item_of_a_stale_board_do_not_wait_for_each_other(board):
    """I-2: an answer wants the states and then the item again, an event the item and for it the states: in one order."""
    board.db.query("update orch.tracker_board set refreshed_at = clock_timestamp() - interval '1 h' returning 1")
    answer, event = board.db.connect(), board.db.connect()
    answer.autocommit = False
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            answer.cursor().execute("select orch.look_want(1, 'states', '')")
            told = pool.submit(event.cursor().execute, "select orch.look_want(1, 'item', 'i-1')")
            wait_for(lambda: board.db.value("select exists (select from pg_locks where not granted)"), what="the event waits")
            answer.cursor().execute("select orch.look_want(1, 'item', 'i-1')")
            answer.commit()
            told.result()
        finally:
            answer.close()
            event.close()
    assert set(looks(board)) == {("states", ""), ("item", "i-1")}


def test_a_claim_is_cheap(board):
    """R-10: of ten thousand questions that wait, eight are taken without reading the others."""
    board.db.query("insert into orch.look (project_id, kind, object) select 1, 'item', g::text from generate_series(1, 10000) g returning 1")
    board.db.query("update orch.endpoint set per_minute = null returning 1")
    plan = "\n".join(r["QUERY PLAN"] for r in board.db.query("explain (analyze, costs off) select * from orch.look_heads(1, 8)"))
    assert "look_due" in plan and "rows=10000" not in plan, plan


@pytest.mark.parametrize("said", ["unknown", "refused", "unavailable"])
def test_a_failed_look_is_soon_tried_again(board, said):
    """I-7: nobody said how long to wait: seconds, not an hour."""
    want(board, "i-1")
    (l,) = claim(board)
    finish(board, l, said)
    assert board.db.value("select run_at < clock_timestamp() + interval '1 min' from orch.look")


def test_who_is_told_to_wait_waits(board):
    """I-7: as long as it was said, and never longer than an hour."""
    for after, bound in ((120, (119, 121)), (100000, (3599, 3601))):
        want(board, "i-1")
        due(board)
        (l,) = claim(board)
        finish(board, l, "limited", retry_after=after)
        assert bound[0] <= board.db.value("select extract(epoch from run_at - clock_timestamp()) from orch.look") <= bound[1]
