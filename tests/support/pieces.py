"""The pieces of a run that need no database, each run by git_probe.c against real repositories."""

import pathlib
import subprocess

from .paths import program, program_env
from .project import git

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


def mirror_files(host, sha):
    return git("--git-dir", host.mirror, "ls-tree", "-r", "--name-only", sha).split("\n")


def show(host, *args):
    return git("--git-dir", host.mirror, "show", *args)
