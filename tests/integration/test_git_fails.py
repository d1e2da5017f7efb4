"""A git that fails, whose answer is lost, or that says nonsense, at each of its calls: no piece of a run takes that for an
answer, none leaves half a thing behind, and the same question asked again gets the right answer (R-6, M-1, M-4, C-4, P-4)."""

import shutil

import pytest

from support.pieces import DOCS

SCRIPT = """#!/bin/sh
here=${0%/*}
read -r calls <"$here/calls"
calls=$((calls + 1))
echo "$calls" >"$here/calls"
read -r at how <"$here/fault"
[ "$calls" = "$at" ] || exec /usr/bin/git "$@"
echo "$*" >"$here/hit"
case $how in
fails) echo 'fatal: the disk is broken' >&2; exit 128 ;;
lost) /usr/bin/git "$@"; kill -9 $$ ;;
babbles) cat >/dev/null; echo 'what a fine day' ;;
esac
"""
# Whose answer is the name of an object: nothing else may be taken for one.
NAMES = ("rev-parse", "merge-tree", "commit-tree", "write-tree", "rev-list --max-parents", "ls-remote")


class FaultyGit:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "git").write_text(SCRIPT)
        (folder / "git").chmod(0o755)

    def set(self, at, how):
        (self.folder / "calls").write_text("0\n")
        (self.folder / "fault").write_text(f"{at} {how}\n")
        (self.folder / "hit").unlink(missing_ok=True)

    @property
    def path(self):
        return f"{self.folder}:/usr/bin:/bin"

    def hit(self):
        """The call that was hit, in git's words; None when there was no such call."""
        hit = self.folder / "hit"
        return hit.read_text().strip() if hit.exists() else None


@pytest.fixture
def faulty(folder):
    return FaultyGit(folder / "bin")


def branch_of(host):
    run = host.run()
    run.write("feature.c", "feature\n")
    run.write("README.md", "# Changed by the branch\n")
    return run, run.finish()


def behind(host, project):
    """A branch, and a default branch that has gone on beside it."""
    run, head = branch_of(host)
    project.commit({"other.txt": "x\n"}, "Main goes on")
    host.must("mirror")
    return run, head


def put_back(project, refs):
    for ref, sha in refs.items():
        project.git("update-ref", ref, sha)


def refs_of(project):
    return dict(line.split(" ") for line in project.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines())


# Verb -> what it may say of a git that fails.
FAILED = {
    "mirror": {"unavailable", "failed"}, "prepare": {"failed"}, "commit": {"failed"}, "find": {"failed"}, "describe": {"failed"},
    "push": {"unavailable", "unknown"}, "rebase": {"failed"}, "look": {"failed"}, "verify": {"unknown"}, "verdict": {"unknown"},
    "head": {"unavailable", "unknown"}, "delete": {"unavailable", "unknown"}, "merge": {"unavailable", "unknown"},
}


def mirror_anew(host, project):
    project.commit({"other.txt": "x\n"}, "Main goes on")
    return "mirror", {}


def mirror_known(host, project):
    host.must("mirror")
    return mirror_anew(host, project)


def prepare_begin(host, project):
    host.must("mirror")
    return "prepare", {"role": "developer", "epoch": 7}


def prepare_branch(host, project):
    _, head = branch_of(host)
    host.must("mirror")
    return "prepare", {"role": "reviewer", "stage": "review", "epoch": 7, "head_sha": head}


def commit_work(host, project):
    run = host.run()
    run.write("feature.c", "feature\n")
    run.write("sub/.git/HEAD", "ref: refs/heads/main\n")
    return "commit", run.keys


def find_work(host, project):
    run, _ = branch_of(host)
    host.must("mirror")
    return "find", {**run.keys, "epoch": 2}


def describe_head(host, project):
    _, head = branch_of(host)
    host.must("mirror")
    return "describe", {"sha": head}


def push_work(host, project):
    run = host.run()
    run.write("feature.c", "feature\n")
    return "push", {**run.keys, "sha": run.commit().sha}


def verdict_review(host, project):
    """With code and tests that the branch changes, which the review has to be told of."""
    run = host.run()
    run.write("tests/test_x.py", "def test_x():\n    assert True\n")
    run.write(f"{DOCS}/12-review.md", "---\nverdict: APPROVED\n---\n")
    run.keys.update(role="reviewer", stage="review")
    return "verdict", {**run.keys, "sha": run.commit().sha}


def verdict_analyst(host, project):
    run = host.run(role="analyst", stage="analysis")
    for name in ("01-brd.md", "02-trz.md", "03-acceptance-criteria.md", "04-test-plan.yaml"):
        run.write(f"{DOCS}/{name}")
    return "verdict", {**run.keys, "sha": run.commit().sha}


