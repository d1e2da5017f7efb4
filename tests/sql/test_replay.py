"""A recorded timeline of deliveries fed again shuffled, doubled and with losses, with one sweep, ends in the same state (B-9, I-3, R-2)."""

import random

import pytest
from plane_world import Board


def play(board, feed):
    """Four items, and what people do with them; after each act, feed() brings what it likes of the deliveries so far."""
    world = board.world

    def act(function, *args, **given):
        made = function(*args, **given)
        feed()
        return made

    world.set("serial_gate_enabled", "off")
    a, b, c, d = (act(board.add, f"Item {name}", state="To Analyse", priority="high" if name == "b" else "none") for name in "abcd")
    while job := world.claim():
        world.succeed(job)
    feed()
    act(board.say, a, "cover leap years")
    act(board.move, a, "Rejected")
    act(board.move, b, "Approved")
    act(board.move, c, "STOP")
    act(board.edit, d, labels=["x", "y"], name="Another title")
    act(board.move, d, "Testing")
    act(board.move, c, "To Analyse")
    while job := world.claim():
        world.succeed(job)
    feed()
    act(board.move, a, "Approved")
    while job := world.claim():
        world.succeed(job)
    feed()
    act(board.move, b, "Confirm Deploy")
    while job := world.claim():
        world.succeed(job)
    feed()


def end(board):
    db = board.world.db
    return {
        "tasks": db.query("select work_item, title, stage, labels, priority, paused_at, escalation from orch.task order by id"),
        "verdicts": db.query("select t.work_item, d.verdict, d.comment, d.stage from orch.decision d join orch.task t on t.id = d.task_id order by d.task_id, d.id"),
        "jobs": db.query("select t.work_item, j.role, j.status, count(*) from orch.job j join orch.task t on t.id = j.task_id group by 1, 2, 3 order by 1, 2, 3"),
        "shown": {i["name"]: board.shown(i) for i in board.items.values()},
        "comments": {i["name"]: sorted(c["text"] for c in board.comments[i["id"]]) for i in board.items.values()},
        "dead": db.value("select count(*) from orch.event where status = 'dead'") + db.value("select count(*) from orch.effect where status = 'dead'"),
    }


def clean(world):
    board = Board(world)
    play(board, board.settle)
    return end(board)


@pytest.mark.parametrize("seed", range(4))
def test_a_timeline_fed_again(cluster, world, seed):
    """B-9: after each act a third of the deliveries is lost, a third doubled, and old ones come again, in any order; one look at each item ends the step."""
    from world import World
    wanted = clean(world)
    assert len(wanted["tasks"]) == 5 and wanted["dead"] == 0
    other = cluster.fresh()
    try:
        board, chance, heard = Board(World(other)), random.Random(seed), []

        def feed():
            new, board.deliveries = board.deliveries, []
            heard.extend(new)
            bunch = [d for d in new if chance.random() > 1 / 3]
            bunch += [d for d in bunch if chance.random() < 1 / 3] + chance.sample(heard, min(len(heard), 5))
            chance.shuffle(bunch)
            board.deliver(bunch)
            board.world.handle_events()
            board.look()
            for item in board.items:
                other.query("select orch.look_want(1, 'item', %s)", item)
            board.settle()

        play(board, feed)
        assert end(board) == wanted
    finally:
        other.drop()
