"""The watch in production (M-5, S-16): probes are claimed and fenced, their rows make the verdict, and what follows from it."""

import itertools

import psycopg2
import pytest

PIDS = itertools.count(50)


@pytest.fixture
def watch(world):
    """A task that is done, watched by three probes."""
    return Watch(world, checks=3)


class Watch:
    def __init__(self, world, checks=3, degraded_at=2, window=30, commands=None):
        self.world, self.db = world, world.db
        for kind, command in {"probe": "./probe", "deploy": "./deploy", **(commands or {})}.items():
            world.command(kind, command)
        world.db.query("update orch.project set checks_total = %s, degraded_at = %s, window_s = %s", checks, degraded_at, window)
        self.item = world.item()
        world.work(until="done", item=self.item)

    @property
    def row(self):
        return self.db.row("select * from orch.observed")

    def due(self):
        self.db.query("update orch.probe set due_at = now() where ended_at is null and asked_at is null")

    def claim(self, limit=100, what="probe", process=None):
        rows = self.world.call("watch_claim", *(process or (self.world.process, self.world.epoch)), limit)
        return [row for row in rows if row["what"] == what]

    def finish(self, row, **result):
        return self.world.call("watch_finish", row["what"], row["id"], row["token"], result)[0]["watch_finish"]

    def answer(self, *results):
        self.due()
        rows = self.claim(len(results))
        assert len(rows) == len(results)
        for row, result in zip(rows, results):
            assert self.finish(row, result=result, detail="so it said") == "recorded"

    def alerts(self):
        return [payload["text"] for payload in self.world.effects("alert", self.item)]

    def shown(self):
        return self.world.shown(self.item)[-1]


def test_done_is_watched(watch):
    """M-5, I-2: shown as Monitoring after Deploy; the probes are spread over the window; none is due yet."""
    assert watch.shown() == "monitoring" and watch.row["state"] == "watching"
    gaps = watch.db.column("select round(extract(epoch from due_at - o.began_at)) from orch.probe p join orch.observation o on o.id = p.observation_id order by n")
    assert gaps == [10, 20, 30] and watch.claim() == []


def test_without_a_probe_nobody_watches(world):
    """M-5: the item is Done at once."""
    item = world.item()
    world.work(until="done", item=item)
    assert world.shown(item)[-1] == "done" and world.db.value("select count(*) from orch.observation") == 0
    with pytest.raises(psycopg2.Error, match="is not watched"):
        world.operate("observe", item, "healthy", None)


@pytest.mark.parametrize("results, state, shown", [
    (["healthy"] * 3, "HEALTHY", "done"), (["healthy", "failed", "healthy"], "HEALTHY", "done"), (["failed", "failed"], "DEGRADED", "blocked"),
    (["healthy", "healthy"], "watching", "monitoring")])
def test_verdict_is_of_the_rows(watch, results, state, shown):
    """M-5: DEGRADED as soon as degraded_at have failed, HEALTHY only when all are over."""
    watch.answer(*results)
    assert (watch.row["state"], watch.shown()) == (state, shown)


def test_no_data_is_never_healthy(watch):
    """M-5: extended once, then INCONCLUSIVE, and one alert that says what a person can do."""
    watch.answer("no-data", "no-data", "no-data")
    assert (watch.row["state"], watch.row["round"]) == ("watching", 2)
    watch.answer("healthy", "no-data", "no-data")
    assert watch.row["state"] == "INCONCLUSIVE" and watch.shown() == "monitoring"
    assert len(watch.alerts()) == 1 and f"orchctl observe {watch.item} healthy" in watch.alerts()[0]
    assert watch.db.value("select count(*) from orch.repo_freeze") == 0


def test_extended_and_then_healthy(watch):
    """M-5: the second round has data."""
    watch.answer("no-data", "healthy", "no-data")
    watch.answer("healthy", "healthy", "healthy")
    assert watch.row["state"] == "HEALTHY" and watch.shown() == "done"


def test_failures_of_the_first_round_are_not_forgotten(watch):
    """M-5: one failed in each round makes the two that are too many."""
    watch.answer("failed", "no-data", "no-data")
    watch.answer("failed")
    assert watch.row["state"] == "DEGRADED"


