"""The pieces of a run that need no database, each run by git_probe.c against real repositories.

Mirror, clone, commit, push, verdict and the local forge; hostile trees; answers that were lost.
"""

import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from support.paths import program, program_env
from support.project import git
from support.wait import wait_for

DOCS = "docs/work-items/ORCH-1"
BRANCH = "feature/ORCH-1-a-title"


class Answer(dict):
    """KEY=VALUE lines; keys that may come several times are lists."""

    LISTS = ("refused", "nested", "evidence")

    def __init__(self, text):
        super().__init__({key: [] for key in self.LISTS})
        for line in text.splitlines():
            key, _, value = line.partition("=")
            if key in self.LISTS:
                self[key].append(value)
            else:
                self[key] = value

    def __getattr__(self, key):
        return self[key]


class Host:
    """One host's state folder, and the pieces at work in it."""

    def __init__(self, folder, project):
        self.state = pathlib.Path(folder)
        self.state.mkdir(exist_ok=True)
        self.project = project

    def args(self, verb, **keys):
        given = {"state": self.state, "url": self.project.bare, "location": self.project.bare, **keys}
        return [program("tests/integration/git_probe"), verb, *(f"{k}={v}" for k, v in given.items() if v is not None)]

    def do(self, verb, **keys):
        done = subprocess.run(self.args(verb, **keys), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=program_env(), timeout=120)
        assert done.returncode == 0 and not done.stderr, f"{verb}: exit {done.returncode}: {done.stderr}"
        return Answer(done.stdout)

    def must(self, verb, **keys):
        answer = self.do(verb, **keys)
        assert answer.outcome == "ok", f"{verb}: {answer}"
        return answer

    @property
    def mirror(self):
        return self.state / "mirrors/demo.git"

    def run(self, role="developer", stage="development", epoch=1, **keys):
        """Prepared: mirror up to date, tree checked out."""
        return Run(self, {"role": role, "stage": stage, "epoch": epoch, **keys})


class Run:
    def __init__(self, host, keys):
        self.host, self.keys = host, keys
        host.must("mirror")
        self.prepared = host.must("prepare", **keys)
        self.keys["start_sha"] = self.prepared.start_sha
        self.folder = host.state / f"runs/{keys.get('job', 1)}-{keys['epoch']}"
        self.tree = self.folder / "tree"

    def write(self, name, text="text\n"):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self):
        return self.host.must("commit", **self.keys)

    def verdict(self, sha):
        return self.host.do("verdict", sha=sha, **self.keys)

    def push(self, sha):
        return self.host.do("push", sha=sha, **self.keys)

    def finish(self):
        """Committed and pushed; the sha."""
        sha = self.commit().sha
        assert self.push(sha).outcome == "pushed"
        return sha


@pytest.fixture
def host(folder, project):
    return Host(folder / "state", project)


def mirror_files(host, sha):
    return git("--git-dir", host.mirror, "ls-tree", "-r", "--name-only", sha).split("\n")


def show(host, *args):
    return git("--git-dir", host.mirror, "show", *args)


# --- mirror --------------------------------------------------------------------------------------------------


