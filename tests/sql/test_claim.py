"""Claims, their fence, and what becomes of the work of the dead (J-1, J-4, J-6, T-2, T-5, R-5, R-6, S-11)."""

import concurrent.futures
import uuid

import psycopg2
import pytest


def test_claim_stamps_everything(world):
    """J-1: attempt, epoch, token, owner and time in one round trip; the run exists from then on."""
    world.item("Größe: 2 – what's up?")
    job = world.claim()
    row = world.db.row("select * from orch.job")
    assert (row["status"], row["attempts"], row["epoch"], row["token"], row["process_id"]) == \
        ("running", 1, job["epoch"], job["token"], world.process)
    assert row["claimed_at"] is not None
    assert world.db.row("select epoch, outcome from orch.run") == {"epoch": 1, "outcome": None}
    assert job["branch"] == "feature/DEMO-1-gr-e-2-what-s-up" and job["docs_dir"] == "docs/work-items/DEMO-1"


def test_a_run_begins_when_it_is_claimed(world):
    """O-4: not when the claim began to wait for its locks; the run before it may have ended since."""
    world.item()
    connection = world.db.connect("orch_workerd")
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        cursor.execute("select now()")
        cursor.execute("select clock_timestamp()")
        waited_until = cursor.fetchone()[0]
        cursor.execute("select from orch.job_claim(%s, %s)", (world.process, world.epoch))
    connection.close()
    assert world.db.value("select started_at from orch.run") >= waited_until
    assert world.db.value("select r.started_at = j.claimed_at from orch.run r join orch.job j on j.id = r.job_id")


def test_no_claim_without_a_live_process(world):
    """T-2: a process that is not registered, has another epoch, or has ended gets nothing."""
    world.item()
    assert world.claim(world.process, world.epoch + 1000) is None
    world.call("process_handover", world.process, world.epoch)
    assert world.claim() is None


def test_many_claimers_one_job_each(world):
    """J-1: concurrent claims never give a job twice."""
    world.set("serial_gate_enabled", "off")
    for n in range(12):
        world.item(f"Thing {n}")
    processes = [world.add_process(pid=n + 10) for n in range(6)]

    def claim_all(process):
        connection = world.db.connect("orch_workerd")
        try:
            with connection.cursor() as cursor:
                mine = []
                while True:
                    cursor.execute("select job_id from orch.job_claim(%s, %s)", process)
                    row = cursor.fetchone()
                    if row is None:
                        return mine
                    mine.append(row[0])
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        claimed = sum(pool.map(claim_all, processes), [])
    # SKIP LOCKED may leave the last ones to the next look
    while job := world.claim():
        claimed.append(job["job_id"])
    assert sorted(claimed) == sorted(set(claimed)) and len(claimed) == 12


def test_one_active_job_per_task(world):
    """R-5: a second active job of a task, or a second job of a role in a stage version, is an error."""
    world.item()
    insert = ("insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts) "
              "select task_id, repo_id, {role}, 'agent', entry, stage, stage_version, 2, 3 from orch.job")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        world.db.query(insert.format(role="role"))
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        world.db.query("update orch.job set entry = false")


def test_priority_then_flow_then_fair_then_id(world):
    """S-11: an urgent entry job goes before work in progress; of one priority work in progress goes first; then repos
    take turns; then id."""
    world.set("serial_gate_enabled", "off")
    world.add_project("other", "OTH")
    under_way, b = world.item("a"), world.item("b")
    world.succeed(world.claim())
    world.operate("approve", under_way, None)
    c, other = world.item("c"), world.item("d", project="other")
    urgent, lazy = world.item("urgent", priority=0), world.item("lazy", priority=4, project="other")
    assert [world.claim()["work_item"] for _ in range(6)] == [urgent, under_way, other, b, c, lazy]


def test_fenced_writes_change_nothing(world):
    """T-5: another epoch or token, or a claim taken back, writes nothing."""
    world.item()
    job = world.claim()
    for change in ({"epoch": job["epoch"] + 1}, {"token": str(uuid.uuid4())}):
        assert world.finish({**job, **change}) == "fenced"
        assert not world.call("job_started", job["job_id"], {**job, **change}["epoch"], {**job, **change}["token"], 1, "/log", None)[0]["job_started"]
    world.call("process_gone", world.process, "no such pid", False, user="orch_reaperd")
    assert world.finish(job) == "fenced"
    assert world.db.value("select status from orch.job") == "queued"
    assert world.db.value("select outcome from orch.run") == "lost"


def test_finish_again_is_recorded_once(world):
    """T-5: an answer that was lost is asked for again without harm."""
    a = world.item()
    job = world.claim()
    assert [world.succeed(job), world.succeed(job)] == ["recorded", "recorded"]
    assert world.db.value("select count(*) from orch.history where kind = 'outcome'") == 1
    assert world.task(a)["stage_version"] == 1


