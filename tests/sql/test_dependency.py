"""Dependencies: declared, taken away, never in a circle (S-4, S-15)."""

import itertools
import threading

import psycopg2
import pytest


def history(world, item):
    return world.db.column("select detail from orch.history h join orch.task t on t.id = h.task_id where t.work_item = %s and kind = 'dependency' order by h.id", item)


def test_declared_and_taken_away(world):
    """S-15, O-2: idempotent, in the history, audited, and seen by both."""
    world.set("serial_gate_enabled", "off")
    a, b = world.item(), world.item()
    answer = world.operate("dependency_add", b, a)
    assert answer["message"] == f"{b} waits for {a}" and answer["waits"][0]["axis"] == "dependency"
    assert "already" in world.operate("dependency_add", b, a)["message"]
    assert world.call("dependency_list", a, user="orch_readonly")[0]["dependency_list"]["dependencies"][0]["work_item"] == b
    assert world.claim()["work_item"] == a and world.claim() is None
    assert "any more" in world.operate("dependency_remove", b, a)["message"]
    assert world.operate("dependency_remove", b, a)["message"] == f"{b} does not wait for {a}"
    assert world.claim()["work_item"] == b
    assert history(world, b) == [{"waits_for": a, "declared": True}, {"waits_for": a, "declared": False}]
    assert len(world.db.query("select id from orch.audit where act like 'dependency%'")) == 4


