"""Before a merge and after it (M-4): what would land, what has landed, and whether it is still there."""

import pytest

from support.pieces import BRANCH, DOCS
from support.project import git


@pytest.fixture
def branch(host):
    run = host.run()
    run.write("feature.c", "feature\n")
    run.write("README.md", "# Changed by the branch\n")
    return run.finish()


def look(host, head, **keys):
    host.must("mirror")
    return host.do("look", head_sha=head, **keys)


def merge(host, head, **keys):
    answer = host.do("merge", sha=head, **keys)
    assert answer.outcome in ("merged", "already-merged")
    return {"head_sha": head, "merged_sha": answer.merged_sha, "landed_base": answer.base_sha, "landed_tree": answer.tree}


def verify(host, landed, **keys):
    host.must("mirror")
    return host.do("verify", **{**landed, **keys})


def test_a_base_that_was_tested_is_merged_into(host, project, branch):
    """M-4, M-1: and what is merged is verified."""
    base = project.head()
    assert look(host, branch, tested_base=base).outcome == "ready"
    landed = merge(host, branch, base_sha=base)
    assert verify(host, landed, tested_base=base, deployed=branch, markers="README.md:Changed\nfeature.c").outcome == "verified"
    assert look(host, branch, tested_base=base).outcome == "merged"


def test_a_base_that_moved_at_the_last_instant_is_not_merged_into(host, project, branch):
    """M-1: the forge names the base it merges into; what would land is given to be tested."""
    tested = project.head()
    moved = project.commit({"other.txt": "x\n"}, "Main goes on")
    answer = host.do("merge", sha=branch, base_sha=tested)
    assert (answer.outcome, answer.base_sha, answer.port) == ("base-moved", moved, "conflict") and project.head() == moved
    found = look(host, branch, tested_base=tested)
    assert (found.outcome, found.base_sha) == ("untested", moved)
    assert git("--git-dir", host.mirror, "rev-parse", f"{found.candidate}^1", f"{found.candidate}^2").split() == [moved, branch]
    assert look(host, branch, tested_base=tested, job=7).candidate == found.candidate
    landed = merge(host, branch, base_sha=moved)
    assert git("--git-dir", host.mirror, "rev-parse", f"{found.candidate}^{{tree}}") == landed["landed_tree"]
    assert verify(host, landed, tested_base=moved).outcome == "verified"


def test_a_base_that_moved_into_a_conflict(host, project, branch):
    """M-2"""
    tested = project.head()
    project.commit({"README.md": "# Changed by main\n"}, "The same file")
    found = look(host, branch, tested_base=tested)
    assert found.outcome == "conflict" and found.error.endswith("conflicts in: README.md")


def test_a_head_that_is_gone(host, project, branch, folder):
    """P-5: on a host that has never seen it."""
    project.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    elsewhere = type(host)(folder / "other-host", project)
    assert look(elsewhere, branch).outcome == "gone"
    assert look(host, branch, tested_base=project.head()).outcome == "ready"  # the forge will say that the branch is gone


def test_a_merge_on_another_base_than_the_tested_one_is_a_mismatch(host, project, branch):
    """M-4: somebody merged it by hand, with what nobody has tested."""
    tested = project.head()
    project.commit({"other.txt": "x\n"}, "Main goes on")
    landed = merge(host, branch)
    answer = verify(host, landed, tested_base=tested)
    assert answer.outcome == "mismatch" and "not the merge of" in answer.error and tested in answer.error


def test_what_runs_in_production_is_not_in_the_default_branch(host, project, branch):
    """M-4"""
    base = project.head()
    stray = host.run(job=5, branch="feature/stray")
    stray.write("stray.c")
    deployed = stray.finish()
    answer = verify(host, merge(host, branch), tested_base=base, deployed=deployed)
    assert answer.outcome == "mismatch" and "the deployed commit" in answer.error
    assert verify(host, merge(host, branch), tested_base=base, deployed="0" * 40).outcome == "mismatch"


def test_a_stale_squash_beside_us_is_found(host, project, branch):
    """M-4: somebody's tree, made of an old state, lands right after ours: no conflict, and our work is gone."""
    base = project.head()
    landed = merge(host, branch)
    stale = project.git("commit-tree", f"{base}^{{tree}}", "-p", project.head(), "-m", "Squashed from an old state")
    project.git("update-ref", "refs/heads/main", stale)
    answer = verify(host, landed, tested_base=base)
    assert answer.outcome == "mismatch" and "takes back" in answer.error and stale in answer.error


def test_work_that_lands_after_ours_is_no_mismatch(host, project, branch):
    """M-4: also when it changes the same files."""
    base = project.head()
    landed = merge(host, branch)
    project.commit({"README.md": "# Changed again\n", "later.txt": "x\n"}, "Later")
    assert verify(host, landed, tested_base=base).outcome == "verified"


@pytest.mark.parametrize("marker, why", [
    ("README.md:Changed by", None), ("README.md:changed by", "any more"), ("README.md:C.anged", "any more"),
    ("none.md:x", "any more"), ("feature.c", None), ("none.c", "any more"), ("README.md:-e x", "any more"),
    ("*.md:Changed", "any more"), (":(glob)*:x", "names no file")])
def test_markers(host, project, branch, marker, why):
    """M-4: plain text in a plain path of the default branch."""
    answer = verify(host, merge(host, branch), tested_base=None, markers=f"feature.c:feature\n{marker}\n")
    assert answer.outcome == ("mismatch" if why else "verified"), answer.error
    assert not why or why in answer.error


def test_a_marker_with_attributes_that_name_a_program(host, project, hostile):
    project.commit({".gitattributes": "* diff=evil filter=evil textconv\n"}, "Attributes")
    run = host.run()
    run.write(f"{DOCS}/notes.md", "needle\n")
    head = run.finish()
    landed = merge(host, head)
    host.must("mirror")
    hostile(host.mirror)
    assert host.do("verify", **landed, markers=f"{DOCS}/notes.md:needle").outcome == "verified"
    assert host.do("look", head_sha=head).outcome == "merged"
    assert not hostile.ran()


def test_a_repository_that_cannot_be_read(host, branch):
    assert host.do("look", head_sha=branch, repo="none").outcome == "failed"
    assert host.do("verify", head_sha=branch, repo="none").outcome == "unknown"
