"""The outbox: effects are executed once in effect, in order, and what cannot be done becomes a dead letter."""

import json

from support.pipeline import Pipeline


def add_effect(db, line, port, kind, payload, key="k", object_key="o"):
    """As a function of the domain would store it."""
    return db.value("insert into orch.effect (project_id, port, kind, object_key, idempotency_key, payload)"
                    " select id, %s, %s, %s, %s, %s from orch.project where name = %s returning id",
                    port, kind, object_key, key, json.dumps(payload), line.project.name)


def wait_ended(line, effect):
    def ended():
        row = line.db.row("select * from orch.effect where id = %s", effect)
        return row["status"] in ("done", "dead") and row
    return line.wait(ended, 30, f"effect {effect} has ended")


def item_outside(line):
    """An item that the pipeline does not touch."""
    return line.db.value("insert into orch.local_item (project_id, work_item, title, state)"
                         " select id, 'ORCH-900', 'T', 'backlog' from orch.project returning work_item")


def test_state_and_comment(suite, project):
    """I-2: states are shown, comments made."""
    line = Pipeline(suite, project)
    item = item_outside(line)
    state = add_effect(line.db, line, "tracker", "state", {"work_item": item, "state": "blocked"}, "a")
    comment = add_effect(line.db, line, "tracker", "comment", {"work_item": item, "marker": "m", "text": "hello"}, "b")
    assert wait_ended(line, state)["status"] == "done" and wait_ended(line, comment)["status"] == "done"
    assert line.shown(item) == "blocked" and line.comments(item) == ["hello"]


def test_a_repeated_comment_is_found(suite, project):
    """I-7: an answer that was lost is looked up: the same marker again makes no second comment."""
    line = Pipeline(suite, project)
    item = item_outside(line)
    for key in ("a", "b"):
        effect = add_effect(line.db, line, "tracker", "comment", {"work_item": item, "marker": "m", "text": "hello"}, key)
        assert wait_ended(line, effect)["status"] == "done"
    assert line.comments(item) == ["hello"]


def test_order_per_object(suite, project):
    """An object's effects are executed in the order of their causes."""
    line = Pipeline(suite, project)
    item = item_outside(line)
    states = ["analysis", "in_review", "architecture", "development", "done"]
    effects = [add_effect(line.db, line, "tracker", "state", {"work_item": item, "state": s}, s, "tracker:x") for s in states]
    for effect in effects:
        assert wait_ended(line, effect)["status"] == "done"
    assert line.shown(item) == "done"


def test_alert_is_a_log_line(suite, project):
    """P-5: the notifier `log` says event=alert."""
    line = Pipeline(suite, project)
    effect = add_effect(line.db, line, "notifier", "alert", {"work_item": "ORCH-9", "text": "look at \"it\""})
    wait_ended(line, effect)
    assert suite.log.wait("alert")["text"] == 'look at "it"'


def test_branches_are_deleted_but_never_the_default_one(suite, project):
    """C-4: a branch that is gone counts as deleted; the default branch is refused before anything is sent."""
    line = Pipeline(suite, project)
    project.commit({"x": "x"}, "x", "feature/x")
    for key in ("first", "again"):
        effect = add_effect(line.db, line, "forge", "delete_branch", {"branch": "feature/x"}, key)
        assert wait_ended(line, effect)["status"] == "done"
    assert project.branches() == ["main"]
    for branch in ("main", "", "-x", "a..b", "refs/heads/main"):
        effect = add_effect(line.db, line, "forge", "delete_branch", {"branch": branch}, f"bad {branch}")
        assert wait_ended(line, effect)["status"] == "dead", branch
    assert project.branches() == ["main"]


def test_what_cannot_be_done_is_a_dead_letter(suite, project):
    """Dead letters are visible, counted, and block nothing that comes after them."""
    line = Pipeline(suite, project)
    item = item_outside(line)
    bad = [add_effect(line.db, line, "tracker", "comment", {"work_item": "ORCH-999", "marker": "m", "text": "t"}, "no item"),
           add_effect(line.db, line, "tracker", "state", {"work_item": item}, "no state"),
           add_effect(line.db, line, "tracker", "frobnicate", {}, "no such operation")]
    good = add_effect(line.db, line, "tracker", "state", {"work_item": item, "state": "blocked"}, "good")
    assert [wait_ended(line, effect)["status"] for effect in bad] == ["dead"] * 3
    assert wait_ended(line, good)["status"] == "done"
    assert len(line.db.query("select * from orch.dead_letter where what = 'effect'")) == 3
    line.wait(lambda: len(suite.log.records("effect.dead")) >= 3, what="each is said")
    assert len(suite.log.records("effect.dead")) == 3


def test_a_forge_that_is_down_is_tried_again(suite, project, folder):
    """I-7, C-4: a forge that does not answer stops nothing; the deletion is retried until it is there again."""
    line = Pipeline(suite, project, effect_backoff_s=0)
    project.commit({"x": "x"}, "x", "feature/x")
    away = project.bare.rename(folder / "away.git")
    effect = add_effect(line.db, line, "forge", "delete_branch", {"branch": "feature/x"})
    line.wait(lambda: line.db.value("select attempts from orch.effect where id = %s", effect) >= 2, 30, "two tries")
    away.rename(project.bare)
    assert wait_ended(line, effect)["status"] == "done"
    assert project.branches() == ["main"]
