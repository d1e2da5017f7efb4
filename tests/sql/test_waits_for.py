"""Who waits for whom; deadlocks and starvation (B-6)."""

import pytest


def chain(world, item):
    return [(r["depth"], r["waiter"], r["via"], r["holder"]) for r in world.call("waits_chain", item, user="orch_readonly")]


def check(world, limit=50):
    row = world.call("waits_check", limit, user="orch_reconcilerd")[0]
    return row["deadlocks"], row["starving"]


def findings(world):
    return world.call("finding_list", user="orch_readonly")[0]["finding_list"]["findings"]


def test_a_chain_leads_to_who_can_end_it(world):
    """B-6: dependency, then the serial gate, then a pause, and behind it a person; each with the act that would end it."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item()
    c = world.item(project="other")
    world.operate("dependency_add", c, b)
    assert chain(world, c) == [(1, c, "dependency", b), (2, b, "active-task", a), (3, a, "slot", "a worker")]
    world.operate("dependency_add", b, a)
    world.operate("pause", a, None)
    assert chain(world, c) == [(1, c, "dependency", b), (2, b, "dependency", a), (3, a, "pause", "orch_operator")]
    cuts = [r["cut"] for r in world.call("waits_chain", c, user="orch_readonly")]
    assert cuts == [f"orchctl dependency remove {c} {b}", f"orchctl dependency remove {b} {a}", f"orchctl resume {a}"]


def test_freeze_people_and_escalations_are_waits(world):
    """B-6: what a person must end names a person."""
    a = world.item()
    world.operate("freeze", "demo", "look first", None)
    assert chain(world, a) == [(1, a, "freeze", "demo"), (2, "demo", "person", "orch_operator")]
    world.operate("unfreeze", "demo")
    world.succeed(world.claim())
    assert chain(world, a) == [(1, a, "person", "somebody")]
    world.operate("approve", a, None)
    world.set("job_max_attempts", "1")
    world.db.query("update orch.job set max_attempts = 1")
    world.finish(world.claim(), "failed", reason="x")
    assert world.call("waits_chain", a, user="orch_readonly")[0]["cut"] == f"orchctl retry {a}"


def test_a_slot_that_another_has(world):
    """B-6, S-7: who has the slots of a full limit is named, and what would make room."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item(project="other")
    world.operate("limit_set", "role", "analyst", 1)
    job = world.claim()
    assert job["work_item"] == a
    rows = world.call("waits_chain", b, user="orch_readonly")
    assert (b, "slot", a, "orchctl limit set role analyst 2") in [(r["waiter"], r["via"], r["holder"], r["cut"]) for r in rows]
    assert (b, "capacity") in [(r["waiter"], r["via"]) for r in rows]
    world.succeed(job)
    assert world.claim()["work_item"] == b


def test_every_waiting_task_waits_for_something(world):
    """B-6, S-14: also what only time ends; and with a broken axis the rest is still said (S-13)."""
    a, b = world.item(), world.item()
    world.finish(world.claim(), "failed", reason="flaky")
    assert [(w[1], w[2]) for w in chain(world, b)] == [(b, "active-task"), (a, "backoff")]
    assert world.call("waits_chain", a, user="orch_readonly")[0]["cut"].startswith("it is 20")
    world.db.query("drop view orch.axis_pause cascade")
    assert [(w[1], w[2]) for w in chain(world, b)] == [(b, "active-task"), (a, "backoff")]
    assert check(world) == (0, 0)


def test_a_merge_waits_for_the_one_that_has_the_lease(world):
    """B-6: lease."""
    world.set("serial_gate_enabled", "off")
    world.item(), world.item()
    while not world.db.value("select exists (select from orch.job j join orch.merge_lease m on m.task_id <> j.task_id where j.status = 'queued' and j.kind = 'integrate')"):
        job = world.claim()
        if job is None:
            world.approve_furthest_behind()
        else:
            world.succeed(job)
    a, b = world.db.column("select work_item from orch.task order by id = (select task_id from orch.merge_lease) desc")
    assert (1, b, "lease", a) in chain(world, b)


def deadlock(world):
    """The earlier task of a repo waits for a later one, which the serial gate holds behind it."""
    a, b = world.item(), world.item()
    world.operate("dependency_add", a, b)
    return a, b


