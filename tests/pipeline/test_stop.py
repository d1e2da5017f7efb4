"""STOP with real agents, git and a forge: what is not in tests/integration/test_cancel.py (C-1 to C-8, J-3, P-10)."""

import os
import signal

import pytest

from support.agents import hold_pushes
from support.pipeline import Pipeline
from support.processes import is_alive


def branch_of(line, item):
    return line.task(item)["branch"]


def effects(line, kind="delete_branch"):
    return line.db.query("select * from orch.effect where kind = %s order by id", kind)


def wait_reset(line, item):
    """C-3: the newest task of the item is cancelled in full."""
    line.wait_stage(item, "cancelled")
    task = line.task(item)
    assert task["work_item"] == f"{item}#cancelled-{task['id']}" and not [j for j in line.jobs(item) if j["active"]]
    runs = line.suite.folder / "state/runs"
    line.wait(lambda: not [r for r in line.runs(item) if (runs / f"{r['job_id']}-{r['epoch']}/tree").exists()], 60, "its work trees are gone")
    return task


def test_created_again_it_goes_all_the_way(suite, project, agents, gate):
    """C-3, C-7, P-10: stopped in the middle of development, then To Analyse: a task from scratch, on a branch without the old
    work, which ends in done; the old row stays as it was."""
    gate.hold("developer", only_if='[ -e "$marks/first" ]')
    (agents.folder / "first").touch()
    line = Pipeline(suite, project)
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "developer")
    line.move(item, "stop")
    old = wait_reset(line, item)
    line.wait(lambda: project.branches() == ["main"], 30, "the branch is deleted")
    (agents.folder / "first").unlink()
    line.move(item, "to_analyse")
    line.wait(lambda: line.task(item)["id"] != old["id"], 30, "a new task")
    line.pass_human_gates(item)
    assert line.task(item)["developer_rounds"] == 0 and line.stages(item).count("development") == 1
    assert old == line.db.row("select * from orch.task where id = %s", old["id"])
    old_jobs = {str(j) for j in line.db.column("select id from orch.job where task_id = %s", old["id"])}
    assert not old_jobs & {job for _, job in project.trailers("Orch-Job")}, "what was stopped was merged"
    gate.open()


