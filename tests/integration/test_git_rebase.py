"""The branch is rebased in the mirror, without a working tree (M-1); nothing of the branch can run."""

import pytest

from support.hostile import ATTRIBUTES
from support.pieces import BRANCH, mirror_files, show
from support.project import git

LINES = "".join(f"line {n}\n" for n in range(1, 41))


@pytest.fixture
def branch(host, project):
    """Two commits of two jobs; the head."""
    project.commit({"shared.txt": LINES}, "A file that both sides change")
    one = host.run(job=1)
    one.write("shared.txt", LINES.replace("line 2\n", "line 2 by the branch\n"))
    first = one.finish()
    two = host.run(job=2, role="tester", stage="testing", head_sha=first)
    two.write("docs/work-items/ORCH-1/13-test-report.md", "---\nresult: PASS\n---\n")
    return two.finish()


def rebase(host, head, **keys):
    host.must("mirror")
    return host.do("rebase", head_sha=head, **keys)


def test_a_branch_that_is_up_to_date_stays(host, project, branch):
    """M-1: a no-op, with either setting."""
    for always in ("on", "off"):
        answer = rebase(host, branch, always=always)
        assert (answer.outcome, answer.sha, answer.changed) == ("ok", branch, "0")
        assert (answer.head_sha, answer.base_sha) == (branch, project.head())


@pytest.mark.parametrize("always", ["on", "off"])
def test_each_commit_is_put_on_the_new_base(host, project, branch, always):
    """M-1, P-7: content of both sides; each commit keeps message, trailers, author and date."""
    base = project.commit({"shared.txt": LINES.replace("line 39\n", "line 39 by main\n"), "other.txt": "x\n"}, "Main goes on")
    answer = rebase(host, branch, always=always)
    assert (answer.outcome, answer.changed, answer.base_sha) == ("ok", "1", base)
    text = show(host, f"{answer.sha}:shared.txt")
    assert "line 2 by the branch" in text and "line 39 by main" in text
    assert "other.txt" in mirror_files(host, answer.sha)
    what = "--format=%an %ae %at %s %(trailers:only,separator=%x2C) %ct"
    mine = git("--git-dir", host.mirror, "log", what, f"{base}..{answer.sha}")
    assert mine == git("--git-dir", host.mirror, "log", what, f"{base}..{branch}") and mine.count("Orch-Job") == 2
    assert git("--git-dir", host.mirror, "log", "--format=%P", "--reverse", f"{base}..{answer.sha}").split()[0] == base
    assert project.head(BRANCH) == branch  # pushing is another step
    kept = {ref: git("--git-dir", host.mirror, "rev-parse", f"refs/orch/{ref}/1-1") for ref in ("runs", "replaced")}
    assert kept == {"runs": answer.sha, "replaced": branch}


def test_the_same_on_any_host_at_any_time(host, project, branch, folder):
    """M-1: what is made depends on branch and base alone, so a push that is repeated finds itself done."""
    project.commit({"other.txt": "x\n"}, "Main goes on")
    first = rebase(host, branch)
    elsewhere = type(host)(folder / "other-host", project)
    assert rebase(elsewhere, branch, job=9, epoch=4).sha == first.sha
    pushed = host.do("push", sha=first.sha, head_sha=branch)
    assert pushed.outcome == "pushed"
    assert elsewhere.do("push", sha=first.sha, head_sha=branch).outcome == "pushed"
    assert project.head(BRANCH) == first.sha


def test_a_conflict_names_commit_and_files(host, project, branch):
    """M-2: and nothing is changed or kept."""
    project.commit({"shared.txt": LINES.replace("line 2\n", "line 2 by main\n")}, "The same line")
    answer = rebase(host, branch)
    assert answer.outcome == "conflict" and "developer: ORCH-1" in answer.error and answer.error.endswith("conflicts in: shared.txt")
    assert project.head(BRANCH) == branch
    assert not git("--git-dir", host.mirror, "for-each-ref", "refs/orch/replaced")