def test_a_single_probe_that_fails_is_degraded(world):
    """M-5: also when fewer are asked than degraded_at says."""
    watch = Watch(world, checks=1, degraded_at=3)
    watch.answer("failed")
    assert watch.row["state"] == "DEGRADED"


def test_degraded_freezes_until_somebody_clears(world, watch):
    """S-16, M-5: the freeze outlives its done task; the next item waits for an operator, by name of the item that caused it."""
    watch.answer("failed", "failed")
    after = world.item("Next")
    assert world.claim() is None and world.blocks(after) == ["freeze"]
    assert watch.item in world.call("why", after, user="orch_readonly")[0]["reason"]
    assert len(watch.alerts()) == 1 and "orchctl unfreeze demo" in watch.alerts()[0]
    assert world.db.value("select work_item from orch.active_freeze", user="orch_readonly") == watch.item
    world.operate("unfreeze", "demo")
    assert world.claim()["role"] == "analyst"


def test_degraded_with_freezing_off_says_so(world, watch):
    """S-12, S-16: no freeze that would hold nothing up, and no silence about it."""
    world.set("serial_gate_freeze_enabled", "off")
    watch.answer("failed", "failed")
    assert watch.row["state"] == "DEGRADED" and "NOT frozen" in watch.alerts()[0]
    assert world.db.value("select count(*) from orch.repo_freeze") == 0


@pytest.mark.parametrize("verdict, shown, frozen", [("healthy", "done", 0), ("degraded", "blocked", 1)])
def test_a_person_ends_an_inconclusive_one(world, watch, verdict, shown, frozen):
    """M-5, O-2: with an audit row; again it changes nothing; the other way round it is refused."""
    watch.answer("no-data", "no-data", "no-data")
    watch.answer("no-data", "no-data", "no-data")
    said = world.operate("observe", watch.item, verdict, "I looked")
    assert said["state"] == verdict.upper() and said["decided_by"] == "orch_operator" and said["comment"] == "I looked"
    assert watch.shown() == shown and world.db.value("select count(*) from orch.repo_freeze") == frozen
    assert "already" in world.operate("observe", watch.item, verdict, None)["message"]
    assert world.db.value("select count(*) from orch.repo_freeze") == frozen
    with pytest.raises(psycopg2.Error, match="that verdict stands"):
        world.operate("observe", watch.item, {"healthy": "degraded", "degraded": "healthy"}[verdict], None)
    assert world.db.value("select count(*) from orch.audit where act = 'observe'") == 2


def test_a_person_may_be_quicker_with_bad_news_only(world, watch):
    """M-5: while it is watched, healthy is what the probes say."""
    with pytest.raises(psycopg2.Error, match="is still watched"):
        world.operate("observe", watch.item, "healthy", None)
    with pytest.raises(psycopg2.Error, match="is no verdict"):
        world.operate("observe", watch.item, "fine", None)
    world.operate("observe", watch.item, "degraded", "the phone rings")
    watch.due()
    assert watch.row["state"] == "DEGRADED" and watch.claim() == []


def test_probes_are_claimed_once(world, watch):
    """T-5: two workers never have the same one; a write under an old token changes nothing."""
    watch.due()
    other = world.add_process(pid=next(PIDS))
    mine, theirs = watch.claim(2), watch.claim(process=other)
    assert len(mine) == 2 and len(theirs) == 1 and {r["id"] for r in mine} & {r["id"] for r in theirs} == set()
    assert watch.finish(mine[0], result="healthy", detail="") == "recorded"
    assert watch.finish(mine[0], result="failed", detail="") == "fenced"
    assert watch.finish({**mine[1], "token": theirs[0]["token"]}, result="failed", detail="") == "fenced"


def test_probe_of_a_lost_worker_is_no_data(world, watch):
    """M-5, R-6: it is not asked twice, and its late answer counts for nothing."""
    watch.due()
    other = world.add_process(pid=next(PIDS))
    row, = watch.claim(1, process=other)
    world.call("process_gone", other[0], "killed", False, None, user="orch_reaperd")
    watch.claim(0)
    assert watch.finish(row, result="healthy", detail="") == "fenced"
    assert world.db.value("select detail from orch.probe where result = 'no-data'") == "the worker that asked was lost"


