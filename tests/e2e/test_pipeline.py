"""The whole way of work items, from created to done, with the real processes and agents that are small scripts."""

import re

from support.pipeline import STAGES, Pipeline


def test_one_item_from_created_to_done(suite, project, agents):
    """P-1, P-4, P-7, P-9, P-12, M-4, I-1, I-2: every stage once and in order, each role's work committed once under its name,
    the branch merged; nothing pushed to the default branch."""
    line = Pipeline(suite, project)
    base = project.head("main")
    item = line.item("Add a thing", "It should be there.")
    line.wait_shown(item, "in_review")
    assert project.head("main") == base and line.stage(item) == "analysis"
    line.approve(item)
    line.wait_shown(item, "awaiting_deploy")
    assert project.head("main") == base
    line.approve(item)
    line.wait_stage(item, "done")

    assert line.stages(item) == STAGES
    line.check_commits(item)
    line.check_no_overlap(agents)
    task = line.task(item)
    assert re.fullmatch(rf"feature/{item}-[a-z0-9-]+", task["branch"])
    assert project.is_ancestor(task["branch"]) and project.is_ancestor(base)
    assert project.read(f"src/{item}.txt") == f"{item} attempt 1"
    assert [job["status"] for job in line.jobs(item)] == ["done"] * 12
    assert [run["outcome"] for run in line.runs(item)] == ["success"] * 12
    line.wait_shown(item, "done")


def test_second_item_waits_and_contains_the_first(suite, project, agents):
    """S-5, S-9, S-10, P-8: the second item's analyst starts only when the first is done, and its branch is cut from what
    the first has merged."""
    line = Pipeline(suite, project)
    first, second = line.item("First thing"), line.item("Second thing")
    line.wait_shown(first, "in_review")
    why = line.db.query("select * from orch.why(%s)", second, user="orch_operator")
    assert [row["axis"] for row in why] == ["active-task"] and first in why[0]["reason"]
    assert not line.runs(second) and line.task(second)["branch"] is None
    line.pass_human_gates(first)
    merged = project.head("main")
    line.wait_shown(second, "in_review")

    branch = line.task(second)["branch"]
    assert project.git("merge-base", "main", branch) == merged
    assert f"src/{first}.txt" in project.files(branch)
    start = agents.marks("start", work_item=second, role="analyst")[0].time_ns
    assert start > agents.marks("end", work_item=first, role="deployer")[-1].time_ns
    line.pass_human_gates(second)
    line.check_commits(second)
    assert {f"src/{first}.txt", f"src/{second}.txt"} <= set(project.files("main"))


def test_a_repository_that_moves(suite, project, agents):
    """I-1, J-5: what cannot be fetched waits for somebody who says where it is now; the same item goes on there, to done."""
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_shown(item, "in_review")
    project.bare = project.bare.rename(project.bare.with_name("moved.git"))
    line.approve(item)
    failed = line.wait_run(item, "architect")
    assert failed["outcome"] == "transient" and "the repository could not be fetched" in failed["reason"]
    line.db.query("select orch.project_connect(%s, 'forge', 'local', %s)", project.name, str(project.bare), user="orch_operator")
    line.wait_shown(item, "awaiting_deploy")
    line.approve(item)
    line.wait_stage(item, "done")
    assert line.stages(item) == STAGES and project.read(f"src/{item}.txt") == f"{item} attempt 1"


def test_request_changes_sends_back_with_the_reason(suite, project, agents):
    """P-5, P-9: REQUEST_CHANGES is a round of development, whose task file says why; then the item goes on."""
    agents.set("reviewer", 'if grep -q "attempt 2\\|again" "src/$ORCH_WORK_ITEM.txt"; then verdict 12-review.md "verdict: APPROVED"\n'
                           'else verdict 12-review.md "verdict: REQUEST_CHANGES"; fi\n')
    agents.set("developer", 'mkdir -p src\n'
                            'if [ -e "src/$ORCH_WORK_ITEM.txt" ]; then cp "$ORCH_TASK_FILE" src/why.txt; echo again >>"src/$ORCH_WORK_ITEM.txt"\n'
                            'else echo first >"src/$ORCH_WORK_ITEM.txt"; fi\n')
    line = Pipeline(suite, project)
    item = line.item()
    line.pass_human_gates(item)
    assert line.stages(item) == STAGES[:5] + ["development", "review"] + STAGES[5:]
    assert line.task(item)["developer_rounds"] == 1
    assert "REQUEST_CHANGES" in project.read("src/why.txt")


def test_red_ci_sends_back(suite, project, agents):
    """P-1, P-5: the project's own command is the commit status; red is a round of development, not an agent's failure."""
    project.commit({"check.sh": "#!/bin/sh\n! ls src/*.bad\n"}, "Check")
    agents.set("developer", 'mkdir -p src\n'
                            'if [ -e "src/x.bad" ]; then rm src/x.bad; cp "$ORCH_TASK_FILE" src/why.txt\n'
                            'else echo bad >src/x.bad; fi\n')
    line = Pipeline(suite, project)
    item = line.item()
    line.pass_human_gates(item)
    assert line.stages(item) == STAGES[:4] + ["development"] + STAGES[4:]
    why = project.read("src/why.txt")
    assert "exited with 1" in why and "src/x.bad" in why, "the next developer sees what the check has said"
    states = line.db.column("select state from orch.commit_status order by id")
    assert states == ["failure", "success"]
    assert [run["outcome"] for run in line.runs(item, "ci")] == ["success", "success"]


def test_merge_conflict_sends_back(suite, project, agents):
    """M-2, P-5: a branch that does not merge goes back to development; the default branch is as it was."""
    agents.set("developer", 'if [ "$(cat README.md)" = "# A project" ] && [ ! -e tried ]; then echo mine >README.md; touch tried\n'
                            'else git show HEAD~99:README.md >/dev/null 2>&1 || echo "# A project" >README.md; echo later >"later.txt"; fi\n')
    line = Pipeline(suite, project)
    item = line.item()
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy")
    theirs = project.commit({"README.md": "theirs\n"}, "Somebody else")
    line.approve(item)
    line.wait(lambda: line.task(item)["developer_rounds"] == 1, 60, "the task is sent back")
    assert project.head("main") == theirs
    assert line.db.column("select value from orch.evidence where gate = 'merge_ready' order by id") == ["ready", "failed"]


def test_a_foreign_push_is_never_overwritten(suite, project, agents, gate):
    """P-7, T-5: who pushes to a task's branch while an agent works, or between two runs, loses nothing: the run fails with
    a reason that says where the branch is."""
    gate.hold("architect")
    line = Pipeline(suite, project, job_max_attempts=2, job_backoff_s=0)
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "architect")
    theirs = project.commit({"theirs.txt": "x"}, "A person's work", line.task(item)["branch"])
    gate.open()
    assert "the architect failed" in line.wait_escalated(item)
    runs = line.runs(item, "architect")
    assert [run["outcome"] for run in runs] == ["failed", "failed"]
    assert all("somebody else has pushed" in run["reason"] and theirs in run["reason"] for run in runs)
    assert len(agents.marks("start", role="architect")) == 1
    assert project.head(line.task(item)["branch"]) == theirs
