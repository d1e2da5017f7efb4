"""The forge that is a bare repository: merge by compare-and-swap, deletion (C-4)."""

import subprocess

import pytest

from support.paths import program_env
from support.pieces import BRANCH, Answer


@pytest.fixture
def branch(host):
    run = host.run()
    run.write("feature.c")
    return run.finish()


def test_merge_lands_exactly_the_expected_head(host, project, branch):
    base = project.commit({"other.txt": "x\n"}, "Main goes on")
    answer = host.do("merge", sha=branch, message="Merge ORCH-1")
    assert (answer.outcome, answer.port, answer.base_sha) == ("merged", "ok", base)
    assert project.head() == answer.merged_sha
    assert project.git("rev-parse", "main^1", "main^2", "main^{tree}").split() == [base, branch, answer.tree]
    assert {"feature.c", "other.txt"} <= set(project.files())


def test_merge_again_is_found_done(host, project, branch):
    """An answer that was lost: ask again. Also when the branch is gone and main has gone on."""
    first = host.do("merge", sha=branch)
    project.commit({"later.txt": "x\n"}, "Later")
    for _ in range(2):
        again = host.do("merge", sha=branch)
        assert again.outcome == "already-merged"
        assert (again.merged_sha, again.base_sha, again.tree) == (first.merged_sha, first.base_sha, first.tree)
        assert host.do("delete").outcome == "ok"


def test_merge_of_a_conflict_changes_nothing(host, project, branch):
    base = project.commit({"feature.c": "something else\n"}, "The same file")
    answer = host.do("merge", sha=branch)
    assert answer.outcome == "conflict" and "feature.c" in answer.error and project.head() == base


def test_merge_of_another_head_than_expected(host, project, branch):
    base = project.head()
    project.commit({"more.txt": "x\n"}, "Untested", branch=BRANCH)
    assert host.do("merge", sha=branch).outcome == "moved"
    assert project.head() == base


def test_merge_without_branch_or_forge(host, project, branch):
    assert host.do("merge", sha=branch, branch="feature/none").outcome == "not-found"
    assert host.do("merge", sha=branch, location="/nonexistent").outcome == "unavailable"


def test_two_merges_at_once_both_land_or_say_so(host, project):
    """Compare-and-swap on the ref: nobody's merge is lost."""
    shas = {}
    for job in range(1, 5):
        run = host.run(job=job, branch=f"feature/{job}")
        run.write(f"file-{job}")
        shas[job] = run.finish()
    waiting = dict(shas)
    while waiting:
        processes = {job: subprocess.Popen(host.args("merge", sha=sha, branch=f"feature/{job}"), env=program_env(),
                                           stdout=subprocess.PIPE, text=True) for job, sha in waiting.items()}
        outcomes = {job: Answer(p.communicate(timeout=60)[0]).outcome for job, p in processes.items()}
        assert set(outcomes.values()) <= {"merged", "unavailable"} and "merged" in outcomes.values()
        waiting = {job: sha for job, sha in waiting.items() if outcomes[job] != "merged"}
    assert {f"file-{job}" for job in shas} <= set(project.files())


def test_delete_of_a_branch(host, project, branch):
    """C-4: a branch already gone counts as deleted; the default branch is not touched."""
    assert host.do("head").sha == branch
    assert host.do("delete").outcome == "ok"
    assert BRANCH not in project.branches()
    assert host.do("delete").outcome == "ok"
    assert host.do("head").outcome == "not-found"
    for name in ("main", "Main", "HEAD", "refs/heads/main"):
        assert host.do("delete", branch=name).outcome == "guarded"
    assert host.do("delete", location="/nonexistent").outcome == "unavailable"
    assert "main" in project.branches()


def test_delete_that_the_forge_refuses(host, project, branch):
    """C-4: it says so; the branch is there."""
    hook = project.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    answer = host.do("delete")
    assert answer.outcome == "refused" and "protected" in answer.error
    assert project.head(BRANCH) == branch
