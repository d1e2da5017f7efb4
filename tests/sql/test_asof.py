"""What was the state at time T: the answer of orch.asof() is what the tables said then (O-4, B-3)."""

import psycopg2
import pytest

LEFT_OUT = ["description", "input", "next_input", "token", "about", "standard"]


def now(world):
    return world.db.value("select clock_timestamp()::text")


def snapshot(world):
    """The rows that say how things stand, by table and key, as the record keeps them."""
    rows = {}
    for table, key in (("task", "id"), ("job", "id"), ("transition_lease", "task_id"), ("merge_lease", "repo_id"), ("repo_freeze", "id"),
                       ("setting_row", "key"), ("deploy_record", "id")):
        for row in world.db.query(f"select {key}::text as key, to_jsonb(r) - %s::text[] as state from orch.{table} r", LEFT_OUT):
            rows[table, row["key"]] = row["state"]
    return rows


def recorded(world, at):
    return {(r["entity"], r["key"]): r["state"] for r in world.db.query("select * from orch.state_at(%s)", at) if r["entity"] != "task_dependency"}


def test_every_instant_of_a_life_can_be_read_again(world):
    """O-4, B-3: after each step of a whole life the tables are photographed; later the record shows each photograph."""
    item, photographs = world.item("A thing"), []

    def photograph():
        photographs.append((now(world), snapshot(world)))

    photograph()
    for _ in range(200):
        if world.task(item)["stage"] == "done":
            break
        if world.task(item)["stage"] == "development" and len(photographs) < 12:
            world.operate("pause", item, "lunch")
            photograph()
            world.operate("resume", item)
            world.operate("freeze", "demo", "look", None)
            world.set("task_deps_enabled", "off")
            photograph()
            world.operate("unfreeze", "demo")
        if job := world.claim():
            photograph()
            world.succeed(job)
        else:
            world.operate("approve", item, None)
        photograph()
    assert world.task(item)["stage"] == "done" and len(photographs) > 20
    assert len({repr(p) for _, p in photographs}) > 20
    for at, photo in photographs:
        assert recorded(world, at) == photo


def test_asof_names_stage_job_and_what_had_happened(world):
    """O-4: for people: where an item was, who worked, and because of what."""
    item = world.item("A thing")
    queued = now(world)
    job = world.claim()
    running = now(world)
    world.succeed(job)
    waiting = now(world)
    world.operate("approve", item, "go")
    told = world.operate("asof", queued, item)["tasks"][0]
    assert (told["stage"], told["job"]["role"], told["job"]["status"]) == ("analysis", "analyst", "queued")
    told = world.operate("asof", running, item)["tasks"][0]
    assert (told["job"]["status"], told["job"]["attempt"], told["because"]["kind"]) == ("running", 1, "claim")
    told = world.operate("asof", waiting, None)
    assert [t["work_item"] for t in told["tasks"]] == [item] and told["tasks"][0]["job"]["status"] == "done"
    assert world.operate("asof", "0 s ago", item)["tasks"][0]["stage"] == "architecture"


def test_asof_of_an_item_that_was_cancelled_and_came_back(world):
    """C-3: the name leads to the task that bore it then."""
    item = world.item("A thing")
    job = world.claim()
    first = now(world)
    world.operate("cancel", item, None)
    world.finish(job, "cancelled")
    assert "taken in" in world.move(item, "to_analyse")
    assert world.operate("asof", first, item)["tasks"][0]["job"]["status"] == "running"


def test_freezes_dependencies_and_settings_are_part_of_the_answer(world):
    before = now(world)
    first, second = world.item("First"), world.item("Second")
    world.operate("freeze", "demo", "it burns", None)
    world.db.query("insert into orch.task_dependency (task_id, waits_for, declared_by) values (%s, %s, 'test')",
                 world.task_id(second), world.task_id(first))
    world.set("max_developer_retries", "7")
    at = now(world)
    world.operate("unfreeze", "demo")
    world.set("max_developer_retries", "3")
    told = world.operate("asof", at, None)
    assert [f["reason"] for f in told["freezes"]] == ["it burns"] and told["settings"] == {"max_developer_retries": "7"}
    told = world.operate("asof", at, second)["tasks"][0]
    assert told["waited_for"] == [first] and [f["reason"] for f in told["freezes"]] == ["it burns"]
    assert world.operate("asof", before, None)["tasks"] == []


def test_the_difference_between_two_instants(world):
    """B-3: only what differs, with both values; what changed back is not in it."""
    item = world.item("A thing")
    begin = now(world)
    world.operate("priority_set", item, 1)
    world.set("max_developer_retries", "7")
    world.set("max_developer_retries", "3")
    end = now(world)
    world.operate("priority_set", item, 4)
    changes = world.operate("asof_changes", begin, end, item)["changes"]
    task = [c for c in changes if c["what"] == "task"][0]
    assert task["work_item"] == item and task["before"] == {"priority": 2} and task["after"] == {"priority": 1}
    assert not [c for c in world.operate("asof_changes", begin, end, None)["changes"]
                if c["what"] == "setting_row" and c["after"].get("value")]


@pytest.mark.parametrize("at, says", [("yesterday-ish", "is no time"), ("2001-01-01", "nothing is known"), ("2999-01-01", "is yet to come"),
                                      ("'; drop table orch.task; --", "is no time"), ("", "is no time")])
def test_bad_times_are_refused(world, at, says):
    with pytest.raises(psycopg2.Error, match=says) as error:
        world.operate("asof", at, None)
    assert error.value.pgcode == "OR003"


def test_an_item_that_was_not_there(world):
    at = now(world)
    item = world.item("A thing")
    with pytest.raises(psycopg2.Error, match="was not in the pipeline") as error:
        world.operate("asof", at, item)
    assert error.value.pgcode == "OR001"


def test_the_record_cannot_be_rewritten(world):
    """O-4: append-only, for the owner as well."""
    world.item("A thing")
    for statement in ("update orch.state_change set at = now()", "delete from orch.state_change", "truncate orch.state_change"):
        with pytest.raises(psycopg2.Error, match="append-only"):
            world.db.query(statement)