@pytest.mark.parametrize("end", ["done", "cancelled"])
def test_a_predecessor_that_ends_lets_go(world, end):
    """S-4: done or cancelled, not paused."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item(project="other")
    world.operate("dependency_add", b, a)
    world.operate("pause", a, None)
    assert world.blocks(b) == ["dependency"] and "and paused" in world.call("why", b, user="orch_readonly")[0]["reason"]
    world.operate("resume", a)
    if end == "done":
        world.work(until="done", item=a)
    else:
        world.operate("cancel", a, None)
    assert world.blocks(b) == []
    assert "nothing is held up" in world.operate("dependency_add", world.item(project="other"), a)["message"]


def test_a_circle_is_refused_and_spelled_out(world):
    """S-15: nothing is changed; the whole circle is named."""
    a, b, c = [world.item() for _ in range(3)]
    world.operate("dependency_add", b, a)
    world.operate("dependency_add", c, b)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dependency_add", a, c)
    assert refused.value.pgcode == "OR002" and f"{a} → {c} → {b} → {a}" in refused.value.diag.message_primary
    assert world.db.value("select count(*) from orch.task_dependency") == 2


def test_a_circle_that_is_there_already_does_not_hold_the_next_one_up(world):
    """S-13, S-15: bad data, which no act makes: a wait that leads into it is still answered."""
    a, b, c = [world.item() for _ in range(3)]
    ids = [world.task_id(item) for item in (a, b, c)]
    for waiter, holder in ((0, 1), (1, 0), (1, 2)):
        world.db.query("insert into orch.task_dependency (task_id, waits_for, declared_by) values (%s, %s, 'test')", ids[waiter], ids[holder])
    for holder in (a, b):
        with pytest.raises(psycopg2.Error, match="it would wait for itself") as refused:
            world.db.query("set statement_timeout = '20s'; select orch.dependency_add(%s, %s)", c, holder)
        assert refused.value.pgcode == "OR002"


def test_a_task_that_is_over_closes_no_circle(world):
    """S-15: what is terminal holds nobody up."""
    a, b, c = [world.item() for _ in range(3)]
    world.operate("dependency_add", b, a)
    world.operate("dependency_add", c, b)
    world.operate("cancel", b, None)
    assert world.operate("dependency_add", a, c)["message"] == f"{a} waits for {c}"


def test_a_task_that_is_over_waits_for_nothing(world):
    a, b = world.item(), world.item()
    world.operate("cancel", a, None)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dependency_add", a, b)
    assert refused.value.pgcode == "OR002"


def test_insertions_that_would_close_a_circle_together(world):
    """S-15: between four repos no two of which they share, both find the rest of the circle; one of them is refused."""
    for name in ("two", "three", "four"):
        world.add_project(name, name.upper())
    a, b, c, d = [world.item(project=p) for p in ("demo", "two", "three", "four")]
    world.operate("dependency_add", b, c)
    world.operate("dependency_add", d, a)
    for _ in range(10):
        gate, outcomes = threading.Barrier(2), []

        def declare(x, y):
            with world.db.connect("orch_operator") as mine, mine.cursor() as cursor:
                gate.wait()
                try:
                    cursor.execute("select orch.dependency_add(%s, %s)", (x, y))
                    outcomes.append("declared")
                except psycopg2.Error as e:
                    outcomes.append(e.pgcode)
        threads = [threading.Thread(target=declare, args=pair) for pair in ((a, b), (c, d))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == ["OR002", "declared"]
        for x, y in ((a, b), (c, d)):
            world.operate("dependency_remove", x, y)


def test_the_second_insertion_waits_for_the_first(world):
    """S-15: also when it is known to be under way, it is not overtaken."""
    a, b = world.item(), world.item()
    other = world.db.connect("orch_operator")
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute("select orch.dependency_add(%s, %s)", (a, b))
        world.db.query("set lock_timeout = '200ms'", user="orch_operator")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            world.operate("dependency_add", b, a)
    other.commit()
    other.close()
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dependency_add", b, a)
    assert refused.value.pgcode == "OR002"


def test_many_paths_are_looked_at_once_each(world):
    """S-15: forty layers of two, each waiting for both of the next, have 2^40 paths; the circle is found all the same."""
    layers = 40
    world.db.query("""insert into orch.task (project_id, repo_id, tracker_id, work_item, title)
                      select p.id, p.repo_id, 'x' || n, 'X-' || n, 't' from orch.project p, generate_series(0, %s) n""", 2 * layers + 1)
    ids = {row["work_item"]: row["id"] for row in world.db.query("select work_item, id from orch.task")}
    for n in range(layers):
        for x, y in itertools.product((2 * n, 2 * n + 1), (2 * n + 2, 2 * n + 3)):
            world.db.query("insert into orch.task_dependency values (%s, %s, 'test')", ids[f"X-{x}"], ids[f"X-{y}"])
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dependency_add", f"X-{2 * layers}", "X-0")
    assert refused.value.pgcode == "OR002"
    names = refused.value.diag.message_primary.split(": ")[-1].split(" → ")
    assert names[0] == names[-1] == f"X-{2 * layers}" and len(names) == layers + 2
    assert world.operate("dependency_add", "X-0", f"X-{2 * layers}")["message"].startswith("X-0 waits")


def test_ten_thousand_dependencies_of_one_task(world):
    """S-15: the bound is said, what is there still works, and why stays readable."""
    a = world.item()
    world.db.query("""insert into orch.task (project_id, repo_id, tracker_id, work_item, title)
                      select p.id, p.repo_id, 'x' || n, 'X-' || n, 't' from orch.project p, generate_series(1, 10000) n""")
    world.db.query("insert into orch.task_dependency select %s, id, 'test' from orch.task where work_item like 'X-%%' order by id limit 999", world.task_id(a))
    assert "waits for" in world.operate("dependency_add", a, "X-9000")["message"]
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("dependency_add", a, "X-10000")
    assert refused.value.pgcode == "OR002" and "1000 tasks already" in refused.value.diag.message_primary
    world.db.query("insert into orch.task_dependency select %s, id, 'test' from orch.task where work_item like 'X-%%' on conflict do nothing", world.task_id(a))
    assert "dependency" in world.blocks(a) and world.claim() is None
    world.db.query("delete from orch.task_dependency")
    assert world.claim()["work_item"] == a


def blocked_item(world, *on, project=None):
    name = world.call("item_create", project or "demo", "Blocked", "", 2, ", ".join(on), user="orch_operator")[0]["item_create"]["work_item"]
    world.handle_events()
    return name


def test_the_tracker_declares(world):
    """S-15: at intake, across repos; what is not in the pipeline is named in a comment."""
    world.add_project("other", "OTH")
    a = world.item()
    b = blocked_item(world, a, "NOPE-7", project="other")
    assert world.blocks(b) == ["dependency"]
    assert world.db.column("select declared_by from orch.dependency where work_item = %s", b) == ["tracker"]
    assert "NOPE-7" in world.effects("comment", b)[0]["text"]
    world.db.query("update orch.local_item set blocked_by = '{}' where work_item = %s", b)
    world.move(b, "backlog")
    assert world.blocks(b) == [] and [h["declared"] for h in history(world, b)] == [True, False]


def test_a_circle_in_the_tracker_blocks_the_task(world):
    """S-15: the edge is refused, the task Blocked, one alert spells the circle out; a person acts, and it goes on."""
    world.set("serial_gate_enabled", "off")
    a = world.item()
    b = blocked_item(world, a)
    world.db.query("update orch.local_item set blocked_by = array[%s] where work_item = %s", b, a)
    for _ in range(2):
        world.move(a, "backlog")
    assert world.waits(a) == ["escalated"] and world.shown(a)[-1] == "blocked"
    alerts = world.effects("alert", a)
    assert len(alerts) == 1 and f"{a} → {b} → {a}" in alerts[0]["text"]
    world.db.query("update orch.local_item set blocked_by = '{}' where work_item = %s", a)
    world.operate("retry", a, None)
    assert world.claim()["work_item"] == a


@pytest.mark.parametrize("names", ["DEMO-1", "DEMO-1 DEMO-1", "'; drop table orch.task --", "DEMO-1#cancelled-1", "x" * 5000])
def test_what_the_tracker_says_may_be_anything(world, names):
    """S-15, O-5: an item that blocks itself, or names that are none."""
    b = blocked_item(world, names)
    assert world.db.value("select count(*) from orch.task_dependency") == 0
    assert world.waits(b) == (["escalated"] if names.startswith("DEMO-1") and "#" not in names else ["slot"])
