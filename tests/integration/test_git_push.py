"""Pushing what a run left: the guard (C-4), the lease, and answers that were lost."""

import pathlib

import pytest

from support.pieces import BRANCH, Host
from support.project import git


def test_push_again_is_success(host):
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    assert [run.push(sha).outcome for _ in range(2)] == ["pushed", "pushed"]


def test_a_branch_moved_under_us(host, project):
    """Somebody pushes while the agent works: his commit stays."""
    first = host.run()
    first.write("one.txt")
    sha = first.finish()
    second = host.run(epoch=2, head_sha=sha)
    second.write("two.txt")
    theirs = project.commit({"theirs.txt": "x\n"}, "A person's commit", branch=BRANCH)
    answer = second.push(second.commit().sha)
    assert answer.outcome == "moved" and answer.remote_sha == theirs
    assert project.head(BRANCH) == theirs


def test_a_branch_that_appeared_under_us(host, project):
    run = host.run()
    run.write("one.txt")
    project.git("branch", BRANCH, "main")
    assert run.push(run.commit().sha).outcome == "moved"


def test_a_branch_moved_between_the_look_and_the_push(host, project, folder):
    """The lease decides, not the look: a `git` that moves the branch just before it pushes."""
    first = host.run()
    first.write("one.txt")
    sha = first.finish()
    second = host.run(epoch=2, head_sha=sha)
    second.write("two.txt")
    made = second.commit().sha
    theirs = project.commit({"theirs.txt": "x\n"}, "A person's commit", branch="theirs")
    (folder / "bin").mkdir()
    wrapper = folder / "bin/git"
    wrapper.write_text("#!/bin/sh\ncase \" $* \" in *' push '*)\n"
                       f"env -u GIT_DIR /usr/bin/git --git-dir {project.bare} update-ref refs/heads/{BRANCH} {theirs};;\n"
                       "esac\nexec /usr/bin/git \"$@\"\n")
    wrapper.chmod(0o755)
    answer = host.do("push", **second.keys, sha=made, git_path=f"{folder}/bin:/usr/bin:/bin")
    assert answer.outcome == "moved" and answer.remote_sha == theirs
    assert project.head(BRANCH) == theirs


@pytest.mark.parametrize("name", ["main", "MAIN", "HEAD", "refs/heads/main", "../main", "main:main", "x..y", "-d", ""])
def test_the_default_branch_is_never_pushed_to(host, project, name):
    """C-4: refused before anything is sent; the same for names that mean it in another way."""
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    before = project.head()
    answer = host.do("push", **{**run.keys, "branch": name, "sha": sha, "head_sha": before})
    assert answer.outcome == "refused"
    assert host.do("push", **{**run.keys, "branch": name, "sha": None, "head_sha": before}).outcome == "refused"
    assert project.head() == before


def test_push_refused_by_the_remote(host, project):
    hook = project.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    run = host.run()
    run.write("x")
    assert run.push(run.commit().sha).outcome == "refused"


def test_push_to_a_remote_that_is_away(host, project):
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    project.bare.rename(f"{project.bare}.away")
    assert run.push(sha).outcome == "unavailable"
    pathlib.Path(f"{project.bare}.away").rename(project.bare)
    assert run.push(sha).outcome == "pushed"


def test_a_push_that_hangs_is_unknown_until_looked_at(host, project):
    """The remote accepts and then says nothing for too long. Its branch is not there yet: perhaps it will be."""
    hook = project.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec sleep infinity\n")
    hook.chmod(0o755)
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    assert host.do("push", sha=sha, timeout_ms=5000, **run.keys).outcome == "unknown"
    hook.unlink()
    assert run.push(sha).outcome == "pushed"


def test_a_push_whose_answer_was_lost_is_found_at_once(host, project):
    """The remote moves its branch and then does not answer."""
    hook = project.bare / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec sleep infinity\n")
    hook.chmod(0o755)
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    assert host.do("push", sha=sha, timeout_ms=5000, **run.keys).outcome == "pushed"


def test_the_commit_of_an_earlier_life_is_found(host, folder, project):
    """Pushed, and everything after it lost, the host included."""
    first = host.run(job=5, epoch=2)
    first.write("x")
    made = first.commit()
    first.push(made.sha)
    other = Host(folder / "other", project)
    other.must("mirror")
    found = other.must("find", job=5, epoch=3, role="developer")
    assert found.sha == made.sha and found.epoch == "2" and found.changed == "1"
    assert (found.parent, found.tree, found.code_tree) == (made.parent, made.tree, made.code_tree)
    assert other.do("find", job=6, epoch=3, role="developer").outcome == "nothing"
    assert other.do("find", job=55, epoch=3, role="developer").outcome == "nothing"
    assert other.do("find", job=5, epoch=3, role="reviewer").outcome == "nothing"
    assert other.do("find", job=5, epoch=3, branch="feature/none").outcome == "nothing"


def test_what_a_failed_run_left_is_kept_in_the_mirror(host, project):
    run = host.run(job=5, epoch=2)
    run.write("half-done.c")
    sha = run.commit().sha
    host.must("mirror")
    assert git("--git-dir", host.mirror, "rev-parse", "refs/orch/runs/5-2") == sha
    assert BRANCH not in project.branches()
