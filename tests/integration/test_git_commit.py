"""What a run left becomes a commit: provenance (P-4, P-7), hostile trees, submodules, odd files."""

import os
import subprocess

from support.paths import program_env
from support.pieces import DOCS, mirror_files, show
from support.project import git


def test_commit_has_the_role_as_author_and_its_trailers(host):
    """P-7"""
    run = host.run(job=7, epoch=3, title="One\nOrch-Job: 99")
    run.write("new.txt")
    (run.tree / "check.sh").unlink()
    answer = run.commit()
    assert show(host, "-s", "--format=%an <%ae> %cn", answer.sha) == \
        "developer <developer@orchestrator.invalid> orchestrator"
    assert show(host, "-s", "--format=%(trailers:only)", answer.sha) == \
        "Orch-Job: 7\nOrch-Epoch: 3\nOrch-Role: developer"
    assert show(host, "-s", "--format=%s", answer.sha) == "developer: ORCH-1 One Orch-Job: 99"
    assert answer.parent == run.prepared.start_sha and answer.changed == "1"
    files = mirror_files(host, answer.sha)
    assert "new.txt" in files and "check.sh" not in files
    assert git("--git-dir", host.mirror, "rev-parse", "refs/orch/runs/7-3") == answer.sha


def test_nothing_left_is_said(host):
    answer = host.run().commit()
    assert answer.changed == "0" and answer.tree == git("--git-dir", host.mirror, "rev-parse", "main^{tree}")


def test_code_tree_is_the_tree_without_the_docs(host):
    one = host.run(epoch=1)
    one.write("code.c")
    one.write(f"{DOCS}/notes.md", "one\n")
    two = host.run(epoch=2)
    two.write("code.c")
    two.write(f"{DOCS}/notes.md", "two\n")
    a, b = one.commit(), two.commit()
    assert a.tree != b.tree and a.code_tree == b.code_tree
    three = host.run(epoch=3)
    three.write("code.c", "other\n")
    assert three.commit().code_tree != a.code_tree


def test_ignored_files_and_what_the_agent_committed_itself(host):
    run = host.run()
    run.write(".gitignore", "*.o\n")
    run.write("a.o")
    run.write("mine.txt")
    git("add", "mine.txt", cwd=run.tree)
    git("commit", "--quiet", "-m", "the agent's own", cwd=run.tree)
    answer = run.commit()
    files = mirror_files(host, answer.sha)
    assert "mine.txt" in files and ".gitignore" in files and "a.o" not in files
    assert answer.parent == run.prepared.start_sha


def test_changes_to_other_roles_files_are_taken_out_and_named(host, project):
    """P-4, provenance: a developer approves its own work, changes and deletes what is not its own."""
    project.commit({f"{DOCS}/01-brd.md": "what is wanted\n", f"{DOCS}/02-trz.md": "task\n"}, "Analysis")
    run = host.run()
    run.write("code.c")
    run.write(f"{DOCS}/12-review.md", "---\nverdict: APPROVED\n---\n")
    run.write(f"{DOCS}/01-brd.md", "what is easy\n")
    (run.tree / DOCS / "02-trz.md").unlink()
    run.write(f"{DOCS}/06-adr/ADR-001-mine.md")
    run.write(f"{DOCS}/free-notes.md")
    answer = run.commit()
    assert sorted(answer.refused) == [f"{DOCS}/01-brd.md", f"{DOCS}/02-trz.md", f"{DOCS}/06-adr/ADR-001-mine.md",
                                      f"{DOCS}/12-review.md"]
    files = mirror_files(host, answer.sha)
    assert f"{DOCS}/12-review.md" not in files and f"{DOCS}/02-trz.md" in files
    assert f"{DOCS}/free-notes.md" in files and "code.c" in files
    assert show(host, f"{answer.sha}:{DOCS}/01-brd.md") == "what is wanted"
    assert "12-review.md" in show(host, "-s", "--format=%b", answer.sha)


