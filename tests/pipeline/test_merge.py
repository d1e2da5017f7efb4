"""The merge gate and the merge from outside (M-1, M-2, M-4, P-5, C-4, R-7): a real suite, real repositories, people who push beside it."""

import contextlib
import fcntl
import os
import signal

import pytest

from support.agents import BODIES
from support.hostile import ATTRIBUTES
from support.pipeline import STAGES, Pipeline, away

TEXT = "".join(f"line {n}\n" for n in range(1, 31))


@pytest.fixture
def line(suite, project):
    project.commit({"shared.txt": TEXT}, "A file that both sides change")
    return Pipeline(suite, project, job_backoff_s=0)


def changes(agents, old="line 2\n", new="line 2 by the branch\n"):
    """The developer changes a line of shared.txt."""
    agents.set("developer", f"sed -i 's/^{old.strip()}$/{new.strip()}/' shared.txt\n" + BODIES["developer"])


def to_confirm(line, item):
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy", 120)


@contextlib.contextmanager
def before_the_merge_gate(line, item):
    """Main may go on meanwhile: the integrator of the item waits."""
    line.suite.orchctl("limit", "set", "role", "integrator", "0")
    line.approve_analysis(item)
    line.wait(lambda: line.jobs(item, role="integrator", status="queued"), 120, "it is the integrator's turn")
    yield
    line.suite.orchctl("limit", "remove", "role", "integrator")


def evidence(line, gate):
    return line.db.query("select value, sha, base_sha, detail from orch.evidence where gate = %s order by id", gate)


def kill_worker(suite):
    pid = suite.pids("workerd")[0]
    os.kill(pid, signal.SIGKILL)
    return pid


def refuse_pushes_to_main(project):
    """C-4: the only one who moves main by a push is a person (this test); what else tries leaves a mark."""
    mark = project.bare / "pushed-to-main"
    hook = project.bare / "hooks/update"
    hook.write_text(f'#!/bin/sh\ncase $1 in refs/heads/main) [ -n "$BY_PERSON" ] && exit 0; echo "$@" >>{mark}; exit 1 ;; esac\n')
    hook.chmod(0o755)
    return mark


def test_a_branch_that_is_behind_is_rebased_tested_and_merged(line, project, agents):
    """M-1, M-4, P-4: main went on while the item was worked on: the branch is put on top, tested as it then is, and that is what lands.
    The review is kept: its patch is the same. Nobody has pushed to main."""
    changes(agents)
    item = line.item()
    with before_the_merge_gate(line, item):
        base = project.commit({"shared.txt": TEXT.replace("line 29\n", "line 29 by main\n"), "check.sh": "#!/bin/sh\ngrep -q 'by main' shared.txt\n"},
                              "Main goes on, and its test with it")
        mark = refuse_pushes_to_main(project)
    line.wait_shown(item, "awaiting_deploy", 120)
    line.approve(item)
    line.wait_stage(item, "done", timeout=120)
    assert line.stages(item) == STAGES
    assert {"line 2 by the branch", "line 29 by main"} <= set(project.read("shared.txt").split("\n"))
    ready = evidence(line, "merge_ready")
    assert [e["value"] for e in ready] == ["ready", "ready"] and ready[-1]["base_sha"] == base
    merged = evidence(line, "merge_verified")
    assert [e["value"] for e in merged] == ["merged"] and merged[0]["sha"] == project.head()
    assert project.git("rev-parse", "main^1") == base and not mark.exists()
    line.check_commits(item)
    assert line.db.value("select count(*) from orch.merge_lease") == 0


def test_a_conflict_goes_back_with_the_files(line, project, agents, gate):
    """M-2, P-5: the developer is told which files, starts from the branch, and the lease is free meanwhile."""
    gate.hold("developer", "cp \"$ORCH_TASK_FILE\" why.md\n" + 'sed -i "s/^line 2.*$/line 2 by the branch/" shared.txt\n' + BODIES["developer"],
              only_if='grep -q "conflicts in: shared.txt" "$ORCH_TASK_FILE"')
    item = line.item()
    with before_the_merge_gate(line, item):
        project.commit({"shared.txt": TEXT.replace("line 2\n", "line 2 by main\n")}, "The same line")
    line.wait(lambda: "development" in line.stages(item)[4:], 120, "the item is sent back")
    assert line.db.value("select count(*) from orch.merge_lease") == 0
    assert line.task(item)["developer_rounds"] == 1
    failed = evidence(line, "merge_ready")
    assert failed[-1]["value"] == "failed" and "shared.txt" in failed[-1]["detail"]["reason"]
    line.cancel(item)
    gate.open()
    line.wait_stage(item, "cancelled", timeout=90)


