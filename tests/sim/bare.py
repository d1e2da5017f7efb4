"""A bare repository as the simulated forge uses it: plain git, with nobody's configuration but ours."""

import os
import pathlib
import subprocess

ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
               "GIT_AUTHOR_NAME": "Gitea", "GIT_AUTHOR_EMAIL": "gitea@sim.invalid", "GIT_COMMITTER_NAME": "Gitea", "GIT_COMMITTER_EMAIL": "gitea@sim.invalid"}
ZERO = "0" * 40


class GitFailed(Exception):
    pass


class Bare:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    @classmethod
    def create(cls, path, default_branch="main"):
        bare = cls(path)
        subprocess.run(["git", "init", "-q", "--bare", f"--initial-branch={default_branch}", str(path)], check=True, env=ENVIRONMENT)
        bare.git("config", "http.receivepack", "true")
        return bare

    def run(self, *args, data=None):
        return subprocess.run(["git", "-C", str(self.path), *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)

    def git(self, *args, data=None):
        done = self.run(*args, data=data)
        if done.returncode:
            raise GitFailed(f"git {args[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").strip()

    def commit(self, name):
        """The full name of a commit, or None."""
        done = self.run("rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def branch(self, name):
        return self.commit(f"refs/heads/{name}") if name else None

    def branches(self):
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/").splitlines()
        return {line.split()[0][len("refs/heads/"):]: line.split()[1] for line in lines}

    def set_branch(self, name, new, old):
        """Compare and swap; raises GitFailed when it is not at `old` (ZERO: not there) any more."""
        self.git("update-ref", f"refs/heads/{name}", new, old)

    def delete_branch(self, name, old):
        self.git("update-ref", "-d", f"refs/heads/{name}", old)

    def merge_base(self, a, b):
        done = self.run("merge-base", a, b)
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    def is_ancestor(self, a, b):
        return self.run("merge-base", "--is-ancestor", a, b).returncode == 0

    def merge_tree(self, base, head):
        """The tree of the merge, or None when there is a conflict."""
        done = self.run("merge-tree", "--write-tree", base, head)
        return done.stdout.decode().split()[0] if done.returncode == 0 else None

    def commit_tree(self, tree, parents, message):
        return self.git("commit-tree", tree, *[word for parent in parents for word in ("-p", parent)], "-F", "-", data=message.encode())

    def commits(self, spec, limit=50):
        lines = self.git("log", f"--max-count={limit}", "--format=%H%x00%s", spec).splitlines()
        return [{"id": line.split("\0")[0], "message": line.split("\0")[1]} for line in lines]

    def entry(self, commit, path):
        """(type, object name) of a path in a commit, or None."""
        line = self.git("ls-tree", "--full-tree", commit, "--", path) if path else ""
        return (line.split()[1], line.split()[2]) if line else None

    def blob(self, name):
        done = self.run("cat-file", "blob", name)
        return done.stdout if done.returncode == 0 else b""