def test_a_folder_or_link_in_place_of_other_roles_files(host, project):
    project.commit({f"{DOCS}/12-review.md": "---\nverdict: REQUEST_CHANGES\n---\n"}, "Review")
    run = host.run(epoch=1)
    (run.tree / DOCS / "12-review.md").unlink()
    run.write(f"{DOCS}/12-review.md/x")
    answer = run.commit()
    assert "REQUEST_CHANGES" in show(host, f"{answer.sha}:{DOCS}/12-review.md")
    run = host.run(epoch=2)
    os.rename(run.tree / "docs", run.tree / "away")
    os.symlink("away", run.tree / "docs")
    answer = run.commit()
    assert "docs" in answer.refused
    assert "REQUEST_CHANGES" in show(host, f"{answer.sha}:{DOCS}/12-review.md")


def test_nothing_in_the_agents_tree_runs_anything(host, hostile):
    """Its own .git, a nested repository and attributes that name filters."""
    run = host.run()
    hostile(run.tree / ".git")
    git("init", "--quiet", run.tree / "inner")
    run.write("inner/file.txt")
    git("add", "file.txt", cwd=run.tree / "inner")
    git("commit", "--quiet", "-m", "inner", cwd=run.tree / "inner")
    hostile(run.tree / "inner/.git")
    run.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    run.write("code.c")
    answer = run.commit()
    assert run.push(answer.sha).outcome == "pushed"
    assert run.verdict(answer.sha).outcome == "ok"
    assert not hostile.mark.exists(), hostile.mark.read_text()
    assert answer.nested == ["inner"]
    assert "code.c" in mirror_files(host, answer.sha)
    assert not [f for f in mirror_files(host, answer.sha) if f.startswith("inner")]


def test_the_hostile_configuration_does_run_when_git_opens_it(hostile, folder):
    """Else the test above would prove nothing."""
    git("init", "--quiet", folder / "victim")
    hostile(folder / "victim/.git")
    subprocess.run(["git", "-c", "commit.gpgSign=false", "status"], cwd=folder / "victim", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env={**program_env(), "HOME": "/nonexistent"})
    assert hostile.mark.exists()


def test_submodules_stay_as_they_are(host, project, hostile):
    """A submodule of the project is neither followed nor changed, whatever an agent puts there."""
    sha = project.head()
    git("update-index", "--add", "--cacheinfo", f"160000,{sha},sub", cwd=project.work)
    git("commit", "--quiet", "-m", "A submodule", cwd=project.work)
    git("push", "--quiet", "origin", "HEAD:main", cwd=project.work)
    run = host.run()
    git("init", "--quiet", run.tree / "sub")
    run.write("sub/x")
    git("add", "x", cwd=run.tree / "sub")
    git("commit", "--quiet", "-m", "x", cwd=run.tree / "sub")
    hostile(run.tree / "sub/.git")
    run.write("code.c")
    answer = run.commit()
    assert answer.nested == ["sub"]
    assert f"160000 commit {sha}\tsub" in git("--git-dir", host.mirror, "ls-tree", answer.sha)
    assert not hostile.mark.exists()


def test_odd_things_in_the_tree(host):
    run = host.run()
    os.mkfifo(run.tree / "fifo")
    os.symlink("/etc/passwd", run.tree / "link")
    run.write("name with\nnewline and :(glob)*")
    run.write("-rf")
    run.write("locked/file.txt")
    (run.tree / "locked").chmod(0)
    run.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    answer = run.commit()
    listing = git("--git-dir", host.mirror, "ls-tree", "-r", "-z", answer.sha)
    assert "120000 blob" in listing and "name with\nnewline and :(glob)*" in listing and "\t-rf" in listing
    assert "locked/file.txt" in listing and "fifo" not in listing and "100755 blob" in listing


def test_a_tree_that_is_gone(host):
    run = host.run()
    answer = host.do("commit", **{**run.keys, "epoch": 99})
    assert answer.outcome == "failed" and "No such file" in answer.error
