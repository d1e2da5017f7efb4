"""What comes between the last test and the merge (M-1, M-2, M-4, R-6): forge, branch and default branch, each at the worst moment."""

import contextlib
import fcntl
import shutil

import pytest

from support.agents import BODIES
from support.pipeline import Pipeline, away, intents_away

TEXT = "".join(f"line {n}\n" for n in range(1, 31))


@pytest.fixture
def line(suite, project, agents):
    """The developer changes line 2 of a file."""
    project.commit({"shared.txt": TEXT}, "A file that both sides change")
    agents.set("developer", "sed -i 's/^line 2$/line 2 by the branch/' shared.txt\n" + BODIES["developer"])
    return Pipeline(suite, project, job_backoff_s=0)


def evidence(line, gate):
    return line.db.query("select value, sha, base_sha, detail ->> 'reason' as reason from orch.evidence where gate = %s order by id", gate)


@contextlib.contextmanager
def deploying(line, folder):
    """An item whose deploy runs as long as this lasts."""
    lock = folder / "deploying"
    line.suite.orchctl("command", "set", line.project.name, "deploy", f"flock --shared {lock} true")
    item = line.item()
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy", 120)
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line.approve(item)
        line.wait(lambda: line.runs(item, "finalizer"), 90, "the deploy runs")
        yield item


@contextlib.contextmanager
def before_the_merge(line, folder):
    """An item that is deployed; the merger has looked at what it would merge, and has not asked the forge yet."""
    with contextlib.ExitStack() as stack:
        with deploying(line, folder) as item:
            mark = line.suite.log.mark()
            stack.enter_context(intents_away(line.db, "merge"))
        line.wait(lambda: line.runs(item, "merger"), 60, "the merger runs")
        line.suite.log.wait("job.retry", since=mark, timeout=60, what="claim check", job=str(line.jobs(item, role="merger")[0]["id"]))
        yield item


def check_done(line, item):
    """Merged once, and verified."""
    line.wait_stage(item, "done", timeout=120)
    assert len(line.project.git("log", "--merges", "--format=%H", "main").split()) == 1
    assert evidence(line, "merge_verified")[-1]["value"] == "merged"
    assert "line 2 by the branch" in line.project.read("shared.txt").split("\n")


def test_the_forge_is_away_at_the_merge(line, project, folder):
    """M-4, R-6: asked again until it answers; nothing burnt, nothing twice."""
    gone = project.bare.with_name("gone.git")
    with before_the_merge(line, folder) as item:
        mark = line.suite.log.mark()
        project.bare.rename(gone)
    try:
        line.suite.log.wait("job.retry", since=mark, timeout=60, what="merge")
    finally:
        gone.rename(project.bare)
    check_done(line, item)
    assert [r["outcome"] for r in line.runs(item, "merger")] == ["success"]


def test_the_base_moves_at_the_last_instant(line, project, folder):
    """M-1: the forge does not merge into what nobody has tested; it is tested, and then it lands."""
    with before_the_merge(line, folder) as item:
        base = project.commit({"other.txt": "x\n"}, "Beside us")
    check_done(line, item)
    assert [r["outcome"] for r in line.runs(item, "merger")] == ["base-moved", "success"]
    assert project.git("rev-parse", "main^1") == base and evidence(line, "merge_ready")[-1]["base_sha"] == base


@pytest.mark.parametrize("how", ["pushed", "deleted"])
def test_the_branch_goes_at_the_last_instant(line, project, folder, how):
    """P-5, M-4: what was tested is not there to be merged: escalated, main untouched; put back, it goes on."""
    with before_the_merge(line, folder) as item:
        branch, base = line.task(item)["branch"], project.head()
        head = project.head(branch)
        if how == "pushed":
            project.commit({"untested.txt": "x\n"}, "Untested", branch=branch)
        else:
            project.git("update-ref", "-d", f"refs/heads/{branch}")
    reason = line.wait_escalated(item, 90)
    assert ("not at the expected head" if how == "pushed" else "does not exist") in reason
    assert project.head() == base
    project.git("update-ref", f"refs/heads/{branch}", head)
    line.suite.orchctl("retry", item)
    check_done(line, item)


def test_a_conflict_that_comes_during_the_deploy(line, project, folder):
    """M-2, P-5: what is deployed does not merge any more: the developer is told which files; main is untouched."""
    with deploying(line, folder) as item:
        base = project.commit({"shared.txt": TEXT.replace("line 2\n", "line 2 by main\n")}, "The same line")
    line.wait(lambda: "development" in line.stages(item)[4:], 120, "the item is sent back")
    failed = evidence(line, "merge_verified")[-1]
    assert failed["value"] == "failed" and failed["reason"].endswith("conflicts in: shared.txt")
    assert project.head() == base
    line.cancel(item)
    line.wait_stage(item, "cancelled", timeout=90)