def test_probes_that_nobody_asked_in_time_are_no_data(world, watch):
    """M-5: after a long outage they are not asked all at once: that would be no watch of the window."""
    world.db.query("update orch.probe set due_at = now() - interval '10 min'")
    assert watch.claim() == [] and watch.row["round"] == 2
    assert world.db.column("select distinct detail from orch.probe where round = 1") == ["nobody asked in time"]


def test_draining_worker_claims_no_probe(world, watch):
    """M-5: nor one whose host has not the labels that the project requires."""
    watch.due()
    world.db.query("update orch.project set requires = '{gpu}'")
    assert watch.claim() == []
    world.db.query("update orch.project set requires = '{}'")
    world.call("process_beat", world.process, world.epoch, True)
    assert watch.claim() == []


def test_beat_says_that_something_is_due(world, watch):
    """M-5: the poll finds it."""
    wanted = lambda: world.call("process_beat", world.process, world.epoch, False)[0]["watch_wanted"]  # noqa: E731
    assert not wanted()
    watch.due()
    assert wanted()
    watch.claim()
    assert not wanted()


def test_report_is_claimed_and_tried_again(world, watch):
    """M-5: 16-post-deploy.md has the verdict and the counts; when it cannot be written it is tried again, and people are told once."""
    watch.answer("healthy", "failed", "healthy")
    report, = watch.claim(what="report")
    assert report["body"].startswith("---\npost_deploy_status: HEALTHY\nsha: ") and "2 healthy, 1 failed, 0 without data, of 3" in report["body"]
    assert report["docs_dir"].endswith(watch.item) and watch.claim(what="report") == []
    for n in range(13):
        assert watch.finish(report, done=False, reason="the forge is away") == "recorded"
        world.db.query("update orch.observation set tell_at = now()")
        report, = watch.claim(what="report")
    assert len(watch.alerts()) == 1 and "the forge is away" in watch.alerts()[0]
    watch.finish(report, done=True, head_sha="d" * 40)
    assert watch.row["told_at"] and world.task(watch.item)["head_sha"] == "d" * 40
    world.db.query("update orch.observation set tell_at = now()")
    assert watch.claim(what="report") == []


def outside(world):
    world.operate("endpoint_set", "forge", "gitea", "https://git.example.org", "/etc/orchestrator/forge.token")
    world.operate("project_connect", "demo", "forge", "forge", "acme/demo")


@pytest.mark.parametrize("said, state", [("unavailable", "down"), ("denied", "denied"), ("forbidden", "ok")])
def test_a_report_says_of_its_forge_that_it_is_away(world, watch, said, state):
    """I-7: others do not ask in vain then; the report waits with them, and nobody is told that it cannot be written."""
    watch.answer("healthy", "healthy", "healthy")
    outside(world)
    for _ in range(7):
        report, = watch.claim(what="report")
        assert watch.finish(report, done=False, reason="it is away", forge={"outcome": said}) == "recorded"
        assert world.db.value("select state from orch.endpoint") == state and watch.claim(what="report") == []
        assert world.db.value("select tell_at >= coalesce(e.not_before, clock_timestamp()) and tell_failures = 0 from orch.observation, orch.endpoint e")
        world.db.query("update orch.observation set tell_at = now()")
    report, = watch.claim(what="report")
    assert watch.finish(report, done=True, head_sha="d" * 40, forge={"outcome": "ok"}) == "recorded"
    assert world.db.value("select state from orch.endpoint") == "ok" and not [text for text in watch.alerts() if "cannot be written" in text]


def test_report_of_a_lost_worker_is_anothers(world, watch):
    watch.answer("healthy", "healthy", "healthy")
    other = world.add_process(pid=next(PIDS))
    old, = watch.claim(what="report", process=other)
    world.call("process_gone", other[0], "killed", False, None, user="orch_reaperd")
    new, = watch.claim(what="report")
    assert watch.finish(old, done=True, head_sha="e" * 40) == "fenced"
    assert watch.finish(new, done=True, head_sha="d" * 40) == "recorded"


@pytest.fixture
def degraded(world):
    watch = Watch(world, commands={"rollback": "./back", "deploy_check": "./sha"})
    watch.answer("failed", "failed")
    return watch


