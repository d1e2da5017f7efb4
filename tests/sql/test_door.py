"""The door, the edges and the engine behind it (P-1, P-2, P-3, P-5, P-9, P-12, T-6, O-4)."""

import psycopg2
import pytest

ADVANCE = ["created", "analysis", "architecture", "development", "review", "testing", "deploy-staging", "deploy", "done"]


def transition(world, item, stage, version, to):
    return world.db.value("select orch.transition(%s, %s, %s, %s, 'test')", world.task_id(item), stage, version, to)


def test_pipeline_is_data(world):
    """P-1: the stages, in order, each with its next; P-2: terminal is generated from the one definition."""
    rows = world.db.query("select * from orch.stage order by position")
    assert [r["key"] for r in rows if r["key"] != "cancelled"] == ADVANCE
    assert {r["key"]: r["next"] for r in rows} == {**dict(zip(ADVANCE, ADVANCE[1:] + [None])), "cancelled": None}
    assert [r["key"] for r in rows if r["terminal"]] == ["done", "cancelled"]


def test_nothing_but_cancel_enters_cancelled(world):
    """P-3: no gate or edge leads into the sink."""
    assert world.db.column("select distinct kind from orch.stage_edge where to_stage = 'cancelled'") == ["cancel"]
    with pytest.raises(psycopg2.errors.CheckViolation):
        world.db.query("insert into orch.stage_edge values ('done', 'analysis', 'advance')")


def test_whole_pipeline_in_order(world):
    """P-1, O-4: an item goes through every stage, each move in the history once, with its tracker state."""
    a = world.item()
    world.work(until="done", item=a)
    moves = world.db.query("select from_stage, to_stage, stage_version from orch.history where kind = 'stage' order by id")
    assert [m["from_stage"] for m in moves] + ["done"] == ADVANCE
    assert [m["stage_version"] for m in moves] == list(range(1, 9))
    assert [j["role"] for j in world.jobs(a)] == ["analyst", "architect", "developer", "ci", "reviewer", "tester", "deployer", "integrator",
                                                  "integrator", "releaser", "finalizer", "merger"]
    assert world.shown(a) == ["analysis", "in_review", "architecture", "development", "code_review", "testing", "testing",
                              "deploying", "awaiting_deploy", "done"]


def test_lost_race_has_no_effect(world):
    """P-12: a wrong expectation of stage or version changes nothing at all."""
    a = world.item()
    before = world.db.query("select * from orch.task"), world.db.value("select count(*) from orch.history"), world.db.value("select count(*) from orch.effect")
    version = world.task(a)["stage_version"]
    assert not transition(world, a, "analysis", version + 1, "architecture")
    assert not transition(world, a, "review", version, "architecture")
    assert before == (world.db.query("select * from orch.task"), world.db.value("select count(*) from orch.history"), world.db.value("select count(*) from orch.effect"))


def test_two_racers_one_winner(world):
    """P-12: of two callers with the same expectation one wins; the version is reached once."""
    a = world.item()
    version = world.task(a)["stage_version"]
    results = [transition(world, a, "analysis", version, "architecture") for _ in range(2)]
    assert results == [True, False]


@pytest.mark.parametrize("statement", [
    "update orch.task set stage = 'review'",
    "update orch.task set stage = 'done', stage_version = stage_version + 1",
    "update orch.task set stage_version = stage_version + 1, stage = 'testing'",
    "update orch.task set stage_version = stage_version + 2, stage = 'architecture'",
    "update orch.history set actor = 'somebody else'",
    "delete from orch.history",
    "truncate orch.history",
    "delete from orch.audit",
])
def test_nothing_writes_a_stage_or_history_another_way(world, statement):
    """P-12, O-4: even the owner is refused."""
    world.item()
    with pytest.raises(psycopg2.errors.RaiseException):
        world.db.query(statement)


@pytest.mark.parametrize("stage, role, verdict", [
    ("review", "reviewer", "REQUEST_CHANGES"), ("testing", "tester", "FAIL"), ("deploy-staging", "deployer", "FAILED"),
    ("deploy-staging", "integrator", "failed"), ("deploy", "integrator", "failed"), ("deploy", "finalizer", "FAILED"), ("deploy", "merger", "failed"),
    ("development", "ci", "failure")])
