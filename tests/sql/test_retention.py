"""What is kept for how long, and what goes when that is over (R-10, J-9, O-4)."""

import psycopg2
import pytest

DAY = 86400
RULES = ["event-body", "event", "dedup-plane", "dedup", "effect", "probe", "process", "state"]


def age(world, table, column, days, where="true"):
    """Makes rows look so many days older than they are; the record of versions keeps no version of that."""
    world.db.query("set session_replication_role = replica")
    world.db.query(f"update orch.{table} set {column} = {column} - make_interval(days => %s) where {where}", days)
    world.db.query("set session_replication_role = origin")


def tick(world):
    rows = world.call("retention_tick", user="orch_reaperd")
    assert all(row["error"] is None for row in rows), rows
    return {row["rule"]: row["removed"] for row in rows if row["removed"]}


def dry_run(world):
    rules = world.operate("retention")["rules"]
    assert [r["rule"] for r in rules] == RULES
    return {r["rule"]: r["next"] for r in rules if r["next"]}


def ticks(world):
    """To the end; each tick removes what the dry run before it has said."""
    removed = []
    while True:
        expected, before = dry_run(world), mark(world)
        did = tick(world)
        assert did == expected
        if not did and mark(world) == before:
            return removed
        removed.append(did)


def mark(world):
    return world.db.value("select id from orch.retention_mark where what = 'state_change'")


def events(world):
    return world.db.query("select id, status, length(body) as body from orch.event order by id")


def test_nothing_goes_before_its_time(world):
    """J-9, R-10: what is young, or belongs to what is under way, stays."""
    item = world.item()
    world.work(until="development", item=item)
    assert dry_run(world) == {} and tick(world) == {}
    age(world, "effect", "ended_at", 1000, "ended_at is not null")
    assert tick(world) == {}, "the effects of a live task say what must not be done twice"


def test_bodies_go_first_and_what_people_must_see_stays(world):
    """J-9: the body of a handled event goes, later the event; one that was given up keeps both until somebody drops it."""
    world.item("one"), world.item("two"), world.item("three")
    world.db.query("update orch.event set status = 'malformed' where id = 3")
    age(world, "event", "ended_at", 20)
    assert dry_run(world) == {"event-body": 2} and tick(world) == {"event-body": 2}
    assert [e["body"] > 0 for e in events(world)] == [False, False, True]
    age(world, "event", "ended_at", 80)
    assert tick(world) == {"event": 2}
    assert [e["id"] for e in events(world)] == [3] and world.db.column("select letter from orch.dead_letter") == ["event-3"]
    world.operate("dead_letter_drop", "event-3", None)
    assert tick(world) == {}
    age(world, "event", "dropped_at", 100)
    assert ticks(world)[0]["event"] == 1 and events(world) == []


def test_a_delivery_is_known_again_after_its_event_has_gone(world):
    """I-3: the id of a delivery counts for ever, unless somebody says how long; a body of Plane as long as it counts."""
    def intake(source, key):
        row = world.call("event_intake", source, key, key, {}, b"{}", user="orch_webhookd")[0]
        return row["duplicate"]
    assert not intake("gitea", "a") and not intake("plane", "b")
    world.db.query("update orch.event set status = 'ignored', ended_at = now() - interval '100 days'")
    assert tick(world) == {"event-body": 2, "event": 2}
    assert intake("gitea", "a") and intake("plane", "b")
    age(world, "event_dedup", "seen_at", 400)
    assert tick(world) == {"dedup-plane": 1} and intake("gitea", "a")
    world.set("keep_dedup_days", "30")
    age(world, "event_dedup", "seen_at", 31)
    assert tick(world) == {"dedup": 1} and not intake("gitea", "a")