def test_to_analyse_before_the_agent_is_gone(suite, project, agents):
    """C-3, C-7, J-3: an agent that will not be told; the board is at To Analyse already. Nothing is lost, and the new
    analyst begins only when the old one is gone."""
    deaf = "trap '' TERM; while :; do sleep 0.1; done"  # lasts
    agents.set("analyst", f"if [ ! -e \"$marks/told\" ]; then touch \"$marks/told\"; {deaf}; fi\n" + "mark second\n")
    line = Pipeline(suite, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    line.wait(lambda: (agents.folder / "told").exists(), what="the agent is at it")
    old = line.task(item)["id"]
    line.move(item, "stop")
    line.move(item, "to_analyse")
    line.wait(lambda: line.task(item)["id"] != old, 60, "a new task")
    assert not is_alive(run["pid"])
    line.wait(lambda: agents.marks("second"), 60, "the new analyst")
    assert not agents.marks("overlap")


def test_a_forge_that_is_down(suite, project):
    """C-4: the cancellation goes on; the new task gets a branch of another name; the old one is deleted when the forge is back."""
    line = Pipeline(suite, project, effect_backoff_s=1)
    item = line.item()
    line.wait_shown(item, "in_review")
    old = branch_of(line, item)
    away = project.bare.with_name("away.git")
    project.bare.rename(away)
    line.cancel(item)
    first = wait_reset(line, item)
    line.wait(lambda: effects(line)[0]["attempts"] > 1, 60, "the deletion is tried again")
    line.move(item, "to_analyse")
    line.wait(lambda: line.task(item)["id"] != first["id"] and branch_of(line, item), 60, "the new task has a branch")
    assert branch_of(line, item) == f"{old}-{line.task(item)['id']}"
    away.rename(project.bare)
    line.wait(lambda: effects(line)[0]["status"] == "done", 60, "the old branch is deleted")
    line.wait(lambda: sorted(project.branches()) == sorted([branch_of(line, item), "main"]), 120, "only the new branch")


def test_a_branch_that_is_gone_counts_as_deleted(suite, project):
    """C-4: somebody has deleted it."""
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_shown(item, "in_review")
    project.git("update-ref", "-d", f"refs/heads/{branch_of(line, item)}")
    line.cancel(item)
    wait_reset(line, item)
    line.wait(lambda: [e["status"] for e in effects(line)] == ["done"], 30, "nothing to delete")


@pytest.mark.parametrize("branch", ["main", "MAIN", "release/1.0", "refs/heads/main", "feature/../main"])
def test_no_other_branch_is_ever_deleted(suite, project, branch):
    """C-4: whatever the row says is the task's branch: the guard refuses before anything is sent, and a person is told."""
    line = Pipeline(suite, project)
    project.commit({"old.txt": "old\n"}, "Release", branch="release/1.0")
    item = line.item()
    line.wait_shown(item, "in_review")
    own = branch_of(line, item)
    line.db.query("update orch.task set branch = %s where work_item = %s", branch, item)
    line.cancel(item)
    line.wait(lambda: effects(line)[0]["status"] == "dead", 30, "it is refused")
    assert effects(line)[0]["attempts"] == 1
    assert sorted(project.branches()) == sorted(["main", "release/1.0", own])


def test_a_push_that_outlives_its_worker(suite, project, agents):
    """C-3, C-7: the worker dies in the middle of a push, the task is cancelled, and then the push arrives: it does not stay."""
    line = Pipeline(suite, project, late_push_s=10)
    gate = hold_pushes(project, agents)
    item = line.item()
    line.wait(lambda: gate.path.with_name("forge.first").exists(), 60, "the push is at the forge")
    worker, = suite.pids("workerd")
    os.kill(worker, signal.SIGKILL)
    line.cancel(item)
    wait_reset(line, item)
    line.wait(lambda: effects(line)[0]["status"] == "done", 30, "there is no branch yet")
    gate.open()
    line.wait(lambda: len(project.branches()) == 2 or effects(line)[-1]["status"] == "done", 30, "the push arrives")
    line.wait(lambda: [e["status"] for e in effects(line)] == ["done", "done"], 60, "it was looked for again")
    assert project.branches() == ["main"]


def test_the_host_that_has_the_tree_removes_it(make_suite, project, agents, gate):
    """C-3: STOP is asked for on one host, the agent runs on another."""
    gate.hold("analyst")
    a = make_suite(host_name="a").start()
    line = Pipeline(a, project)
    item = line.item()
    run = line.wait_running(item, "analyst")
    b = make_suite(host_name="b").start()
    b.orchctl("cancel", item)
    wait_reset(line, item)
    assert not is_alive(run["pid"])
    gate.open()


# --- the critical window -----------------------------------------------------------------------------------------------

@pytest.fixture
def deploying(make_suite, project, gate, folder):
    """An item whose deploy command waits at the gate, and then ends as asked."""
    def begin(end, **options):
        line = Pipeline(make_suite(**options).start(), project)
        line.command("deploy", f"echo begun >>{folder}/deploys; flock --shared {gate.path} true; {end}")
        item = line.item()
        line.approve_analysis(item)
        line.wait_shown(item, "awaiting_deploy")
        line.approve(item)
        line.wait(lambda: (folder / "deploys").exists(), 60, "the deploy has begun")
        return line, item

    yield begin
    assert (folder / "deploys").read_text() == "begun\n", "it was deployed once"


def deferred(line, item):
    """C-6: stamped once, one message, repeats are silent."""
    assert "deferred" in line.cancel(item)
    stamp = line.task(item)["cancel_requested_at"]
    line.move(item, "stop")
    line.wait(lambda: line.db.value("select count(*) from orch.event where status in ('received', 'routed')") == 0, what="the event is handled")
    assert "deferred" in line.cancel(item) and line.task(item)["cancel_requested_at"] == stamp
    line.wait(lambda: [c for c in line.comments(item) if "deferred" in c], what="people are told")


def test_a_deploy_that_has_begun_ends_honestly(deploying, project, gate):
    """C-5, C-6, C-8: done is a no-op and clears the request; nothing is rolled back."""
    line, item = deploying("exit 0")
    deferred(line, item)
    gate.open()
    line.wait_stage(item, "done")
    assert line.task(item)["cancel_requested_at"] is None
    line.check_commits(item)
    assert len([c for c in line.comments(item) if "deferred" in c]) == 1


def test_a_deploy_that_fails_is_no_reason_for_another_round(deploying, gate):
    """C-6, C-8: it has ended, and not in done: full reset instead of another round of development."""
    line, item = deploying("exit 1")
    deferred(line, item)
    gate.open()
    wait_reset(line, item)
    assert "development" not in line.stages(item)[4:] and line.task(item)["developer_rounds"] == 0


@pytest.mark.parametrize("word, end", [("approve", "done"), ("reject", "cancelled")])
def test_a_deploy_that_nobody_can_judge(deploying, gate, word, end):
    """C-5, C-6: unknown is critical. A person still can say what came of it, and then the cancellation is applied, or void."""
    line, item = deploying("exit 0")
    deferred(line, item)
    line.suite.power_off()
    line.suite.start()
    line.wait(lambda: line.db.value("select orch.waits_for_person(t) from orch.task t where work_item = %s", item), 60, "a person is asked")
    assert "deferred" in line.cancel(item) and line.stage(item) == "deploy"
    line.db.query(f"select orch.{word}(%s, 'I have looked')", item, user="orch_operator")
    line.wait_stage(item, end)
    gate.open()
