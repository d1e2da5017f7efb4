"""What would start next if something were different: the real scheduler, rolled back (B-2)."""

import psycopg2
import pytest


def starts(answer, which="starts"):
    return [s["work_item"] for s in answer[which]]


def everything(world):
    """Every row of every table, so that a trace would show."""
    tables = world.db.column("select relname from pg_class where relnamespace = 'orch'::regnamespace and relkind = 'r' order by 1")
    return {t: world.db.query(f"select * from orch.{t}") for t in tables}


def two_repos(world):
    world.add_project("other", "OTH")
    first, behind = world.item("First"), world.item("Behind it")
    other = world.item("Of another repo", project="other")
    return first, behind, other


def test_what_starts_as_things_are_is_what_the_claim_gives(world):
    """B-2, S-5, S-11: the same jobs in the same order, because it is the same claim."""
    two_repos(world)
    world.item("Urgent", project="other", priority=0)
    told = world.operate("whatif", [], 20)
    claimed = []
    while job := world.claim():
        claimed.append(job["work_item"])
    assert starts(told) == starts(told, "as_is") == claimed and len(claimed) == 2


@pytest.mark.parametrize("changes, expected, gone, new", [
    ([{"act": "freeze", "repo": "demo", "reason": "suppose"}], ["OTH-1"], ["DEMO-1"], []),
    ([{"act": "pause", "work_item": "DEMO-1"}], ["DEMO-2", "OTH-1"], ["DEMO-1"], ["DEMO-2"]),
    ([{"act": "setting_set", "key": "serial_gate_enabled", "value": "off"}], ["DEMO-1", "OTH-1", "DEMO-2"], [], ["DEMO-2"]),
    ([{"act": "priority_set", "work_item": "OTH-1", "priority": 0}], ["OTH-1", "DEMO-1"], [], []),
    ([{"act": "cancel", "work_item": "DEMO-1"}], ["DEMO-2", "OTH-1"], ["DEMO-1"], ["DEMO-2"]),
    ([{"act": "freeze", "repo": "demo", "reason": "suppose"}, {"act": "unfreeze", "repo": "demo"}], ["DEMO-1", "OTH-1"], [], []),
])
def test_suppositions(world, changes, expected, gone, new):
    two_repos(world)
    told = world.operate("whatif", changes, None)
    assert starts(told) == expected and told["only_now"] == gone and told["only_then"] == new
    assert starts(told, "as_is") == ["DEMO-1", "OTH-1"]


def test_nothing_of_it_stays(world):
    """B-2: no row of any table differs after it, and nobody was woken."""
    two_repos(world)
    before = everything(world)
    with world.db.connect() as listener:
        listener.autocommit = True
        listener.cursor().execute("listen orch_work")
        told = world.operate("whatif", [{"act": "freeze", "repo": "demo", "reason": "suppose"}, {"act": "setting_set", "key": "task_deps_enabled", "value": "off"},
                                        {"act": "item_create", "project": "demo", "title": "One more"}], 50)
        assert starts(told) == ["OTH-1"]
        listener.cursor().execute("select 1")
        listener.poll()
        assert not listener.notifies
    assert everything(world) == before


def test_a_claim_is_possible_while_somebody_supposes(world):
    """A claim skips what is looked at, and does not wait for it."""
    two_repos(world)
    with world.db.connect("orch_operator") as other:
        cursor = other.cursor()
        cursor.execute("select orch.whatif('[]', 1)")
        assert world.claim()["work_item"] == "DEMO-1"


@pytest.mark.parametrize("changes, limit, says", [
    ([{"act": "project_add", "name": "x"}], 5, "cannot be supposed"),
    ([{"act": "freeze", "repo": "demo"}], 5, 'freeze: the parameter "reason" is missing'),
    ([{"act": "freeze", "repo": "demo", "reason": "x", "colour": "red"}], 5, 'freeze: there is no parameter "colour"'),
    ([{"act": "setting_set", "key": "job_max_attempts", "value": "-3"}], 5, "is no value for"),
    ([{"act": "pause", "work_item": "NONE-1"}], 5, "no work item"),
    ([{"act": "priority_set", "work_item": "DEMO-1", "priority": 9}], 5, "out of range"),
    ({"act": "freeze"}, 5, "must be a list"), (["freeze"], 5, "cannot be supposed"), ([], 0, "out of range"), ([], 201, "out of range"),
])
def test_bad_suppositions_change_nothing(world, changes, limit, says):
    world.item("A thing")
    before = everything(world)
    with pytest.raises(psycopg2.Error, match=says):
        world.db.query("select orch.whatif(%s, %s)", psycopg2.extras.Json(changes), limit, user="orch_operator")
    assert everything(world) == before
