"""Claims that are under way, and branches between two lives of a work item."""

import concurrent.futures

import pytest

from support.wait import wait_for


def on_its_own_connection(world, statement, *args, user):
    connection = world.db.connect(user)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, args)
            return cursor.fetchall()
    finally:
        connection.close()


def test_analysed_again_loses_against_an_approval(world):
    """P-12: an event that waited for somebody else's move finds the task as that has left it, and leaves nothing behind."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("item_move", a, "to_analyse", "once more")
    event = world.call("event_unrouted", 1)[0]["event_id"]
    body = world.db.value("select convert_from(body, 'UTF8')::jsonb from orch.event where id = %s", event)
    world.call("event_route", event, "item:" + a, "tracker.item", "demo", a, body)
    person = world.db.connect("orch_operator")
    person.autocommit = False
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            person.cursor().execute("select orch.approve(%s)", [a])
            handled = pool.submit(on_its_own_connection, world, "select outcome from orch.event_handle(1)", user="orch_workerd")
            wait_for(lambda: waiting_for_a_lock(world) == 1, what="the event waits for the task")
            person.commit()
        finally:
            person.close()
        outcome = handled.result()[0][0]
    assert (world.task(a)["stage"], world.task(a)["next_input"]) == ("architecture", None)
    assert outcome == "hinted: to_analyse set by hand does nothing now"


def waiting_for_a_lock(world):
    return world.db.value("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


@pytest.mark.parametrize("giver, user", [("process_gone(%s, 'pid gone', false)", "orch_reaperd"), ("process_handover(%s, %s)", "orch_workerd")])
def test_a_claim_under_way_is_not_missed(world, giver, user):
    """T-5, J-1: a server finishes a claim whose client has died or lost its connection. What gives back the process's work
    meanwhile waits for it: no job is left with an owner that does not know it."""
    a = world.item()
    args = [world.process, world.epoch][:giver.count("%s")]
    blocker = world.db.connect()
    blocker.autocommit = False
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        try:
            blocker.cursor().execute("select from orch.task where work_item = %s for no key update", [a])
            claim = pool.submit(on_its_own_connection, world, "select job_id from orch.job_claim(%s, %s)", world.process, world.epoch, user="orch_workerd")
            wait_for(lambda: waiting_for_a_lock(world) == 1, what="the claim waits")
            given = pool.submit(on_its_own_connection, world, f"select orch.{giver}", *args, user=user)
            wait_for(lambda: given.done() or waiting_for_a_lock(world) == 2, what="the giver has an answer or waits")
        finally:
            blocker.rollback()
            blocker.close()
        assert len(claim.result()) == 1 and given.result() == [(1,)]
    assert [job["status"] for job in world.jobs(a)] == ["queued"]


def finish_effects(world):
    while rows := world.call("effect_claim", world.process, world.epoch, 10):
        for row in rows:
            world.call("effect_finish", row["effect_id"], row["epoch"], row["token"], "done", "", None)


def relaunch(world, item):
    """Cancels, begins again, and gives the new branch."""
    world.operate("cancel", item, None)
    world.move(item, "to_analyse")
    world.succeed(world.claim())
    return world.task(item)["branch"]


def test_a_late_deletion_never_meets_the_new_branch(world):
    """C-3, C-7: as long as the old branch is to be deleted, a new life of the item has a branch of another name."""
    a = world.item("Thing")
    world.succeed(world.claim())
    first = world.task(a)["branch"]
    second = relaunch(world, a)
    assert first == f"feature/{a}-thing" and second == f"{first}-{world.task(a)['id']}"
    finish_effects(world)
    world.operate("cancel", a, None)
    finish_effects(world)
    world.move(a, "to_analyse")
    assert world.claim()["branch"] == first


def test_a_branch_that_could_not_be_deleted_is_not_met_again(world):
    """C-3, C-7: a deletion that was given up leaves the old branch in the forge. The new life begins from scratch beside it."""
    a = world.item("Thing")
    world.succeed(world.claim())
    world.operate("cancel", a, None)
    for row in world.call("effect_claim", world.process, world.epoch, 10):
        if row["kind"] == "delete_branch":
            world.call("effect_finish", row["effect_id"], row["epoch"], row["token"], "dead", "refused", None)
    world.move(a, "to_analyse")
    assert world.claim()["branch"] == f"feature/{a}-thing-{world.task(a)['id']}"


def test_a_push_whose_answer_was_lost_is_deleted_too(world):
    """C-3: the branch is deleted also when no push was ever recorded."""
    a = world.item()
    job = world.claim()
    world.operate("cancel", a, None)
    world.finish(job, "cancelled")
    assert world.db.value("select payload ->> 'branch' from orch.effect where kind = 'delete_branch'") == job["branch"]