def test_a_branch_that_somebody_else_has_moved_or_deleted(host, project, branch):
    """P-5: it is not ours to rewrite; what we had pushed is in the mirror for whoever looks for it."""
    foreign = project.commit({"mine.txt": "x\n"}, "A person's commit", branch=BRANCH)
    answer = rebase(host, branch)
    assert (answer.outcome, answer.head_sha) == ("moved", foreign) and "pushed" in answer.error
    assert rebase(host, branch, pushing=f"{{{foreign}}}").outcome == "ok"  # we were about to, when the worker was lost
    project.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    answer = rebase(host, branch)
    assert (answer.outcome, answer.head_sha) == ("moved", "") and "deleted" in answer.error
    assert git("--git-dir", host.mirror, "rev-parse", "refs/orch/runs/2-1") == branch


def test_a_branch_that_is_merged_already(host, project, branch):
    assert host.do("merge", sha=branch).outcome == "merged"
    assert rebase(host, branch).outcome == "merged"


def test_merge_commits_are_not_ours(host, project, branch):
    """A branch that is not behind may have them, unless it is always to be rebased."""
    project.commit({"other.txt": "x\n"}, "Main goes on")
    git("fetch", "--quiet", "origin", cwd=project.work)
    git("checkout", "--quiet", "-B", "merging", branch, cwd=project.work)
    git("merge", "--quiet", "--no-edit", "origin/main", cwd=project.work)
    git("push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}", cwd=project.work)
    head = project.head(BRANCH)
    assert rebase(host, head, always="off").changed == "0"
    answer = rebase(host, head)
    assert answer.outcome == "refused" and "merges" in answer.error


def test_a_change_that_somebody_squashed_onto_main_beside_us(host, project, branch):
    """An old state of the branch is on main as another commit: ours becomes empty and is kept, nothing conflicts."""
    project.commit({"shared.txt": LINES.replace("line 2\n", "line 2 by the branch\n")}, "Squashed")
    answer = rebase(host, branch)
    assert answer.outcome == "ok" and show(host, f"{answer.sha}:shared.txt").count("by the branch") == 1
    assert len(git("--git-dir", host.mirror, "log", "--format=%H", f"{answer.base_sha}..{answer.sha}").split()) == 2


def test_odd_messages_and_names_are_replayed(host, project):
    run = host.run(title="Ünïcode — “quotes” $(touch x) `y` \\n")
    run.write("name with\nnewline")
    run.write("-rf")
    head = run.finish()
    project.commit({"other.txt": "x\n"}, "Main goes on")
    answer = rebase(host, head)
    assert show(host, "-s", "--format=%B", answer.sha) == show(host, "-s", "--format=%B", head)
    assert git("--git-dir", host.mirror, "diff-tree", answer.base_sha, answer.sha) == \
        git("--git-dir", host.mirror, "diff-tree", f"{head}^", head)


def test_nothing_of_the_branch_or_the_trees_runs_anything(host, project, hostile):
    """Attributes in the branch name filters and merge drivers; the agent's tree, and even our mirror's configuration, say
    what these are."""
    project.commit({"shared.txt": LINES}, "A file that both sides change")
    run = host.run()
    hostile(run.tree / ".git")
    run.write(".gitattributes", ATTRIBUTES)
    run.write("shared.txt", LINES.replace("line 2\n", "line 2 by the branch\n"))
    head = run.finish()
    project.commit({"shared.txt": LINES.replace("line 39\n", "line 39 by main\n"), ".gitattributes": ATTRIBUTES}, "Main goes on")
    host.must("mirror")
    hostile(host.mirror)
    answer = host.do("rebase", head_sha=head)
    assert answer.outcome == "ok" and answer.changed == "1"
    assert host.do("push", sha=answer.sha, head_sha=head).outcome == "pushed"
    assert host.do("prepare", sha=answer.sha, epoch=2).outcome == "ok"
    assert not hostile.ran()


def test_git_that_fails_says_so(host, project, branch):
    assert host.do("rebase", head_sha=branch, repo="none").outcome == "failed"