def test_effects_go_with_their_task_and_never_before_a_dead_letter(world):
    """I-7, R-10: done effects of a task that is over go; those that followed a dead letter stay, so that it cannot turn the tracker back."""
    item = world.item()
    world.work(item=item)
    assert world.task(item)["stage"] == "done"
    world.db.query("update orch.effect set status = 'done', ended_at = now() - interval '100 days'")
    dead = world.db.value("select min(id) from orch.effect where kind = 'state'")
    world.db.query("update orch.effect set status = 'dead' where id = %s", dead)
    with pytest.raises(psycopg2.Error, match="out of date"):
        world.operate("dead_letter_retry", f"effect-{dead}")
    n, comments = (world.db.value(f"select count(*) from orch.effect where {where}") for where in ("true", "object_key not like 'tracker:%%'"))
    assert sum(t["effect"] for t in ticks(world) if "effect" in t) == comments + world.db.value(
        "select count(*) from orch.effect where id < %s and object_key like 'tracker:%%'", dead) and n > comments
    with pytest.raises(psycopg2.Error, match="out of date"):
        world.operate("dead_letter_retry", f"effect-{dead}")
    world.operate("dead_letter_drop", f"effect-{dead}", None)
    age(world, "effect", "dropped_at", 100, "dropped_at is not null")
    ticks(world)
    assert world.db.value("select count(*) from orch.effect") == 0


def test_processes_that_nothing_names_go(world):
    """R-10: an ended process goes, but one that has run a job stays with its runs."""
    idle, epoch = world.add_process("webhookd", pid=2, user="orch_webhookd")
    world.item()
    world.claim()
    world.db.query("update orch.process set ended_at = now() - interval '31 days', end_reason = 'left'")
    assert tick(world) == {"process": 1}
    assert world.db.column("select id from orch.process") == [world.process]


def test_a_tick_is_bounded_and_goes_on_where_it_stopped(world):
    """R-10: more than a tick's worth takes several ticks, the oldest first."""
    batch = world.db.value("select orch.retention_batch()")
    world.db.query("insert into orch.event (source, body, status, ended_at) select 'gitea', 'x', 'ignored', now() - interval '1 day' * (20 + n) from generate_series(1, %s) n",
                   batch + 10)
    oldest = world.db.column("select id from orch.event order by ended_at limit %s", batch)
    assert tick(world)["event-body"] == batch
    assert set(world.db.column("select id from orch.event where body_removed_at is not null union select n from unnest(%s) n", oldest)) == set(oldest)
    assert [t["event-body"] for t in ticks(world) if "event-body" in t] == [10]


def test_one_tick_at_a_time(world):
    """R-8: while a tick is under way, another reaper's does nothing."""
    world.item()
    age(world, "event", "ended_at", 20)
    other = psycopg2.connect(world.db.dsn("orch_reaperd"))
    with other, other.cursor() as cursor:
        cursor.execute("select * from orch.retention_tick()")
        assert cursor.rowcount == 1
        assert tick(world) == {}
    other.close()
    assert events(world)[0]["body"] == 0


def test_a_rule_that_fails_does_not_stop_the_others(world):
    """S-13, R-10: a rule that cannot be followed says so; the others go on."""
    world.item()
    world.add_process("webhookd", pid=2, user="orch_webhookd")
    world.db.query("update orch.process set ended_at = now() - interval '31 days', end_reason = 'left' where pid = 2")
    age(world, "event", "ended_at", 20)
    world.db.query("create function public.no() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$")
    world.db.query("create trigger no before update on orch.event for each row execute function public.no()")
    rows = {row["rule"]: row for row in world.call("retention_tick", user="orch_reaperd")}
    assert rows["event-body"]["error"] == "not this one" and rows["process"]["removed"] == 1


# --- the versions of rows --------------------------------------------------------------------------------------


def whole(world, at):
    return {(r["entity"], r["key"]): (r["since"], r["state"]) for r in world.db.query("select * from orch.state_at(%s)", at)}


def test_thinned_versions_answer_as_before(world):
    """B-3, O-4: of what is older than the mark only what held at the mark stays; from there on every answer is what it was."""
    item, other = world.item(), world.item("other")
    world.work(until="testing", item=item)
    world.operate("freeze", "demo", "look", None)
    world.operate("unfreeze", "demo")
    world.operate("dependency_add", other, item)
    world.operate("dependency_remove", other, item)
    age(world, "state_change", "at", 200)
    aged = world.db.value("select max(at) from orch.state_change")
    world.work(item=item)
    instants = world.db.column("select at from orch.state_change where at > %s order by id", aged)
    before = {at: whole(world, at) for at in [aged, *instants]}
    n, rows = world.db.value("select count(*) from orch.state_change"), len(before[aged])
    old = n - len(instants)
    removed = sum(t["state"] for t in ticks(world))
    assert removed == old - rows and removed > 20
    assert {at: whole(world, at) for at in before} == before
    assert world.db.value("select orch.state_began()") == aged


