"""Cancellation in each state of a task: agents stopped, branch gone, names free, nothing revived."""

from support.pipeline import Pipeline
from support.processes import is_alive
from support.wait import stays


def check_reset(line, item, project):
    """C-3, C-7: what must hold after a full reset, and go on to hold."""
    task = line.task(item)
    assert task["stage"] == "cancelled" and task["cancelled_at"] and task["cancel_requested_at"] is None
    assert task["work_item"] == f"{item}#cancelled-{task['id']}" and task["tracker_id"].endswith(f"#cancelled-{task['id']}")
    line.wait_shown(item, "cancelled")
    line.wait(lambda: project.branches() == ["main"], 30, "the branch is deleted")
    assert not [job for job in line.jobs(item) if job["active"]]
    runs = len(line.runs(item))
    stays(lambda: len(line.runs(item)) == runs and line.stage(item) == "cancelled", 1.0)


def test_cancel_while_it_waits_for_a_person(suite, project):
    """C-3: the branch is deleted, the names are tombstoned."""
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_shown(item, "in_review")
    assert len(project.branches()) == 2
    line.cancel(item)
    check_reset(line, item, project)


def test_cancel_while_queued(suite, project, agents, gate):
    """C-3, S-1, C-2: a queued job becomes cancelled and never runs; a second cancel says there is nothing to do."""
    gate.hold("analyst")
    line = Pipeline(suite, project)
    first, second = line.item("First"), line.item("Second")
    line.wait_running(first, "analyst")
    line.wait(lambda: line.task(second), 30, "intake of the second")
    line.cancel(second)
    assert "nothing to cancel" in line.cancel(second)
    check_reset(line, second, project)
    assert not line.runs(second)
    gate.open()
    line.wait_shown(first, "in_review")


def test_cancel_while_its_agent_runs(suite, project, agents):
    """C-3, J-3: the agent is stopped by the cascade, TERM first, and what it did is not pushed."""
    agents.set("analyst", "trap 'mark told; exit 1' TERM\necho left >left.txt\ntail -f /dev/null & wait\n")
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    assert not is_alive(run["pid"])
    assert line.runs(item)[-1]["outcome"] == "cancelled"
    assert agents.marks("told")
    check_reset(line, item, project)


def test_cancel_kills_an_agent_that_will_not_be_told(suite, project, agents):
    """C-3, J-3: TERM, grace, KILL, to the whole group."""
    agents.set("analyst", "trap '' TERM\n(trap '' TERM; tail -f /dev/null) &\nwhile :; do wait || true; done\n")
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    assert not is_alive(run["pid"])
    check_reset(line, item, project)


def test_cancel_later_in_the_pipeline(suite, project, agents, gate):
    """C-3: also with work of several roles on the branch."""
    gate.hold("tester")
    line = Pipeline(suite, project)
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "tester")
    line.cancel(item)
    line.wait_stage(item, "cancelled")
    check_reset(line, item, project)
    gate.open()


def test_cancel_in_the_critical_window_is_deferred(suite, project, agents, gate):
    """C-5, C-6: while the deploy runs the cancellation waits; the deploy ends honestly and the task is done."""
    line = Pipeline(suite, project)
    line.command("deploy", f"flock --shared {gate.path} true")
    item = line.item()
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy")
    line.approve(item)
    suite.log.wait("deploy.started", work_item=item)
    assert "deferred" in line.cancel(item) and "deferred" in line.cancel(item)
    gate.open()
    line.wait_stage(item, "done")
    assert line.task(item)["cancel_requested_at"] is None
    line.wait(lambda: [text for text in line.comments(item) if "deferred" in text], what="people are told")
    assert len([text for text in line.comments(item) if "deferred" in text]) == 1


def test_stop_in_the_tracker(suite, project, agents):
    """C-1: the state STOP cancels, as the command does; To Analyse then begins from scratch."""
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_shown(item, "in_review")
    old = line.task(item)
    line.move(item, "stop")
    line.wait_stage(item, "cancelled")
    check_reset(line, item, project)
    line.move(item, "to_analyse")
    line.wait(lambda: line.task(item)["id"] != old["id"], 30, "a new task")
    line.wait_shown(item, "in_review")
    assert len(agents.marks("start", role="analyst", work_item=item)) == 2