def test_a_red_test_after_the_rebase_goes_back(line, project, agents):
    """M-1, P-5: both sides are green, together they are red."""
    changes(agents)
    agents.set("developer", 'grep -q "exited with 1" "$ORCH_TASK_FILE" && touch fixed\n'
                            'sed -i "s/^line 2$/line 2 by the branch/" shared.txt\n' + BODIES["developer"])
    item = line.item()
    with before_the_merge_gate(line, item):
        project.commit({"check.sh": "#!/bin/sh\n! grep -q 'by the branch' shared.txt || test -e fixed\n"}, "A stricter test")
    line.wait_shown(item, "awaiting_deploy", 180)
    assert "development" in line.stages(item)[4:] and line.task(item)["developer_rounds"] == 1
    assert [e["value"] for e in evidence(line, "merge_ready")] == ["failed", "ready"]


def test_the_base_moves_while_the_branch_is_tested(line, project, agents, folder):
    """M-1: again, counted, nothing burnt; what lands was tested on what it lands on."""
    changes(agents)
    moved = folder / "moved"
    again = folder / "again"
    again.write_text("0")
    suite = line.suite
    suite.orchctl("command", "set", project.name, "retest",
                  f'n=$(cat {again}); echo $((n + 1)) >{again}; [ "$n" -ge 2 ] || flock --shared {moved} true')
    item = line.item()
    with open(moved, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with before_the_merge_gate(line, item):
            project.commit({"one.txt": "x\n"}, "Main goes on")
        line.wait(lambda: line.task(item)["stage"] == "deploy-staging" and line.runs(item, "integrator")
                  and line.runs(item, "integrator")[-1]["pid"], 120, "the integrator tests")
        base = project.commit({"two.txt": "x\n"}, "And on")
    line.wait_shown(item, "awaiting_deploy", 120)
    assert [r["outcome"] for r in line.runs(item, "integrator")] == ["base-moved", "success"]
    task = line.task(item)
    assert task["merge_attempts"] == 1 and project.is_ancestor(base, task["head_sha"])
    assert [j["attempts"] for j in line.jobs(item, role="integrator")] == [1]
    line.approve(item)
    line.wait_stage(item, "done", timeout=120)


def test_the_base_moves_after_the_deploy(line, project, agents, folder):
    """M-1, M-4: what was deployed stays as it is; its merge with the new base is tested before it lands, and that is what lands."""
    changes(agents)
    lock = folder / "deploying"
    line.suite.orchctl("command", "set", project.name, "deploy", f"flock --shared {lock} true")
    item = line.item()
    to_confirm(line, item)
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line.approve(item)
        line.wait(lambda: line.runs(item, "finalizer"), 90, "the deploy runs")
        base = project.commit({"other.txt": "x\n", "check.sh": "#!/bin/sh\ntest -e other.txt && echo merged >&2\n"}, "Beside us")
    line.wait_stage(item, "done", timeout=120)
    assert project.git("rev-parse", "main^1") == base
    assert [r["outcome"] for r in line.runs(item, "merger")] == ["success"]
    assert "merged" in line.runs(item, "merger")[0]["log_excerpt"]
    assert [e["base_sha"] for e in evidence(line, "merge_ready")][-1] == base


@contextlib.contextmanager
def merged_and_not_verified(line, project, item):
    """The merger has merged, and cannot look at what has landed: the mirror is locked."""
    lock = line.suite.folder / "state/mirrors" / f"{project.name}.git.lock"
    base, mark = project.head(), line.suite.log.mark()
    with open(lock, "w", encoding="ascii") as held:
        line.suite.orchctl("limit", "set", "role", "merger", "0")
        line.approve(item)
        line.wait(lambda: line.jobs(item, role="merger", status="queued"), 60, "it is the merger's turn")
        with away(line.db, "job_intent"):
            line.suite.orchctl("limit", "remove", "role", "merger")
            line.suite.log.wait("job.retry", since=mark, timeout=60, what="claim check")
            fcntl.flock(held, fcntl.LOCK_EX)
        line.wait(lambda: project.head() != base, 120, "the merge has landed")
        line.suite.log.wait("job.merged", since=mark)
        yield


def test_a_merge_whose_answer_is_lost(line, project, agents):
    """M-4, R-6: the worker is killed right after the merge has landed: the next one finds it, verifies it, and merges nothing twice."""
    item = line.item()
    to_confirm(line, item)
    with merged_and_not_verified(line, project, item):
        kill_worker(line.suite)
    line.wait_stage(item, "done", timeout=120)
    assert len(project.git("log", "--merges", "--format=%H", "main").split()) == 1
    assert [e["value"] for e in evidence(line, "merge_verified")] == ["merged"]
    assert [r["outcome"] for r in line.runs(item, "merger")] == ["lost", "success"]
    assert line.suite.log.records("job.merged")[-1]["how"] == "already-merged"


@pytest.mark.parametrize("moment", ["before the push", "after the push", "while it is tested", "before it is recorded"])
def test_a_worker_that_dies_at_the_merge_gate(line, project, agents, folder, moment):
    """M-1, R-6: killed at each step: the next one goes on; the branch is pushed once, and nothing is lost."""
    changes(agents)
    pushes = project.bare / "pushes"
    hook = project.bare / "hooks/post-receive"
    item = line.item()
    suite = line.suite
    suite.orchctl("limit", "set", "role", "integrator", "0")
    line.approve_analysis(item)
    line.wait(lambda: line.jobs(item, role="integrator", status="queued"), 120, "it is the integrator's turn")
    lock = folder / "lock"
    if moment == "while it is tested":
        suite.orchctl("command", "set", project.name, "retest", f"flock --shared {lock} true")
    hook.write_text(f'#!/bin/sh\nwhile read old new ref; do echo "$ref $old" >>{pushes}; done\n')
    hook.chmod(0o755)
    missing, event = {"before the push": ("job_intent", "job.retry"), "after the push": ("job_started", "job.start-not-recorded"),
                      "before it is recorded": ("job_finish", "job.report-refused")}.get(moment, (None, None))
    mark = suite.log.mark()
    project.commit({"other.txt": "x\n"}, "Main goes on")
    if missing:
        with away(line.db, missing):
            suite.orchctl("limit", "remove", "role", "integrator")
            suite.log.wait(event, since=mark, timeout=90)
            kill_worker(suite)
    else:
        with open(lock, "w", encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            suite.orchctl("limit", "remove", "role", "integrator")
            line.wait_running(item, "integrator", 120)
            kill_worker(suite)
    line.wait_shown(item, "awaiting_deploy", 120)
    head = line.task(item)["head_sha"]
    assert project.head(line.task(item)["branch"]) == head and line.task(item)["pushing"] == []
    rebased = [entry for entry in pushes.read_text().splitlines() if "/feature/" in entry]
    assert len([e for e in rebased if e.split()[1] != "0" * 40]) == len(set(rebased))
    assert [e["value"] for e in evidence(line, "merge_ready")] == ["ready"]
    line.check_commits(item, line.task(item)["branch"], ["analyst", "architect", "developer", "reviewer", "tester", "deployer"])


@pytest.mark.parametrize("how", ["pushed", "deleted"])
def test_a_branch_that_is_moved_or_deleted_under_us(line, project, agents, how):
    """P-5: escalated with a clear reason, held in its stage; what was pushed is kept in the mirror; put back, it goes on."""
    changes(agents)
    item = line.item()
    to_confirm(line, item)
    task = line.task(item)
    branch, head = task["branch"], task["head_sha"]
    if how == "pushed":
        foreign = project.git("commit-tree", f"{head}^{{tree}}", "-p", f"{head}^", "-m", "Forced")
        project.git("update-ref", f"refs/heads/{branch}", foreign)
    else:
        project.git("update-ref", "-d", f"refs/heads/{branch}")
    line.approve(item)
    reason = line.wait_escalated(item, 90)
    assert ("somebody else has pushed" if how == "pushed" else "deleted the branch") in reason and head in reason
    assert line.stage(item) == "deploy" and line.task(item)["developer_rounds"] == 0
    mirror = line.suite.folder / "state/mirrors" / f"{project.name}.git"
    project.git("fetch", "--quiet", mirror, "+refs/orch/runs/*:refs/kept/*")
    assert head in project.git("for-each-ref", "--format=%(objectname)", "refs/kept").split()
    project.git("update-ref", f"refs/heads/{branch}", head)
    line.suite.orchctl("retry", item)
    line.wait_shown(item, "awaiting_deploy", 90)
    line.approve(item)
    line.wait_stage(item, "done", timeout=120)


def test_a_stale_squash_beside_us_freezes_the_repo(line, project, agents):
    """M-4: right after our merge somebody lands a tree made of an old state: our work is gone without any conflict. The repo is
    frozen, a person is alerted and decides, and the freeze outlives the decision."""
    changes(agents)
    base = project.head()
    item = line.item()
    to_confirm(line, item)
    with merged_and_not_verified(line, project, item):
        stale = project.git("commit-tree", f"{base}^{{tree}}", "-p", project.head(), "-m", "Squashed from an old state")
        project.git("update-ref", "refs/heads/main", stale)
    check_frozen(line, item, "takes back what was merged")
    line.suite.orchctl("reject", item, "--comment", "it is gone: do it again")
    line.wait(lambda: "development" in line.stages(item)[4:], 60, "the item is sent back")
    line.cancel(item)
    line.wait_stage(item, "cancelled", timeout=90)


def check_frozen(line, item, reason):
    """One freeze and one alert that say why; the item is in deploy and shown as Blocked."""
    line.wait_shown(item, "blocked", 120)
    frozen = line.db.query("select reason, work_item from orch.active_freeze")
    assert len(frozen) == 1 and reason in frozen[0]["reason"] and frozen[0]["work_item"] == item
    assert line.stage(item) == "deploy"
    alerts = line.db.column("select payload ->> 'text' from orch.effect where kind = 'alert'")
    assert len(alerts) == 1 and reason in alerts[0]


def test_markers_that_are_gone(line, project, agents):
    """M-4: text that must be in the default branch after each merge; without it the repo is frozen, and a person decides."""
    agents.set("developer", "sed -i '/^line 5$/d' shared.txt\n" + BODIES["developer"])
    line.suite.orchctl("project", "set", project.name, "integrity_markers", "README.md:project\nshared.txt:line 5\nsrc")
    item = line.item()
    to_confirm(line, item)
    line.approve(item)
    check_frozen(line, item, 'has no "line 5"')
    line.approve(item)
    line.wait_stage(item, "done", timeout=60)
    assert line.db.value("select count(*) from orch.active_freeze") == 1


def test_the_integrity_command_looks_at_what_was_merged(line, project, agents, folder):
    """M-4: after the merge, in a tree of what has landed; 0 is all it takes."""
    changes(agents)
    line.command("integrity", f'cp shared.txt {folder}/seen; echo "$ORCH_HEAD_SHA $(git rev-parse HEAD) $ORCH_WORK_ITEM" >>{folder}/asked')
    item = line.item()
    to_confirm(line, item)
    assert not (folder / "asked").exists()
    line.approve(item)
    line.wait_stage(item, "done", timeout=120)
    assert (folder / "asked").read_text().split() == [project.head(), project.head(), item]
    assert "line 2 by the branch" in (folder / "seen").read_text() and line.db.value("select count(*) from orch.active_freeze") == 0


def test_the_integrity_command_after_a_test_of_the_merge(line, project, agents, folder):
    """M-4: main has moved, so the merge was tested in the same folder before: the tree there is of what landed, and the test's log stays."""
    lock = folder / "lock"
    line.suite.orchctl("command", "set", project.name, "deploy", f"flock --shared {lock} true")
    line.command("integrity", f"test -e other.txt && git rev-parse HEAD >>{folder}/asked")
    item = line.item()
    to_confirm(line, item)
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line.approve(item)
        line.wait(lambda: line.runs(item, "finalizer"), 90, "the deploy runs")
        project.commit({"other.txt": "x\n", "check.sh": "#!/bin/sh\necho tested >&2\n"}, "Beside us")
    line.wait_stage(item, "done", timeout=120)
    assert (folder / "asked").read_text().split() == [project.head()]
    with open(line.runs(item, "merger")[0]["log"], encoding="ascii") as log:
        assert "tested" in log.read()


@pytest.mark.parametrize("command, reason", [("echo the licence is gone >&2; exit 3", "it exited with 3: the licence is gone"),
                                             ("sleep 600", "it did not end in time")])  # lasts
def test_an_integrity_command_that_fails(make_suite, project, agents, command, reason):
    """M-4: freezes as a mismatch does, and a person decides; nothing is merged again. Also when it does not end."""
    line = Pipeline(make_suite(agent_timeout="3s").start(), project)
    line.command("integrity", command)
    item = line.item()
    to_confirm(line, item)
    line.approve(item)
    check_frozen(line, item, reason)
    assert [e["value"] for e in evidence(line, "merge_verified")] == ["mismatch"]
    line.approve(item)
    line.wait_stage(item, "done", timeout=60)
    assert line.db.value("select count(*) from orch.active_freeze") == 1


def test_a_worker_killed_while_the_integrity_command_runs(line, project, agents, gate):
    """M-4, J-8: whoever goes on finds it merged, and asks again; the merge is one."""
    line.command("integrity", f"flock --shared {gate.path} true")
    item = line.item()
    to_confirm(line, item)
    line.approve(item)
    line.wait(lambda: project.git("log", "--merges", "--format=%s", "main"), 120, "it is merged")
    kill_worker(line.suite)
    gate.open()
    line.wait_stage(item, "done", timeout=120)
    assert len(project.git("log", "--merges", "--format=%s", "main").split("\n")) == 1


def test_two_items_do_not_merge_past_one_another(line, project, agents):
    """M-1, S-14: the second waits for the first, knows for whom, and is then rebased on what the first has merged."""
    line.setting("serial_gate_enabled", "off")
    first, second = line.item("One"), line.item("Two")
    for item in (first, second):
        line.approve_analysis(item)
    holder = line.wait(lambda: next((i for i in (first, second) if line.shown(i) == "awaiting_deploy"), None), 180, "one has the lease")
    other = second if holder == first else first
    line.wait(lambda: line.jobs(other, role="integrator", status="queued"), 120, "the other waits for the lease")
    assert f"{holder} has the merge lease of repo {project.name}" in line.suite.orchctl("why", other).stdout
    line.approve(holder)
    line.wait_stage(holder, "done", timeout=120)
    line.wait_shown(other, "awaiting_deploy", 120)
    assert project.is_ancestor("main", line.task(other)["head_sha"])
    line.approve(other)
    line.wait_stage(other, "done", timeout=120)


def test_nothing_of_a_hostile_tree_runs_at_the_merge_gate(line, project, agents, hostile):
    """M-1, J-2: the agent poisons its own repository and names filters and merge drivers in attributes; main has moved, so
    the branch is rebased, tested and merged. No mark."""
    agents.set("developer", f"cp -r {hostile.mark.parent}/poison/. .git/\nprintf '%s' '{ATTRIBUTES}' >.gitattributes\n"
                            "sed -i 's/^line 2$/line 2 by the branch/' shared.txt\n")
    hostile(hostile.mark.parent / "poison")
    item = line.item()
    with before_the_merge_gate(line, item):
        project.commit({"shared.txt": TEXT.replace("line 29\n", "line 29 by main\n")}, "Main goes on")
    line.wait_shown(item, "awaiting_deploy", 120)
    line.approve(item)
    line.wait_stage(item, "done", timeout=120)
    assert {"line 2 by the branch", "line 29 by main"} <= set(project.read("shared.txt").split("\n"))
    assert not hostile.ran()