def test_failure_sends_back_with_the_reason(world, stage, role, verdict):
    """P-5: each failure edge leads to development, tells the developer why, and counts a round."""
    a = world.item()
    world.command("deploy", "true")
    world.work(until=stage, item=a)
    if stage == "deploy":
        world.operate("approve", a, None)
    while (job := world.claim())["role"] != role:
        world.succeed(job)
    world.succeed(job, verdict)
    task = world.task(a)
    assert (task["stage"], task["developer_rounds"]) == ("development", 1)
    again = world.claim()
    assert again["role"] == "developer" and ("CI is red" if role == "ci" else verdict) in again["input"]


def test_escalates_when_rounds_are_used_up(world):
    """P-5: after MAX_DEVELOPER_RETRIES one alert, Blocked, and nothing automatic."""
    a = world.item()
    for _ in range(4):
        world.work(until="review", item=a)
        world.succeed(world.claim(), "REQUEST_CHANGES")
    task = world.task(a)
    assert task["stage"] == "review" and task["developer_rounds"] == 3 and "REQUEST_CHANGES" in task["escalation"]
    assert world.claim() is None and world.waits(a) == ["escalated"]
    assert world.shown(a)[-1] == "blocked" and len(world.effects("alert", a)) == 1
    world.db.value("select orch.advance(%s, 'test')", task["id"])
    assert world.task(a)["stage_version"] == task["stage_version"]


def test_rejection_makes_the_role_work_again(world):
    """P-9: the analyst gets the comment; the earlier documents no longer pass."""
    a = world.item()
    world.succeed(world.claim())
    assert world.waits(a) == ["person"]
    world.operate("reject", a, "say what happens on an empty line")
    job = world.claim()
    assert job["role"] == "analyst" and "say what happens on an empty line" in job["input"]
    world.succeed(job)
    world.operate("approve", a, None)
    assert world.task(a)["stage"] == "architecture"


def test_approve_is_refused_or_idempotent(world):
    """P-9, O-2: not before the analyst is done; a second approval changes nothing."""
    a = world.item()
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("approve", a, None)
    assert refused.value.pgcode == "OR002" and "does not wait for a person" in str(refused.value)
    world.succeed(world.claim())
    world.operate("approve", a, None)
    version = world.task(a)["stage_version"]
    assert "approved already" in world.operate("approve", a, None)["message"]
    assert world.task(a)["stage_version"] == version


def test_stale_verdict_does_not_pass(world):
    """P-4: a verdict about other code is "not there yet"."""
    a = world.item()
    world.work(until="review", item=a)
    job = world.claim()
    world.db.query("update orch.task set code_tree = %s where work_item = %s", "a" * 40, a)
    world.finish(job, evidence=[{"gate": "review_approved", "value": "APPROVED"}], code_tree="b" * 40, head_sha="c" * 40)
    world.db.query("update orch.task set code_tree = %s where work_item = %s", "d" * 40, a)
    assert world.task(a)["stage"] == "testing"  # it passed while it was fresh
    answer = world.db.row("select (orch.gate_result(t, 'review_approved')).* from orch.task t")
    assert answer["result"] == "wait" and "void: the code changed" in answer["reason"]


@pytest.mark.parametrize("value", ["approved", "APPROVED ", "LGTM", "yes", "null", ""])
def test_unknown_verdict_is_not_there_yet(world, value):
    """P-4: only the exact value passes; prose never counts."""
    a = world.item()
    world.work(until="review", item=a)
    world.finish(world.claim(), evidence=[{"gate": "review_approved", "value": value}])
    assert world.task(a)["stage"] == "review" and world.waits(a) == ["gate"]


def test_a_role_speaks_only_to_its_own_gate(world):
    """P-4: evidence for another step's gate is not stored."""
    a = world.item()
    world.finish(world.claim(), evidence=[{"gate": "review_approved", "value": "APPROVED"}, {"gate": "artefacts_analyst", "value": "present"}])
    assert world.db.column("select gate from orch.evidence") == ["artefacts_analyst"]
    assert world.waits(a) == ["person"]


def test_ci_of_another_commit_is_not_green(world):
    """P-1: ci_green is about the branch head; no status is never green."""
    a = world.item()
    world.work(until="development", item=a)
    world.succeed(world.claim())
    world.db.query("insert into orch.commit_status (repo_id, sha, context, state) select id, %s, 'ci', 'success' from orch.repo", "e" * 40)
    answer = world.db.row("select (orch.gate_result(t, 'ci_green')).* from orch.task t")
    assert answer["result"] == "wait"