def test_failed_attempts_then_failed(world):
    """J-4: permanent failures are retried while attempts last; then failed, escalated, one alert."""
    world.set("job_backoff_s", "0")
    a = world.item()
    for attempt in (1, 2, 3):
        job = world.claim()
        assert job["attempt"] == attempt
        world.finish(job, "missing-artefacts", reason="01-brd.md is missing")
    row = world.db.row("select status, outcome from orch.job")
    assert row == {"status": "failed", "outcome": "missing-artefacts"}
    assert "01-brd.md is missing" in world.task(a)["escalation"] and len(world.effects("alert", a)) == 1


def test_retry_is_told_why_and_waits(world):
    """J-4, S-6: the next attempt gets the reason, after a backoff."""
    a = world.item()
    world.finish(world.claim(), "no-verdict", reason="12-review.md has no front matter")
    assert world.blocks(a) == ["backoff"]
    world.db.query("update orch.job set run_at = now()")
    assert "no front matter" in world.claim()["input"]


def test_transient_failures_burn_no_attempt(world):
    """J-4: up to their own bound."""
    world.set("job_backoff_s", "0")
    world.set("job_max_transient", "4")
    world.item()
    for _ in range(4):
        job = world.claim()
        assert job["attempt"] == 1
        world.finish(job, "transient", reason="429")
    world.finish(world.claim(), "transient", reason="429")
    assert world.db.value("select status from orch.job") == "failed"


def test_reaped_job_runs_again_once(world):
    """R-6, J-6: a dead process's job goes back with the attempt refunded; reaping twice does nothing."""
    world.item()
    world.claim()
    assert world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")[0]["process_gone"] == 1
    assert world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")[0]["process_gone"] is None
    process, epoch = world.add_process(pid=2)
    job = world.claim(process, epoch)
    assert (job["attempt"], job["epoch"], job["crashed"]) == (1, 3, True)


def test_poison_job_does_not_loop(world):
    """R-6: a job that keeps losing its worker fails after job_max_crashes."""
    world.set("job_backoff_s", "0")
    world.set("job_max_crashes", "3")
    a = world.item()
    for n in range(4):
        process, epoch = world.add_process(pid=100 + n)
        assert world.claim(process, epoch) is not None
        world.call("process_gone", process, "pid gone", False, user="orch_reaperd")
    assert world.db.value("select status from orch.job") == "failed"
    assert "lost 4 times" in world.task(a)["escalation"]


@pytest.mark.parametrize("way_back", ["finish", "release", "gone", "end"])
def test_nothing_of_a_cancelled_task_is_requeued(world, way_back):
    """J-6, C-7: every way back into the queue asks the task first."""
    a = world.item()
    job = world.claim()
    world.operate("cancel", a, None)
    assert world.task(a)["stage"] == "analysis"  # its agent runs
    if way_back == "finish":
        world.finish(job, "failed", reason="exit 1")
    elif way_back == "release":
        assert world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")[0]["job_release"]
    elif way_back == "gone":
        world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    else:
        world.call("process_handover", world.process, world.epoch)
    assert world.db.value("select status from orch.job") == "cancelled"
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_release_refunds_the_attempt(world):
    """J-1: a job given back by a drain is as it was, but for its epoch."""
    world.item()
    job = world.claim()
    assert world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")[0]["job_release"]
    assert not world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")[0]["job_release"]
    again = world.claim()
    assert (again["attempt"], again["crashed"]) == (1, False) and again["epoch"] > job["epoch"]


def test_beat_is_the_control_channel(world):
    """T-2: the beat says what work there is and which jobs to stop, and tells the dead that they are."""
    def beat():
        return world.call("process_beat", world.process, world.epoch, False)[0]

    assert beat() == {"alive": True, "jobs_wanted": False, "events_wanted": False, "effects_wanted": False, "orphans_wanted": False, "watch_wanted": False, "looks_wanted": False,
                      "cards_wanted": False, "held_jobs": [], "stop_jobs": [], "held_claims": [], "held_effects": []}
    a = world.item(handle=False)
    assert beat()["events_wanted"]
    world.handle_events()
    assert beat()["jobs_wanted"] and beat()["effects_wanted"]
    job = world.claim()
    world.operate("cancel", a, None)
    assert beat()["stop_jobs"] == [job["job_id"]]
    assert not world.call("job_started", job["job_id"], job["epoch"], job["token"], None, None, None)[0]["job_started"]
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    assert not beat()["alive"]


def test_merge_lease_is_one_per_repo(world):
    """M-1: two rebases of a repo do not run at once, and the second waits for the merge of the first."""
    world.set("serial_gate_enabled", "off")
    a, b = world.item("a"), world.item("b")
    while world.task(a)["stage"] != "done":
        if job := world.claim():
            assert job["work_item"] == a or job["role"] not in ("integrator", "merger"), "both have it"
            world.succeed(job)
        else:
            world.approve_furthest_behind()
    assert [(j["role"], j["status"]) for j in world.jobs(b)][-1] == ("integrator", "queued")
    assert world.claim()["role"] == "integrator"
