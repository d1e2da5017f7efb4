"""Each human verb in each situation: what it does, or which hint it leaves, once per move (P-9, P-10, I-2, C-1, C-2)."""

import pytest

SCRATCH = "restarts it from scratch"


def unknown(world):
    """An item of the tracker without a task."""
    item = world.item(handle=False)
    world.db.query("delete from orch.event")
    return item


def analysing(world):
    return world.item()


def running(world):
    item = world.item()
    world.claim()
    return item


def in_review(world):
    item = world.item()
    world.succeed(world.claim())
    return item


def asking(world):
    item = world.item()
    world.ask(world.claim(), "Which unit?")
    return item


def stage(name):
    def there(world):
        item = world.item()
        world.work(until=name, item=item)
        return item
    return there


def escalated(world, until="analysis"):
    world.set("job_max_attempts", "1")
    item = world.item()
    world.work(until=until, item=item)
    world.finish(world.claim(), "failed", reason="it fell over")
    return item


def escalated_in_review(world):
    return escalated(world, "review")


def deploying(world):
    item = stage("deploy")(world)
    world.operate("approve", item, None)
    return item


def cancelled(world):
    item = world.item()
    world.operate("cancel", item, None)
    return item


SITUATIONS = {
    "unknown": unknown, "analysing": analysing, "running": running, "in review": in_review, "asking": asking, "architecture": stage("architecture"),
    "development": stage("development"), "review": stage("review"), "testing": stage("testing"), "staging": stage("deploy-staging"),
    "awaiting deploy": stage("deploy"), "deploying": deploying, "escalated in analysis": escalated, "escalated in review": escalated_in_review,
    "done": stage("done"), "cancelled": cancelled,
}

# verb -> situation -> (stage afterwards, or None: as it was; what the outcome says). What is not here leaves a hint with these words.
DOES = {
    "to_analyse": {"unknown": ("analysis", "taken in"), "cancelled": ("analysis", "taken in"), "in review": ("analysis", "the analyst works again"),
                   "asking": ("analysis", "is answered"), "escalated in analysis": ("analysis", "is tried again")},
    "approved": {"in review": ("architecture", "approved")},
    "rejected": {"in review": ("analysis", "rejected"), "awaiting deploy": ("development", "rejected")},
    "confirm_deploy": {"awaiting deploy": ("deploy", "approved")},
    "stop": {s: ("cancelled", "is cancelled") for s in SITUATIONS},
}
DOES["stop"] |= {"unknown": (None, "nothing to stop"), "cancelled": (None, "nothing to stop"), "done": (None, "nothing to cancel"),
                 "running": (None, "as soon as its running agent has been stopped")}
NO_TASK = ["unknown", "cancelled"]
HINTS = {
    "to_analyse": {**{s: SCRATCH for s in SITUATIONS}, "analysing": "at it already", "running": "at it already"},
    "approved": {s: '"Approved" does nothing now' for s in SITUATIONS}, "rejected": {s: '"Rejected" does nothing now' for s in SITUATIONS},
    "confirm_deploy": {s: '"Confirm Deploy" does nothing now' for s in SITUATIONS}, "needs_input": {s: "set by the analyst alone" for s in SITUATIONS},
    **{verb: {s: SCRATCH for s in SITUATIONS} for verb in ("backlog", "development", "done", "blocked", "in_review")},
}
HINTS["approved"]["awaiting deploy"] = '"Confirm Deploy" is what passes it'
HINTS["confirm_deploy"]["in review"] = '"Approved" is what passes it'


def everything(world):
    """What a move that does nothing leaves as it was."""
    tables = ["task", "job", "run", "evidence", "decision", "question", "escalation", "human_wait", "transition_lease"]
    return [world.db.query(f"select * from orch.{t} order by 1") for t in tables]


def hints(world, item):
    return [payload["text"] for payload in world.effects("comment", item) if ":hint:" in payload["marker"]]


@pytest.mark.parametrize("situation, verb", [(s, v) for v in DOES for s in DOES[v]])
def test_what_a_verb_does(world, situation, verb):
    """P-9, I-2, C-1, C-2: the verbs that mean something where the task is; none of them leaves a hint."""
    item = SITUATIONS[situation](world)
    before, hints_before = everything(world), len(hints(world, item))
    stage_after, words = DOES[verb][situation]
    assert words in world.move(item, verb, "in bytes")
    assert len(hints(world, item)) == hints_before
    if stage_after is None:
        assert everything(world)[2:] == before[2:]
    else:
        assert world.db.value("select stage from orch.task order by id desc limit 1") == stage_after


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_only_leaves_a_hint(world, situation):
    """P-10, P-9: every other move changes nothing and leaves one hint, also the second time; without a task not even that."""
    item = SITUATIONS[situation](world)
    before, said_before = everything(world), hints(world, item)
    for verb in (v for v in HINTS if situation not in DOES.get(v, {})):
        outcomes = [world.move(item, verb, "in bytes") for _ in range(1 if verb in ("done", "blocked", "in_review") else 2)]
        said = hints(world, item)[len(said_before):]
        said_before = hints(world, item)
        assert everything(world) == before, verb
        if situation in NO_TASK:
            assert all(o.startswith("ignored") for o in outcomes) and not said
            continue
        words = "Make a new work item" if situation == "done" else HINTS[verb][situation]
        assert len(said) == len(outcomes) and all(words in text for text in said) and all(o.startswith("hinted") for o in outcomes), (verb, outcomes, said)


@pytest.mark.parametrize("verb, situation", [(v, s) for v in ("to_analyse", "rejected") for s in DOES[v] if s not in ("unknown", "cancelled")])
def test_the_comment_is_the_input(world, verb, situation):
    """P-9: the role works again with the comment as its input."""
    item = SITUATIONS[situation](world)
    world.move(item, verb, "mind the empty line")
    job = world.claim()
    assert job["work_item"] == item and "mind the empty line" in job["input"]
    assert job["role"] == ("developer" if situation == "awaiting deploy" else "analyst")


def test_the_same_delivery_hints_once(world):
    """P-10, I-3: one move, one hint, however often its event is handled."""
    item = stage("review")(world)
    world.move(item, "development", None)
    world.db.query("update orch.event set status = 'routed', ended_at = null where id = (select max(id) from orch.event)")
    world.handle_events()
    assert len(hints(world, item)) == 1


def test_to_analyse_without_a_comment_runs_the_analyst_again(world):
    """P-9: also when it has asked: without an answer, and saying so."""
    item = asking(world)
    assert world.move(item, "to_analyse") == "the analyst works again"
    assert world.claim()["input"] == "no comment was given"
    assert world.db.value("select answer from orch.question") is None