def test_a_deadlock_is_found_named_and_alerted_once(world):
    """B-6: with the circle spelled out and the cheapest act that opens it; that act opens it, and the finding ends."""
    a, b = deadlock(world)
    assert world.claim() is None
    assert [check(world) for _ in range(3)] == [(1, 0)] * 3
    text = f"Deadlock: {a} waits for {b} (dependency), {b} waits for {a} (active-task)"
    assert [(f["kind"], f["about"], f["cut"]) for f in findings(world)] == [("deadlock", text, f"orchctl pause {a}")]
    assert [e["text"] for e in world.effects("alert", a)] == [f"{text}. Cheapest way out: orchctl pause {a}"]
    assert world.db.value("select value from orch.metric where name = 'orch_wait_findings' and labels like '%deadlock%'") == 1
    world.operate("pause", a, None)
    assert world.claim()["work_item"] == b
    assert check(world) == (0, 0) and findings(world) == []
    world.operate("resume", a)
    assert world.db.column("select detail ->> 'cut' from orch.history where kind = 'waits'") == [f"orchctl pause {a}"]


def test_a_deadlock_between_repos(world):
    """B-6: two lanes, each head waiting for the task behind the other: one circle of four, one alert, in whichever lane it is met."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item()
    c, d = world.item(project="other"), world.item(project="other")
    world.operate("dependency_add", a, d)
    world.operate("dependency_add", c, b)
    assert world.claim() is None
    assert check(world) == (2, 0)
    assert len(findings(world)) == 1 and len(world.db.column("select id from orch.effect where kind = 'alert'")) == 1
    about = findings(world)[0]["about"]
    for waits in (f"{a} waits for {d} (dependency)", f"{d} waits for {c} (active-task)", f"{c} waits for {b} (dependency)", f"{b} waits for {a} (active-task)"):
        assert waits in about
    world.operate("dependency_remove", c, b)
    assert check(world) == (0, 0) and world.claim()["work_item"] == c


@pytest.mark.parametrize("switch", ["task_deps_enabled", "serial_gate_enabled"])
def test_what_is_switched_off_holds_nobody(world, switch):
    """S-12, B-6: no deadlock without both axes."""
    deadlock(world)
    world.set(switch, "off")
    assert check(world) == (0, 0)


def test_chains_that_are_no_circles(world):
    """B-6: waiting for long is no deadlock."""
    world.add_project("other", "OTH")
    a, b = world.item(), world.item()
    c = world.item(project="other")
    world.operate("dependency_add", b, c)
    world.operate("dependency_add", c, a)
    assert check(world) == (0, 0)


def age(world, interval):
    world.db.query(f"update orch.job set created_at = created_at - interval '{interval}', run_at = run_at - interval '{interval}'")
    world.db.query(f"update orch.wait_finding set found_at = found_at - interval '{interval}'")


def test_a_job_that_nobody_claims_is_alerted_about_once(world):
    """B-6: entry and flow; blocked time does not count; claimed, the finding ends."""
    a, b = world.item(), world.item()
    world.work(until="architecture", item=a)
    age(world, "2 hours")  # b is blocked for all of it
    assert check(world) == (0, 1) and findings(world) == []  # watched from now on
    age(world, "2 hours")
    assert [check(world) for _ in range(2)] == [(0, 1)] * 2
    assert [(f["kind"], f["work_item"]) for f in findings(world)] == [("starvation", a)]
    assert len(world.effects("alert", a)) == 1 and "architect" in world.effects("alert", a)[0]["text"]
    world.operate("pause", a, None)
    assert check(world) == (0, 1) and findings(world) == []  # now b is watched
    age(world, "2 hours")
    check(world)
    assert [f["work_item"] for f in findings(world)] == [b]
    assert world.claim()["work_item"] == b
    assert check(world) == (0, 0) and findings(world) == []


def test_starvation_can_be_switched_off(world):
    world.item()
    world.set("starvation_s", "0")
    age(world, "2 hours")
    assert check(world) == (0, 0)


def test_one_tick_at_a_time(world):
    """R-8: a second reconciler does not do the same tick."""
    deadlock(world)
    with world.db.connect("orch") as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("select pg_advisory_xact_lock(hashtext('orch.waits_check'))")
        assert check(world) == (0, 0) and findings(world) == []
        other.rollback()
    assert check(world) == (1, 0)


def test_one_waiter_is_answered_by_indexes(world):
    """B-6, O-3: with thousands of live tasks the waits of one are still looked up."""
    world.db.query("""insert into orch.task (project_id, repo_id, tracker_id, work_item, title, stage, stage_version)
                      select p.id, p.repo_id, 'x' || n, 'X-' || n, 't', 'analysis', 1 from orch.project p, generate_series(1, 40000) n""")
    world.db.query("""insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts)
                      select id, repo_id, 'analyst', 'agent', true, stage, stage_version, 2, 3 from orch.task""")
    world.db.query("analyze orch.task, orch.job")
    for _ in range(2):  # the first plans what the functions ask
        plan = world.db.query("explain (analyze, buffers, format json) select * from orch.waits_for where waiter_kind = 'task' and waiter_id = %s", world.task_id("X-19000"))
    top = plan[0]["QUERY PLAN"][0]["Plan"]
    assert top["Actual Rows"] == 1 and top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 1000