def test_what_would_land_is_red(line, project, folder):
    """M-1, M-2: deployed and main are each green, together they are red: nothing lands."""
    with deploying(line, folder) as item:
        base = project.commit({"check.sh": "#!/bin/sh\n! grep 'by the branch' shared.txt\n"}, "A stricter test")
    line.wait(lambda: "development" in line.stages(item)[4:], 120, "the item is sent back")
    failed = evidence(line, "merge_verified")[-1]
    assert failed["value"] == "failed" and "merged with main, which has moved, it fails" in failed["reason"]
    assert project.head() == base
    line.cancel(item)
    line.wait_stage(item, "cancelled", timeout=90)


def test_the_base_moves_while_what_would_land_is_tested(line, project, folder):
    """M-1: then that is worth nothing either; again, on what is there now."""
    tests, begun = folder / "tests", folder / "begun"
    line.suite.orchctl("command", "set", project.name, "retest", f"echo >>{begun}; flock --shared {tests} true")
    with open(tests, "w", encoding="ascii") as held:
        with deploying(line, folder) as item:
            begun.write_text("")
            fcntl.flock(held, fcntl.LOCK_EX)
            project.commit({"one.txt": "x\n"}, "Beside us")
        line.wait(begun.read_text, 60, "what would land is tested")
        base = project.commit({"two.txt": "x\n"}, "And again")
    check_done(line, item)
    assert [r["outcome"] for r in line.runs(item, "merger")] == ["base-moved", "success"]
    assert project.git("rev-parse", "main^1") == base


def test_a_head_that_is_nowhere_any_more(line, project, folder):
    """P-5: branch and mirror are lost after the deploy: a person is told; there is nothing to be merged by guess."""
    with contextlib.ExitStack() as stack:
        with deploying(line, folder) as item:
            stack.enter_context(away(line.db, "job_claim"))
        line.wait_run(item, "finalizer")
        branch, base = line.task(item)["branch"], project.head()
        project.git("update-ref", "-d", f"refs/heads/{branch}")
        shutil.rmtree(line.suite.folder / "state/mirrors" / f"{project.name}.git")
    assert "not in the repository any more" in line.wait_escalated(item, 90)
    assert project.head() == base and line.stage(item) == "deploy"


# --- before the deploy: the integrator ------------------------------------------------------------------------------

@contextlib.contextmanager
def before_the_push(line):
    """An item that was rebased, since main has gone on; the integrator has not pushed it yet."""
    item = line.item()
    line.suite.orchctl("limit", "set", "role", "integrator", "0")
    line.approve_analysis(item)
    line.wait(lambda: line.jobs(item, role="integrator", status="queued"), 120, "it is the integrator's turn")
    line.project.commit({"other.txt": "x\n"}, "Main goes on")
    mark = line.suite.log.mark()
    with intents_away(line.db, "integrate"):
        line.suite.orchctl("limit", "remove", "role", "integrator")
        line.wait(lambda: line.runs(item, "integrator"), 60, "the integrator runs")
        line.suite.log.wait("job.retry", since=mark, timeout=60, what="claim check", job=str(line.jobs(item, role="integrator")[0]["id"]))
        yield item


def refuse_pushes(project):
    hook = project.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'no space for you' >&2\nexit 1\n")
    hook.chmod(0o755)
    return hook


def test_the_forge_refuses_the_rebased_branch(line, project):
    """M-1, P-5: a person is told what the forge says; once it takes it, the item goes on where it was."""
    with before_the_push(line) as item:
        head, hook = line.task(item)["head_sha"], refuse_pushes(project)
    assert "no space for you" in line.wait_escalated(item, 90)
    assert project.head(line.task(item)["branch"]) == head and line.stage(item) == "deploy-staging"
    hook.unlink()
    line.suite.orchctl("retry", item)
    line.wait_shown(item, "awaiting_deploy", 120)


def test_the_forge_is_away_at_the_push(line, project):
    """M-1, I-7: tried again; pushed once."""
    gone = project.bare.with_name("gone.git")
    with before_the_push(line) as item:
        mark = line.suite.log.mark()
        project.bare.rename(gone)
    try:
        line.suite.log.wait("job.retry", since=mark, timeout=60, what="push")
    finally:
        gone.rename(project.bare)
    line.wait_shown(item, "awaiting_deploy", 120)
    assert [r["outcome"] for r in line.runs(item, "integrator")] == ["success"]


def test_somebody_pushes_right_before_us(line, project):
    """M-1, P-5: their work is not written over: a person is told."""
    with before_the_push(line) as item:
        branch = line.task(item)["branch"]
        theirs = project.commit({"theirs.txt": "x\n"}, "By hand", branch=branch)
    assert "somebody else has pushed" in line.wait_escalated(item, 90)
    assert project.head(branch) == theirs


def test_another_history_in_place_of_main(line, project):
    """M-1: nothing in common with the branch: nothing is rebased by guess, a person is told."""
    item = line.item()
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy", 120)
    orphan = project.git("commit-tree", "main^{tree}", "-m", "Begin anew")
    project.git("update-ref", "refs/heads/main", orphan)
    line.approve(item)
    assert "no commit in common" in line.wait_escalated(item, 120)
    assert project.head() == orphan
