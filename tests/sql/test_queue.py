"""/queue is complete and bounded (O-1): every block, pages, estimates, and a broken block inside the answer."""

import psycopg2
import pytest

from support.backlog import load

BLOCKS = {"at", "next", "counts", "running", "waiting", "repos", "leases", "stop", "capacity", "resilience", "reconcile", "reaper", "post_deploy",
          "inbox", "outbox", "axis_faults", "dead_letters", "processes"}


@pytest.fixture
def queue(world):
    return lambda after=None: world.call("queue_snapshot", after, user="orch_webhookd")[0]["queue_snapshot"]


def errors(snapshot):
    return {key: block["error"] for key, block in snapshot.items() if isinstance(block, dict) and "error" in block}


def test_every_block_is_there(world, queue):
    """O-1: with something to show in each."""
    a, b, c = [world.item(f"Thing {n}") for n in range(3)]
    world.operate("limit_set", "role", "analyst", 1)
    world.claim()
    world.operate("pause", b, "later")
    world.operate("cancel", a, "no")
    world.operate("freeze", "demo", "main is red", None)
    world.db.query("""insert into orch.provider_circuit (provider, state, open_until, reason) values ('claude', 'open', now() + interval '1 hour', 'overloaded');
                      update orch.job set transients = 3 where task_id = (select id from orch.task where work_item = %s);
                      insert into orch.wait_finding (kind, key, task_id, about) select 'deadlock', 'k', id, 'a circle' from orch.task where work_item = %s;
                      insert into orch.deploy_record (task_id, stage_version, sha, initiated_at)
                        select id, 1, repeat('a', 40), now() from orch.task where work_item = %s;
                      update orch.process set beat_at = now() - interval '1 hour';
                      update orch.job set orphaned_at = now() where status = 'running';
                      insert into orch.axis_fault (axis, error) values ('pause', 'boom')""", c, b, c)
    shown = queue()
    assert set(shown) == BLOCKS and errors(shown) == {} and shown["next"] == {}
    assert shown["counts"] == {"queued": 2, "running": 1}
    assert [(r["work_item"], r["host"]) for r in shown["running"]] == [(a, "testhost")]
    assert {w["work_item"]: [x["axis"] for x in w["waits"]] for w in shown["waiting"]} == {
        b: ["freeze", "pause", "active-task", "capacity"], c: ["freeze", "active-task", "capacity"]}
    repo = shown["repos"]["demo"]
    assert (repo["active_task"], repo["waiting"], repo["paused"], repo["frozen"], repo["frozen_reason"]) == (a, 2, [b], True, "main is red")
    assert repo["frozen_at"]
    assert [(s["work_item"], s["deferred"]) for s in shown["stop"]] == [(a, False)]
    assert shown["resilience"]["circuits"][0]["provider"] == "claude" and shown["resilience"]["transients"]["worst"] == 3
    assert shown["capacity"] == [{"scope": "role", "name": "analyst", "slots": 1, "used": 1, "full": True}]
    assert shown["reconcile"]["findings"][0]["about"] == "a circle"
    assert shown["reaper"]["orphans"] == 1 and shown["reaper"]["silent"][0]["daemon"] == "workerd"
    assert [(d["work_item"], d["state"]) for d in shown["post_deploy"]["deploys"]] == [(c, "under way")] and shown["post_deploy"]["watches"] == []
    assert shown["axis_faults"][0]["axis"] == "pause"
    assert shown["dead_letters"] == 0 and len(shown["processes"]) == 1


@pytest.mark.parametrize("broken, blocks", [
    ("drop view orch.dead_letter cascade", {"dead_letters"}), ("drop view orch.live_task cascade", {"running", "waiting"}),
    ("alter table orch.merge_lease rename column taken_at to since", {"leases"}), ("alter table orch.effect rename column status to state", {"outbox"})])