def test_asof_says_that_it_is_kept_no_longer(world):
    """B-3: asked about a time before what is kept, the answer is no guess."""
    item = world.item()
    world.work(until="review", item=item)
    age(world, "state_change", "at", 200)
    middle = world.db.value("select at::text from orch.state_change where entity = 'task' order by id offset 3 limit 1")
    assert world.operate("asof", middle, item)
    world.work(item=item)
    ticks(world)
    for act in (("asof", middle, item), ("asof_changes", middle, None, None)):
        with pytest.raises(psycopg2.Error) as refused:
            world.operate(*act)
        assert refused.value.pgcode == "OR003" and "kept no longer" in refused.value.diag.message_primary
        assert "keep_state_days is 180" in refused.value.diag.message_hint
    assert world.operate("asof", None, item)["tasks"][0]["stage"] == "done"


def test_no_version_can_be_deleted_but_a_superseded_one(world):
    """O-4: not even by who may write the table: what is kept is whole."""
    world.work(item=world.item())
    for victim in world.db.column("select id from orch.state_change order by id"):
        with pytest.raises(psycopg2.Error, match="append-only"):
            world.db.query("delete from orch.state_change where id = %s", victim)
    age(world, "state_change", "at", 200)
    ticks(world)
    for victim in world.db.column("select id from orch.state_change order by id"):
        with pytest.raises(psycopg2.Error, match="append-only"):
            world.db.query("delete from orch.state_change where id = %s", victim)
    for table in ("history", "audit"):
        with pytest.raises(psycopg2.Error, match="append-only"):
            world.db.query(f"delete from orch.{table}")


def test_history_and_audit_stay(world):
    """O-4, O-2: no rule touches them."""
    world.work(item=world.item())
    before = [world.db.value(f"select count(*) from orch.{t}") for t in ("history", "audit", "task", "job", "run", "evidence", "decision")]
    for table, column in (("state_change", "at"), ("event", "ended_at"), ("effect", "ended_at")):
        age(world, table, column, 4000, f"{column} is not null")
    ticks(world)
    assert before == [world.db.value(f"select count(*) from orch.{t}") for t in ("history", "audit", "task", "job", "run", "evidence", "decision")]


def test_probes_go_and_the_verdict_stays(world):
    """M-5, R-10: not before the verdict, nor before its report is written; then what they came to is in its reason."""
    world.command("probe", "./probe")
    world.db.query("update orch.project set checks_total = 2")
    item = world.item()
    world.work(until="done", item=item)
    world.db.query("update orch.probe set due_at = now()")
    for row in world.call("watch_claim", world.process, world.epoch, 9):
        world.call("watch_finish", "probe", row["id"], row["token"], {"result": "healthy"})
    everything = ("probe", "ended_at"), ("observation", "ended_at")
    for table, column in everything:
        age(world, table, column, 91)
    assert "probe" not in tick(world), "its report is still to be written"
    world.db.query("update orch.observation set told_at = now()")
    before = world.operate("item", item)["observation"]
    assert dry_run(world)["probe"] == 2 and tick(world)["probe"] == 2
    after = world.operate("item", item)["observation"]
    assert (before["healthy"], after["healthy"], after["failed"]) == (2, None, None)
    assert after["state"] == "HEALTHY" and after["reason"] == "2 healthy, 0 failed, 0 without data, of 2"


# --- what runs leave on their hosts -----------------------------------------------------------------------------


def due(world, what="files", process=None, epoch=None):
    return [(r["job_id"], r["over"]) for r in
            world.call("retention_files", process or world.process, epoch or world.epoch, what, user="orch_reaperd")]


def ids(world):
    return world.db.value("select array_agg(id)::text from orch.run")


def test_folders_of_runs_are_due_when_their_job_is_long_over(world):
    """J-9: kept for keep_logs_days after the job ended, however old the run is; asked by the host that has it only."""
    item = world.item()
    job = world.claim()
    world.finish(job, "failed", reason="no")
    age(world, "run", "ended_at", 100)
    assert due(world) == [], "its job goes on"
    world.db.query("update orch.job set run_at = now()")
    world.succeed(world.claim())
    age(world, "run", "ended_at", 100), age(world, "job", "ended_at", 31)
    assert due(world) == [(job["job_id"], False), (job["job_id"], True)]
    elsewhere, epoch = world.add_process(host="elsewhere", boot="boot-2", pid=3)
    assert due(world, process=elsewhere, epoch=epoch) == [] and due(world, epoch=world.epoch + 100) == []
    runs = ids(world)
    world.db.query("update orch.run set log_excerpt = 'last words'")
    done = lambda p, e: world.call("retention_files_done", p, e, "files", runs, user="orch_reaperd")[0]["retention_files_done"]
    assert done(elsewhere, epoch) == 0 and done(world.process, world.epoch) == 2 and due(world) == []
    assert world.db.column("select log_excerpt from orch.run") == ["last words"] * 2, "the task goes on: an agent may have to be told"
    assert [r["log_removed_at"] is not None for r in world.operate("item", item)["runs"]] == [True, True]