def verdict_questions(host, project):
    run = host.run(role="analyst", stage="analysis")
    run.write(f"{DOCS}/05-questions.md", "---\nstatus: NEEDS_INPUT\n---\n\nWhich one?\n")
    return "verdict", {**run.keys, "sha": run.commit().sha}


def rebase_behind(host, project):
    _, head = behind(host, project)
    return "rebase", {"head_sha": head}


def rebase_conflict(host, project):
    _, head = branch_of(host)
    project.commit({"README.md": "# Changed by main\n"}, "The same file")
    host.must("mirror")
    return "rebase", {"head_sha": head}


def look_untested(host, project):
    tested = project.head()
    _, head = behind(host, project)
    return "look", {"head_sha": head, "tested_base": tested}


def look_conflict(host, project):
    tested = project.head()
    _, keys = rebase_conflict(host, project)
    return "look", {**keys, "tested_base": tested}


def verify_landed(host, project):
    base = project.head()
    _, head = branch_of(host)
    landed = host.do("merge", sha=head)
    project.commit({"README.md": "# Changed again\n", "later.txt": "x\n"}, "Later")
    host.must("mirror")
    return "verify", {"head_sha": head, "merged_sha": landed.merged_sha, "landed_base": landed.base_sha, "landed_tree": landed.tree,
                      "tested_base": base, "deployed": head, "markers": "README.md:Changed\nfeature.c"}


def merge_branch(host, project):
    _, head = behind(host, project)
    return "merge", {"sha": head, "base_sha": project.head()}


def merge_again(host, project):
    verb, keys = merge_branch(host, project)
    host.do(verb, **keys)
    return verb, keys


def head_of_branch(host, project):
    branch_of(host)
    return "head", {}


def delete_branch(host, project):
    branch_of(host)
    return "delete", {}


# With what the right answer is.
SCENES = [(mirror_anew, "ok"), (mirror_known, "ok"), (prepare_begin, "ok"), (prepare_branch, "ok"), (commit_work, "ok"), (find_work, "ok"),
          (describe_head, "ok"), (push_work, "pushed"), (verdict_review, "ok"), (verdict_analyst, "ok"), (verdict_questions, "ok"),
          (rebase_behind, "ok"), (rebase_conflict, "conflict"), (look_untested, "untested"), (look_conflict, "conflict"),
          (verify_landed, "verified"), (merge_branch, "merged"), (merge_again, "already-merged"), (head_of_branch, "ok"), (delete_branch, "ok")]
CALLS_MAX = 60


# Beside its outcome: what an answer says, which is the same whoever asks.
SAME = ("start_sha", "base_sha", "head_sha", "code_tree", "patch_id", "evidence", "detail", "changed", "candidate", "text")
UNNAMED = ("base_sha", "patch_id")  # without a name for the change any other code voids what was said of it (P-4)


def half(said, answer):
    """What an answer that claims to be one does not say, or says otherwise."""
    return [key for key in SAME if said.get(key) != answer.get(key) and (said.get(key) or key not in UNNAMED)]


@pytest.mark.parametrize("how", ["fails", "lost", "babbles"])
@pytest.mark.parametrize("scene, right", SCENES, ids=[scene.__name__ for scene, _ in SCENES])
def test_no_call_that_goes_wrong_is_an_answer(host, project, faulty, scene, right, how):
    verb, keys = scene(host, project)
    before = refs_of(project)
    wrong, answer = [], None

    def ask(**more):
        shutil.rmtree(host.state / "runs/1-7", ignore_errors=True)  # an attempt has a folder of its own
        return host.do(verb, **keys, **more)

    for at in range(1, CALLS_MAX):
        faulty.set(at, how)
        said = ask(git_path=faulty.path)
        hit = faulty.hit()
        if hit is None:
            break
        if how == "babbles" and not any(name in hit for name in NAMES):
            continue  # what it is asked for may be anything
        if verb != "merge":
            put_back(project, before)
        again = ask()
        put_back(project, before)
        answer = answer or again
        if again.outcome not in (right, "already-merged" if verb == "merge" else right) or half(again, answer):
            wrong.append(f"asked again after call {at}: {again} instead of {answer}, of: {hit}")
        if said.outcome in FAILED[verb]:
            if not said.error:
                wrong.append(f"call {at}: {said.outcome} without a reason, of: {hit}")
        elif said.outcome != right or half(said, answer):
            wrong.append(f"call {at}: {said.outcome} ({said.error}), half: {half(said, answer)}, of: {hit}")
    assert not wrong, "\n".join(wrong)
    assert answer or how == "babbles", "no call was hit"
