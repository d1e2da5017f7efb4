"""Needs Input: the analyst asks, people answer, the analyst works again (P-9)."""

import psycopg2
import pytest


@pytest.fixture
def asked(world):
    item = world.item()
    world.ask(world.claim(), "1. Which unit?\n2. Since when?")
    return item


def test_people_are_asked_once(world, asked):
    """P-9: the job is done, the tracker shows Needs Input, and one comment has the questions and how to answer."""
    assert [j["status"] for j in world.jobs(asked)] == ["done"] and world.claim() is None
    assert world.shown(asked) == ["analysis", "needs_input"]
    for _ in range(2):
        world.db.value("select orch.advance(%s, 'test')", world.task_id(asked))
    comments = [p["text"] for p in world.effects("comment", asked)]
    assert len(comments) == 1 and "1. Which unit?\n2. Since when?" in comments[0] and f"orchctl answer {asked}" in comments[0]
    assert world.waits(asked) == ["person"]
    why = world.call("why", asked, user="orch_readonly")[0]
    assert "answer" in why["reason"] and f"orchctl answer {asked}" in why["ends_when"]
    assert world.db.value("select value from orch.evidence where gate = 'artefacts_analyst'") == "NEEDS_INPUT"


def test_the_answer_is_the_input(world, asked):
    """P-9, O-2: questions and answer are what the analyst reads next; the same answer again changes nothing."""
    said = world.operate("answer", asked, "in bytes; since version 2")
    assert "the analyst works again" in said["message"]
    job = world.claim()
    assert job["role"] == "analyst" and "Which unit?" in job["input"] and "in bytes; since version 2" in job["input"]
    assert world.shown(asked)[-1] == "analysis"
    before = world.task(asked)
    assert "already" in world.operate("answer", asked, "in bytes; since version 2")["message"]
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("answer", asked, "something else")
    assert refused.value.pgcode == "OR002" and world.task(asked) == before
    world.succeed(job)
    assert world.waits(asked) == ["person"] and world.shown(asked)[-1] == "in_review"
    world.operate("approve", asked, None)
    assert world.task(asked)["stage"] == "architecture"
    row = world.db.row("select * from orch.question")
    assert (row["answer"], row["answered_by"]) == ("in bytes; since version 2", "orch_operator")
    assert [a["act"] for a in world.db.query("select act from orch.audit where object = %s and act = 'answer'", asked)] == ["answer", "answer"]


def test_it_may_ask_again(world, asked):
    """P-9: another question is another comment."""
    world.operate("answer", asked, "in bytes")
    world.ask(world.claim(), "Which bytes?")
    assert world.shown(asked) == ["analysis", "needs_input", "analysis", "needs_input"]
    assert len(world.effects("comment", asked)) == 2


def test_questions_are_no_approval(world, asked):
    """P-9, P-4a: what is asked can be neither approved nor rejected: there is no analysis yet."""
    for act, args in (("approve", (asked, None)), ("reject", (asked, "no"))):
        with pytest.raises(psycopg2.Error) as refused:
            world.operate(act, *args)
        assert refused.value.pgcode == "OR002" and "answer" in refused.value.diag.message_hint


def test_the_reconciler_leaves_it_to_people(world, asked):
    """R-3: a task in Needs Input is skipped, and nothing changes."""
    world.set("stage_grace_s", "0")
    counts = world.call("reconcile_gates", 10, user="orch_reconcilerd")[0]
    assert (counts["advanced"], counts["human"]) == (0, 1)


@pytest.mark.parametrize("stage", ["architecture", "development", "review", "testing", "deploy-staging"])
def test_nobody_else_can_ask(world, stage):
    """P-9: questions in another role's report ask nobody."""
    item = world.item()
    world.work(until=stage, item=item)
    job = world.claim()
    gate = world.db.value("select gate from orch.stage_step where stage = %s and role = %s", stage, job["role"])
    world.ask(job, "Which unit?", gate)
    assert world.db.value("select count(*) from orch.question") == 0 and "needs_input" not in world.shown(item)


def test_without_documents_the_attempt_has_failed(world):
    """P-4a: To Analyse finished without 01-04 is an analyst's failed attempt, not a request for approval."""
    item = world.item()
    world.finish(world.claim(), "missing-artefacts", reason="docs/work-items/DEMO-1/01-brd.md: is not in the commit")
    assert world.shown(item) == ["analysis"] and world.jobs(item)[0]["attempts"] == 1 and not world.task(item)["escalated_at"]
    assert world.waits(item) == ["backoff"]


def test_cancelled_while_it_asks(world, asked):
    """C-3: a task that waits for an answer is cancelled like any other, and asks nothing any more."""
    world.operate("cancel", asked, None)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("answer", asked, "too late")
    assert refused.value.pgcode == "OR002"