def initiate(world, row):
    return world.call("watch_initiate", row["id"], row["token"], "/state")[0]["answer"]


def test_rollback_is_planned_once_and_recorded_before_its_start(world, degraded):
    """M-5: one record, one start, by the host that has its folder."""
    row, = degraded.claim(what="rollback")
    assert (row["target"], row["initiated"], row["check_command"]) == ("./back", False, "./sha")
    assert degraded.claim(what="rollback") == []
    assert initiate(world, row) == "start"
    assert world.db.value("select dir from orch.deploy_record where kind = 'rollback'") == f"/state/deploys/{row['id']}"
    world.call("process_gone", world.process, "killed", False, None, user="orch_reaperd")
    other = world.add_process(pid=next(PIDS), host="otherhost")
    assert degraded.claim(what="rollback", process=other) == []
    world.process, world.epoch = world.add_process(pid=next(PIDS))
    again, = degraded.claim(what="rollback")
    assert again["initiated"] and initiate(world, row) == "fenced"
    assert degraded.finish(again, status="SUCCESS", reason="exited with 0", exit_code=0) == "recorded"
    assert degraded.finish(again, status="SUCCESS", reason="exited with 0", exit_code=0) == "fenced"


def test_a_rollback_that_cannot_be_begun_is_tried_again(world, degraded):
    """M-5, I-7: nothing was started, so it has not failed; what it says of the forge is heard, and people are told once."""
    outside(world)
    world.set("effect_backoff_s", "60")
    for _ in range(6):
        row, = degraded.claim(what="rollback")
        assert degraded.finish(row, done=False, status="FAILED", reason="no repository", forge={"outcome": "unavailable"}) == "recorded"
        assert (degraded.row["rollback"], degraded.row["rollback_reason"]) == ("under way", "no repository") and degraded.claim(what="rollback") == []
        assert not world.call("process_beat", world.process, world.epoch, False)[0]["watch_wanted"]
        world.db.query("update orch.deploy_record set begin_at = now() where kind = 'rollback'")
    assert world.db.value("select state from orch.endpoint") == "down"
    told = [text for text in degraded.alerts() if "cannot be begun" in text]
    assert len(told) == 1 and "no repository" in told[0], degraded.alerts()
    row, = degraded.claim(what="rollback")
    assert initiate(world, row) == "start" and degraded.row["rollback_reason"] is None
    assert degraded.finish(row, status="FAILED", reason="exited with 1", exit_code=1) == "recorded"
    assert degraded.row["rollback"] == "FAILED"


def test_rollback_is_verified_by_probes(world, degraded):
    """M-5: its result and what production says then are told; the verdict and the freeze stay."""
    row, = degraded.claim(what="rollback")
    initiate(world, row)
    degraded.finish(row, status="SUCCESS", reason="exited with 0", exit_code=0, check_sha="b" * 40)
    assert degraded.row["rollback"] == "SUCCESS"
    degraded.answer("healthy", "healthy", "healthy")
    assert degraded.row["state"] == "DEGRADED" and "after the rollback production is healthy" in degraded.row["reason"]
    assert len(degraded.alerts()) == 3 and world.db.value("select count(*) from orch.active_freeze", user="orch_readonly") == 1
    report, = degraded.claim(what="report")
    assert "Rollback: SUCCESS." in report["body"] and "| 3 | 3 | 0 | 0 |" in report["body"]


def test_rollback_that_changed_nothing_has_failed(world, degraded):
    """M-5: deploy_check says that the degraded commit still runs."""
    row, = degraded.claim(what="rollback")
    initiate(world, row)
    degraded.finish(row, status="SUCCESS", reason="exited with 0", exit_code=0, check_sha=row["sha"])
    assert degraded.row["rollback"] == "FAILED" and "still runs" in degraded.row["rollback_reason"]
    assert degraded.row["round"] == 1


def test_without_a_rollback_command_nothing_touches_production(world, watch):
    """M-5."""
    watch.answer("failed", "failed")
    assert watch.claim(what="rollback") == [] and world.db.value("select count(*) from orch.deploy_record where kind = 'rollback'") == 0
