"""Labels that pass the human gates (P-11)."""

import pytest


@pytest.fixture(autouse=True)
def project_on(world):
    world.db.query("update orch.project set auto_approve = true")


def evidence(world):
    return world.db.query("select gate, value, detail from orch.evidence where source = 'label' order by id")


def label(world, item, name, on=True):
    world.operate("item_label", item, name, on)
    return world.handle_events()


def test_off_by_default(world):
    """P-11: a project that has not switched it on asks people, whatever an item carries."""
    world.add_project("other", "OTH")
    item = world.operate("item_create", "other", "A thing", "", 2, None, None, "auto-approve auto-deploy")["work_item"]
    world.handle_events()
    world.succeed(world.claim())
    assert world.waits(item) == ["person"] and world.shown(item)[-1] == "in_review" and evidence(world) == []


def test_a_label_from_the_beginning(world):
    """P-11: nobody is asked; the ledger has the label and who gave it, the history the decision. The other gate still asks."""
    item = world.operate("item_create", "demo", "A thing", "", 2, None, None, "auto-approve, auto-deploy urgent")["work_item"]
    world.handle_events()
    assert world.task(item)["labels"] == ["auto-approve", "auto-deploy", "urgent"]
    world.succeed(world.claim())
    assert world.task(item)["stage"] == "architecture" and "in_review" not in world.shown(item)
    assert evidence(world) == [{"gate": "analysis_approved", "value": "approved", "detail": {"label": "auto-approve", "labelled_by": "orch_operator"}}]
    row = world.db.row("select * from orch.decision")
    assert (row["verdict"], row["actor"], row["gate"]) == ("approved", "label auto-approve", "analysis_approved") and "orch_operator" in row["comment"]
    while (job := world.claim()):
        world.succeed(job)
    assert world.task(item)["stage"] == "deploy" and world.waits(item) == ["person"]


def test_a_label_that_comes_later(world):
    """P-11: given while the task waits, it passes the gate by the event of the tracker; taken away before, it does not."""
    a = world.item()
    label(world, a, "auto-approve")
    assert world.task(a)["labels"] == ["auto-approve"]
    label(world, a, "auto-approve", False)
    world.succeed(world.claim())
    assert world.waits(a) == ["person"] and world.task(a)["labels"] == []
    label(world, a, "auto-approve")
    assert world.task(a)["stage"] == "architecture" and len(evidence(world)) == 1
    assert world.db.value("select ended_by from orch.human_wait") == "label auto-approve"


def test_the_reconciler_sees_a_label_that_nobody_told_of(world):
    """P-11, R-1: a label whose event was lost, or a project that switches labels on while the task waits."""
    world.set("stage_grace_s", "0")
    world.db.query("update orch.project set auto_approve = false")
    a = world.item()
    world.succeed(world.claim())
    world.db.query("""update orch.local_item set labels = '{auto-approve}', labelled_by = '{"auto-approve": "alice"}'""")

    def tick():
        return world.call("reconcile_gates", 10, user="orch_reconcilerd")[0]["advanced"]
    assert tick() == 0 and world.waits(a) == ["person"]
    world.db.query("update orch.project set auto_approve = true")
    assert tick() == 1 and world.task(a)["stage"] == "architecture"
    assert evidence(world)[0]["detail"]["labelled_by"] == "alice"


def test_who_gave_it_may_be_unknown(world):
    """P-11: recorded with who labelled it if that is known."""
    a = world.item()
    world.db.query("update orch.local_item set labels = '{auto-approve}'")
    world.db.query("update orch.task set labels = '{auto-approve}'")
    world.succeed(world.claim())
    assert world.task(a)["stage"] == "architecture" and evidence(world)[0]["detail"] == {"label": "auto-approve"}


def test_a_label_answers_no_questions(world):
    """P-9, P-11: a task in Needs Input waits for people, label or not; so does one that is escalated."""
    a = world.operate("item_create", "demo", "A thing", "", 2, None, None, "auto-approve")["work_item"]
    world.handle_events()
    world.ask(world.claim(), "Which unit?")
    assert world.waits(a) == ["person"] and world.task(a)["stage"] == "analysis" and evidence(world) == []
    world.operate("answer", a, "bytes")
    world.set("job_max_attempts", "1")
    world.db.query("update orch.job set max_attempts = 1 where status = 'queued'")
    world.finish(world.claim(), "failed", reason="it fell over")
    label(world, a, "urgent")
    assert world.waits(a) == ["escalated"] and evidence(world) == []


def test_auto_deploy(world):
    """P-11, M-3: confirms the deploy, for projects that have switched that on."""
    world.db.query("update orch.project set auto_deploy = true")
    a = world.operate("item_create", "demo", "A thing", "", 2, None, None, "auto-deploy,auto-approve")["work_item"]
    world.handle_events()
    while (job := world.claim()):
        world.succeed(job)
    assert world.task(a)["stage"] == "done" and [e["gate"] for e in evidence(world)] == ["analysis_approved", "deploy_confirmed"]


def test_labels_are_said_once(world):
    """O-2: the same label again changes nothing, and tells nobody."""
    a = world.item()
    assert world.operate("item_label", a, "auto-deploy", True)["labels"] == ["auto-deploy"]
    world.handle_events()
    events = world.db.value("select count(*) from orch.event")
    assert "auto-deploy" in world.operate("item_label", a, "auto-deploy", True)["message"]
    assert "no label" in world.operate("item_label", a, "auto-deploy", False)["message"]
    assert world.db.value("select count(*) from orch.event") == events + 1
