"""The tree of a run: where it starts, what is taken out before, and how it is removed."""

import os
import shutil
import subprocess

import pytest

from support.paths import program, program_env
from support.pieces import BRANCH, DOCS, Answer
from support.project import git


def test_deferred_cut_is_of_the_newest_default_branch(host, project):
    """P-8: the branch is cut when the job is claimed, and contains what its predecessor has merged by then."""
    host.must("mirror")
    newest = project.commit({"merged.txt": "by the predecessor\n"}, "Merge the predecessor")
    run = host.run(role="analyst", stage="analysis")
    assert run.prepared.start_sha == run.prepared.base_sha == newest
    assert (run.tree / "merged.txt").exists()
    assert git("symbolic-ref", "--short", "HEAD", cwd=run.tree) == BRANCH


def test_later_runs_start_where_the_branch_is(host, project):
    first = host.run()
    first.write("one.txt")
    sha = first.finish()
    project.commit({"other.txt": "main goes on\n"}, "Other")
    second = host.run(epoch=2, head_sha=sha)
    assert second.prepared.start_sha == sha
    assert second.prepared.base_sha == first.prepared.start_sha
    assert (second.tree / "one.txt").exists() and not (second.tree / "other.txt").exists()


def test_a_branch_moved_by_others_is_noticed_before_the_run(host, project):
    first = host.run()
    first.write("one.txt")
    sha = first.finish()
    theirs = project.commit({"theirs.txt": "x\n"}, "A person's commit", branch=BRANCH)
    host.must("mirror")
    answer = host.do("prepare", epoch=2, head_sha=sha)
    assert answer.outcome == "moved" and answer.head_sha == theirs
    assert host.do("prepare", epoch=3).outcome == "moved"


def test_the_agents_clone_cannot_push(host, project):
    run = host.run()
    done = subprocess.run(["git", "push", "origin", "HEAD:refs/heads/main"], cwd=run.tree, stderr=subprocess.DEVNULL)
    assert done.returncode != 0


def test_checkout_for_the_projects_command(host, project):
    first = host.run()
    first.write("one.txt")
    sha = first.finish()
    host.must("mirror")
    answer = host.must("prepare", epoch=2, sha=sha, head_sha=sha)
    assert answer.start_sha == sha
    assert (host.state / "runs/1-2/tree/one.txt").exists()


def test_a_former_verdict_is_taken_out_before_the_run(host, project):
    """P-4: a verdict is there after a run only if that run wrote it."""
    project.commit({f"{DOCS}/12-review.md": "---\nverdict: APPROVED\n---\n"}, "Somebody's verdict")
    run = host.run(role="reviewer", stage="review")
    assert not (run.tree / DOCS / "12-review.md").exists()
    assert run.verdict(run.commit().sha).outcome == "absent"
    again = host.run(role="reviewer", stage="review", epoch=2)
    again.write(f"{DOCS}/12-review.md", "---\nverdict: APPROVED\n---\n")
    assert again.verdict(again.commit().sha).outcome == "ok"


def test_a_former_verdict_behind_a_symbolic_link_is_left_alone(host, project, folder):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "12-review.md").write_text("keep")
    os.symlink(outside, project.work / "link")
    project.commit({"x": "x"}, "A link")
    run = host.run(role="reviewer", stage="review", docs_dir="link")
    assert (outside / "12-review.md").read_text() == "keep"
    assert run.prepared.outcome == "ok"


# --- removal -------------------------------------------------------------------------------------------------


NOBODY = 65534


def remove_as(user, folder, path):
    """The probe as another user, to whom modes mean something."""
    probe = shutil.copy(program("tests/integration/git_probe"), folder / "probe")
    folder.chmod(0o711)
    done = subprocess.run([probe, "remove", f"path={path}"], user=user, group=user, extra_groups=[], env=program_env(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return Answer(done.stdout)


def make_hostile_tree(top, outside):
    (top / "a/b/c").mkdir(parents=True)
    for i in range(700):
        (top / f"a/file-{i}").write_text("x")
    os.symlink(outside, top / "a/link")
    os.symlink(outside / "precious", top / "file-link")
    os.symlink("/", top / "root")
    os.mkfifo(top / "a/b/fifo")
    (top / ".removing-0").mkdir()
    (top / ".removing-0/full").write_text("x")
    (top / ".removing-1").write_text("x")
    (top / "a/b/c/file").write_text("x")
    (top / "a/b/c").chmod(0)
    (top / "a/b").chmod(0o500)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_hostile_tree_is_removed_by_its_owner(folder):
    """Folders that he has closed to himself are no obstacle; those of others are, and stay."""
    (folder / "outside").mkdir(mode=0o777)
    (folder / "outside/precious").write_text("x")
    (folder / "runs").mkdir()
    os.chown(folder / "runs", NOBODY, NOBODY)
    top = folder / "runs/run"
    make_hostile_tree(top, folder / "outside")
    subprocess.run(["chown", "-hR", str(NOBODY), top], check=True)
    assert remove_as(NOBODY, folder, top).r == "0"
    assert not top.exists() and (folder / "outside/precious").exists()
    (top / "theirs").mkdir(parents=True)
    (top / "theirs/file").write_text("x")
    os.chown(top, NOBODY, NOBODY)
    assert remove_as(NOBODY, folder, top).r != "0"


def test_a_hostile_tree_is_removed_and_nothing_else(host, folder):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    top = folder / "run"
    make_hostile_tree(top, outside)
    assert host.do("remove", path=top).r == "0"
    assert not top.exists() and (outside / "precious").read_text() == "x"


def test_a_very_deep_tree_is_removed(host, folder):
    """Deeper than any path can name."""
    top = folder / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d" * 50, dir_fd=here)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert host.do("remove", path=top).r == "0"
    assert not top.exists()


def test_removing_what_is_not_there_or_is_a_link(host, folder):
    assert host.do("remove", path=folder / "none").r == "0"
    (folder / "target").mkdir()
    os.symlink(folder / "target", folder / "link")
    assert host.do("remove", path=folder / "link").r != "0"
    assert (folder / "target").exists()