def test_mirror_is_made_once_and_follows_the_remote(host, project):
    assert host.must("mirror").made_anew == "1"
    sha = project.commit({"b.txt": "b\n"}, "More", branch="side")
    assert host.must("mirror").made_anew == "0"
    assert git("--git-dir", host.mirror, "rev-parse", "side") == sha
    project.git("update-ref", "-d", "refs/heads/side")
    host.must("mirror")
    assert git("--git-dir", host.mirror, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_mirror_takes_nothing_but_branches(host, project):
    project.git("tag", "v1", "main")
    project.git("update-ref", "refs/pull/1/head", "main")
    host.must("mirror")
    assert git("--git-dir", host.mirror, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_mirror_half_made_is_made_anew(host):
    making = host.mirror.parent / "demo.git.making"
    (making / "objects").mkdir(parents=True)
    (making / "HEAD").write_text("ref: refs/heads/main\n")
    assert host.must("mirror").made_anew == "1"
    assert not making.exists()


@pytest.mark.parametrize("round", range(6))
def test_mirror_killed_in_the_middle(host, project, round):
    """Killed at some moment, the next update makes it whole."""
    process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.DEVNULL)
    moments = ["mirrors", "mirrors/demo.git.lock", "mirrors/demo.git.making", "mirrors/demo.git.making/HEAD",
               "mirrors/demo.git.making/objects/pack", "mirrors/demo.git"]
    wait_for(lambda: (host.state / moments[round]).exists() or process.poll() is not None)
    process.kill()
    process.wait()
    host.must("mirror")
    assert git("--git-dir", host.mirror, "rev-parse", "main") == project.head()


def test_mirror_without_its_parts_is_made_anew(host, project):
    host.must("mirror")
    (host.mirror / "HEAD").unlink()
    assert host.must("mirror").made_anew == "1"
    assert not (host.mirror.parent / "demo.git.broken").exists() or host.must("mirror").made_anew == "0"


def test_mirror_with_lost_objects_is_found_out_and_made_anew(host, project):
    """The fetch sees nothing new and succeeds; the clone fails, and marks the mirror."""
    host.must("mirror")
    for path in (host.mirror / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    host.do("mirror")
    answer = host.do("prepare", epoch=1)
    if answer.outcome == "failed":
        assert (host.mirror / "orch-suspect").exists()
    assert host.must("mirror").outcome == "ok"
    assert host.must("prepare", epoch=2).start_sha == project.head()


def test_mirror_of_a_remote_that_is_away(host, project):
    """Nothing is thrown away because of it, and it is no failure of the mirror."""
    host.must("mirror")
    project.bare.rename(f"{project.bare}.away")
    assert host.do("mirror").outcome == "unavailable"
    assert (host.mirror / "HEAD").exists()
    pathlib.Path(f"{project.bare}.away").rename(project.bare)
    assert host.must("mirror").made_anew == "0"


def test_mirror_waits_for_its_lock(host):
    host.must("mirror")
    with open(f"{host.mirror}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        fcntl.flock(lock, fcntl.LOCK_UN)
        out, _ = process.communicate(timeout=60)
    assert Answer(out).outcome == "ok"


def test_mirror_by_several_at_once(host):
    processes = [subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.PIPE, text=True)
                 for _ in range(4)]
    answers = [Answer(p.communicate(timeout=120)[0]) for p in processes]
    assert [a.outcome for a in answers] == ["ok"] * 4
    assert sum(a.made_anew == "1" for a in answers) == 1


def test_a_git_that_takes_too_long_is_killed(host, folder):
    """A remote that never answers: a FIFO in place of its HEAD."""
    slow = folder / "slow.git"
    git("init", "--quiet", "--bare", slow)
    (slow / "HEAD").unlink()
    os.mkfifo(slow / "HEAD")
    answer = host.do("mirror", url=slow, timeout_ms=300)
    assert answer.outcome == "unavailable" and "too long" in answer.error


# --- the tree ------------------------------------------------------------------------------------------------


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


# --- the commit ----------------------------------------------------------------------------------------------


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


HOSTILE_CONFIG = """\
[core]
    fsmonitor = {hook}
    hooksPath = {hooks}
    sshCommand = {hook}
    pager = {hook}
    editor = {hook}
[filter "evil"]
    clean = {hook}
    smudge = {hook}
    process = {hook}
    required = true
[diff "evil"]
    textconv = {hook}
    command = {hook}
[merge "evil"]
    driver = {hook}
[uploadpack]
    packObjectsHook = {hook}
[remote "origin"]
    url = ext::{hook}
    uploadpack = {hook}
    receivepack = {hook}
[credential]
    helper = {hook}
[gpg]
    program = {hook}
[commit]
    gpgSign = true
[include]
    path = evil.inc
"""


@pytest.fixture
def hostile(folder):
    """Writes a repository configuration in which everything that can run a command runs one that leaves a mark."""
    mark = folder / "mark"
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\necho \"$0 $*\" >>{mark}\nexit 0\n")
    hook.chmod(0o755)

    def poison(git_dir):
        hooks = git_dir / "hooks"
        hooks.mkdir(parents=True, exist_ok=True)
        for name in ("pre-commit", "post-index-change", "post-checkout", "pre-push", "reference-transaction",
                     "prepare-commit-msg", "commit-msg", "post-commit", "update", "post-update", "fsmonitor-watchman"):
            (hooks / name).write_text(hook.read_text())
            (hooks / name).chmod(0o755)
        (git_dir / "config").write_text(HOSTILE_CONFIG.format(hook=hook, hooks=hooks))

    poison.mark = mark
    return poison


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


# --- push, and answers that were lost ------------------------------------------------------------------------


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
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    assert host.do("push", sha=sha, timeout_ms=1500, **run.keys).outcome == "unknown"
    hook.unlink()
    assert run.push(sha).outcome == "pushed"


def test_a_push_whose_answer_was_lost_is_found_at_once(host, project):
    """The remote moves its branch and then does not answer."""
    hook = project.bare / "hooks/post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    run = host.run()
    run.write("x")
    sha = run.commit().sha
    assert host.do("push", sha=sha, timeout_ms=1500, **run.keys).outcome == "pushed"


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


# --- verdicts ------------------------------------------------------------------------------------------------

REVIEW = f"{DOCS}/12-review.md"


def review(host, text, epoch=1):
    run = host.run(role="reviewer", stage="review", epoch=epoch)
    run.write(REVIEW, text)
    return run.verdict(run.commit().sha)


@pytest.mark.parametrize("text, value", [
    ("---\nverdict: APPROVED\n---\n", "APPROVED"),
    ("---\nverdict: REQUEST_CHANGES\n---\n# Why\n", "REQUEST_CHANGES"),
    ("\ufeff---\r\nverdict: \"APPROVED\"\r\nnotes: [a, b]\r\n---\r\nProse.\r\n", "APPROVED"),
    ("---\nverdict: 'APPROVED' # by me\n---", "APPROVED"),
])
def test_verdicts_that_count(host, text, value):
    """P-4"""
    answer = review(host, text)
    assert answer.outcome == "ok"
    gate, said, path, blob = answer.evidence[0].split(" ")
    assert (gate, said, path) == ("review_approved", value, REVIEW) and len(blob) == 40


@pytest.mark.parametrize("text", [
    "verdict: APPROVED\n",
    "I think this is fine. verdict: APPROVED\n",
    "# Review\n\n---\nverdict: APPROVED\n---\n",
    "---\nverdict: approved\n---\n",
    "---\nverdict: APPROVED, I suppose\n---\n",
    "---\nverdict: [APPROVED]\n---\n",
    "---\nverdict:\n---\n",
    "---\nresult: APPROVED\n---\n",
    "---\nverdict: REQUEST_CHANGES\nverdict: APPROVED\n---\n",
    "---\nverdict: &a APPROVED\n---\n",
    "---\nverdict: !!str APPROVED\n---\n",
    "---\nverdict: APPROVED\n",
    "---\nverdict: APPROVED\nhead: 0000000000000000000000000000000000000000\n---\n",
    "---\nverdict: APPROVED\nhead: ''\n---\n",
    "---\n" + "x: y\n" * 20000 + "verdict: APPROVED\n---\n",
    "---\nAPPROVED\n---\n",
    b"---\nverdict: APPROVED\nnote: \xff\n---\n",
    "",
])
def test_verdicts_that_do_not_count(host, text):
    """P-4: prose never counts, and what is not there is never a pass."""
    answer = review(host, text)
    assert answer.outcome == "absent" and not answer.evidence and answer.error


def test_a_verdict_that_names_what_it_judged(host, project):
    """The whole name of the commit, or its first digits."""
    head = project.head()
    for epoch, name in enumerate((head, head[:12], f"'{head[:7]}'"), 1):
        assert review(host, f"---\nverdict: APPROVED\nhead: {name}\n---\n", epoch).outcome == "ok"


def test_a_symbolic_link_is_no_verdict(host, folder):
    outside = folder / "verdict.md"
    outside.write_text("---\nverdict: APPROVED\n---\n")
    run = host.run(role="reviewer", stage="review")
    (run.tree / DOCS).mkdir(parents=True)
    os.symlink(outside, run.tree / REVIEW)
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "not an ordinary file" in answer.error


def test_the_verdict_is_read_from_the_commit_not_from_the_tree(host):
    run = host.run(role="reviewer", stage="review")
    path = run.write(REVIEW, "---\nverdict: REQUEST_CHANGES\n---\n")
    sha = run.commit().sha
    path.write_text("---\nverdict: APPROVED\n---\n")
    assert run.verdict(sha).evidence[0].split(" ")[1] == "REQUEST_CHANGES"


def test_the_deployers_two_stages_have_two_files(host):
    for epoch, (stage, name, key, gate) in enumerate((
            ("deploy-staging", "15-staging-log.md", "staging_status", "staging_ok"),
            ("deploy", "14-deploy-log.md", "deploy_status", "deploy_ok")), 1):
        run = host.run(role="deployer", stage=stage, epoch=epoch)
        run.write(f"{DOCS}/{name}", f"---\n{key}: SUCCESS\nhook_exit_code: 0\n---\n")
        assert run.verdict(run.commit().sha).evidence[0].startswith(f"{gate} SUCCESS ")


def test_artefacts_of_the_analyst(host):
    """P-4a"""
    names = ["01-brd.md", "02-trz.md", "03-acceptance-criteria.md", "04-test-plan.yaml"]
    run = host.run(role="analyst", stage="analysis")
    for name in names[:3]:
        run.write(f"{DOCS}/{name}")
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "04-test-plan.yaml" in answer.error
    run.write(f"{DOCS}/{names[3]}", "")
    assert "is empty" in run.verdict(run.commit().sha).error
    run.write(f"{DOCS}/{names[3]}", "cases: []\n")
    answer = run.verdict(run.commit().sha)
    assert [e.split(" ")[:3] for e in answer.evidence] == \
        [["artefacts_analyst", "present", f"{DOCS}/{name}"] for name in names]


@pytest.mark.parametrize("name, outcome", [
    ("06-adr/ADR-001-first.md", "ok"), ("06-adr/README.md", "absent"), ("ADR-001-first.md", "absent"),
    ("06-adr/sub/ADR-001-first.md", "absent"),
])
def test_artefacts_of_the_architect(host, name, outcome):
    """P-4a"""
    run = host.run(role="architect", stage="architecture")
    run.write(f"{DOCS}/{name}")
    assert run.verdict(run.commit().sha).outcome == outcome


# --- removal -------------------------------------------------------------------------------------------------


def test_a_hostile_tree_is_removed_and_nothing_else(host, folder):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    top = folder / "run"
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


# --- the local forge -----------------------------------------------------------------------------------------


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


def test_a_killed_git_leaves_no_lock(host):
    """The mirror's lock is held by git itself too: it lasts until git has ended, and no longer."""
    host.must("mirror")
    process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.DEVNULL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert host.must("mirror").outcome == "ok"