def test_a_folder_that_must_stay_is_named_and_asked_for_again_later(world):
    """C-3: what is nowhere else is kept and reported."""
    world.item()
    job = world.claim()
    world.finish(job, "failed", reason="no")
    age(world, "run", "ended_at", 100)
    world.db.query("update orch.job set status = 'failed', ended_at = now() - interval '40 days'")
    assert due(world) == [(job["job_id"], False)]
    run = world.db.value("select id from orch.run")
    assert world.call("retention_files_kept", world.process, world.epoch, run, "its work is nowhere else", user="orch_reaperd")
    assert due(world) == []
    assert [k["reason"] for k in world.operate("retention")["kept"]] == ["its work is nowhere else"]
    age(world, "run", "files_look_at", 2)
    assert len(due(world)) == 1


def test_commits_of_runs_stay_until_their_task_is_long_over(world):
    """J-9: refs/orch/runs of a task that is long over go, after the folder."""
    item = world.item()
    world.work(until="deploy", item=item)
    age(world, "run", "ended_at", 1000), age(world, "job", "ended_at", 1000)
    assert due(world, "commits") == []
    world.work(item=item)
    world.db.query("update orch.run set log_excerpt = 'last words'")
    age(world, "run", "ended_at", 1000), age(world, "job", "ended_at", 1000), age(world, "task", "stage_entered_at", 100)
    assert due(world, "commits") == []
    assert [h["files_next"] for h in world.operate("retention")["hosts"]] == [len(due(world))]
    world.call("retention_files_done", world.process, world.epoch, "files", ids(world), user="orch_reaperd")
    assert len(due(world, "commits")) == world.db.value("select count(*) from orch.run") > 5
    world.call("retention_files_done", world.process, world.epoch, "commits", ids(world), user="orch_reaperd")
    assert due(world, "commits") == []
    assert set(world.db.column("select log_excerpt from orch.run")) == {None}


def test_folders_of_deploys_are_due_when_their_end_is_long_known(world):
    """J-9, M-3: kept as long as logs are; not while nobody knows what came of it, nor asked of another host."""
    world.command("deploy", "./deploy")
    item = world.item()
    world.work(until="done", item=item)
    deploys = lambda **who: world.call("retention_files", who.get("process", world.process), who.get("epoch", world.epoch), "deploys", user="orch_reaperd")
    record = world.db.row("select * from orch.deploy_record")
    assert record["dir"] and record["status"] == "SUCCESS" and deploys() == []
    age(world, "deploy_record", "finished_at", 31)
    assert [d["run_id"] for d in deploys()] == [record["id"]] and world.operate("retention")["hosts"][0]["deploys_next"] == 1
    elsewhere, epoch = world.add_process(host="elsewhere", boot="boot-2", pid=3)
    assert deploys(process=elsewhere, epoch=epoch) == []
    world.db.query("set session_replication_role = replica; update orch.deploy_record set status = 'UNKNOWN'; update orch.task set stage = 'deploy';"
                   "set session_replication_role = origin")
    assert deploys() == []
    world.db.query("update orch.deploy_record set resolved_by = 'somebody'")
    assert world.call("retention_files_kept", world.process, world.epoch, record["id"], "its lock is held", "deploys", user="orch_reaperd")
    assert deploys() == []
    age(world, "deploy_record", "files_look_at", 2)
    assert len(deploys()) == 1
    done = lambda p, e: world.call("retention_files_done", p, e, "deploys", f"{{{record['id']}}}", user="orch_reaperd")[0]["retention_files_done"]
    assert done(elsewhere, epoch) == 0 and done(world.process, world.epoch) == 1 and deploys() == []
    assert world.db.value("select log from orch.deploy") is None