def test_broken_block_says_so_inside(world, queue, broken, blocks):
    """O-1: and only it."""
    world.item()
    world.db.query(broken)
    shown = queue()
    assert set(shown) == BLOCKS and set(errors(shown)) == blocks
    assert shown["repos"]["demo"]["waiting"] == 1


def all_of(queue, key):
    """A list, page after page."""
    page = queue()
    rows = list(page[key])
    while after := page["next"].get(key):
        page = queue(after)
        assert set(page) == {"at", "next", key}
        assert len(page[key]) <= 25
        rows += page[key]
    return rows


def test_lists_are_paged(database, world, queue):
    """O-1: page after page everything comes once, in order."""
    load(database, 250, 120)
    waiting = [row["work_item"] for row in all_of(queue, "waiting")]
    assert waiting == database.column("select work_item from orch.task order by id") and len(waiting) == 250
    assert all_of(queue, "repos") == database.column("select name from orch.repo order by name")


def test_rows_that_come_and_go_between_pages(database, world, queue):
    """O-1: a page goes on after a key, so what ends meanwhile hides nothing and shows nothing twice."""
    load(database, 250, 120)
    first = queue()
    database.query("set session_replication_role = replica; update orch.job set status = 'cancelled', ended_at = now(); update orch.task set stage = 'cancelled', stage_version = 2, "
                   "cancelled_at = now() where id % 2 = 0; reset session_replication_role")
    second = queue(first["next"]["waiting"])
    assert not {r["work_item"] for r in first["waiting"]} & {r["work_item"] for r in second["waiting"]}
    assert [r["work_item"] for r in second["waiting"]] == database.column(
        "select work_item from orch.task where not terminal and id > %s order by id limit 25", int(first["next"]["waiting"].split(":")[1]))


@pytest.mark.parametrize("after", ["", ":", "waiting", "waiting:", "waiting:x", "waiting:-1", "waiting:99999999999999999999", "nothing:1",
                                   "counts:1", "waiting:1; drop table orch.job", "'", "repos:"])
def test_what_is_no_page(world, queue, after):
    """O-5: a clear error, no other page."""
    with pytest.raises(psycopg2.Error) as refused:
        queue(after)
    assert refused.value.pgcode == "OR003"


def test_what_is_many_is_estimated_and_marked(database, world, queue):
    """O-1: exact to the bound; above, what the statistics say, or only that it is more."""
    load(database, 6000, 10)
    counts = queue()["counts"]
    assert counts["queued"] == {"at_least": 5000, "estimated": True}, "nobody has analyzed yet"
    assert queue()["repos"]["repo0001"]["waiting"] == {"at_least": 200, "estimated": True}
    database.query("analyze orch.job, orch.task")
    about = queue()["counts"]["queued"]
    assert about["estimated"] and 5900 <= about["about"] <= 6100
    jobs = database.value("select value from orch.metric where name = 'orch_queue_jobs' and labels like '%queued%'", user="orch_readonly")
    tasks = database.value("select value from orch.metric where name = 'orch_tasks' and labels like '%\"analysis\"%'", user="orch_readonly")
    assert 5900 <= jobs <= 6100 and 5900 <= tasks <= 6100


def read_blocks(database, statement):
    """How many pages of 8 KiB a statement looked at: what it costs, on a slow machine as on a fast one."""
    database.query(statement)
    plan = database.query("explain (analyze, buffers, format json) " + statement)[0]["QUERY PLAN"][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.parametrize("statement", ["select orch.queue_snapshot()", "select orch.queue_snapshot('waiting:500')", "select orch.status_snapshot()",
                                       "select jsonb_agg(m) from orch.metric m"])
def test_cost_does_not_grow_with_the_backlog(cluster, database, world, statement):
    """O-1: twenty times the backlog, hardly more to read."""
    load(database, 6000, 150)
    database.query("vacuum analyze")
    small = read_blocks(database, statement)
    larger = cluster.fresh()
    try:
        load(larger, 60000, 150)
        larger.query("vacuum analyze")
        assert read_blocks(larger, statement) < 1.5 * small + 500
    finally:
        larger.drop()
