"""A git repository to work on, and what a test asks of it."""

import pathlib
import subprocess

GIT_ENV = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "Test", "GIT_COMMITTER_EMAIL": "test@example.invalid",
}
DEFAULT_FILES = {"README.md": "# A project\n", "check.sh": "#!/bin/sh\nexit 0\n"}


def git(*args, cwd=None, input=None):
    done = subprocess.run(["git", *map(str, args)], cwd=cwd, input=input, env=GIT_ENV, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, f"git {' '.join(map(str, args))}: {done.stderr}"
    return done.stdout.strip()


class Project:
    """A bare repository with one commit on main, as the `local` forge port expects it."""

    def __init__(self, folder, name="demo", prefix="ORCH", test_command="sh check.sh", files=None):
        self.name, self.prefix, self.test_command = name, prefix, test_command
        self.bare = pathlib.Path(folder) / f"{name}.git"
        self.default_branch = "main"
        self.work = pathlib.Path(folder) / f"{name}-work"
        git("init", "--quiet", "--initial-branch=main", self.work)
        git("clone", "--quiet", "--bare", self.work, self.bare)
        git("remote", "add", "origin", self.bare, cwd=self.work)
        self.commit(files or DEFAULT_FILES, "Begin")

    def commit(self, files, message, branch="main"):
        """A person's commit on a branch of the repository."""
        git("fetch", "--quiet", "origin", cwd=self.work)
        if branch in self.branches():
            git("checkout", "--quiet", "-B", branch, f"origin/{branch}", cwd=self.work)
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git("add", "--all", cwd=self.work)
        git("commit", "--quiet", "--message", message, cwd=self.work)
        git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=self.work)
        return self.head(branch)

    def git(self, *args):
        return git("--git-dir", self.bare, *args)

    def branches(self):
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def head(self, ref="main"):
        return self.git("rev-parse", "--verify", ref)

    def files(self, ref="main"):
        return self.git("ls-tree", "-r", "--name-only", ref).split("\n")

    def read(self, path, ref="main"):
        return self.git("show", f"{ref}:{path}")

    def is_ancestor(self, older, newer="main"):
        return self.git("merge-base", older, newer) == self.head(older)

    def trailers(self, key, ref="main"):
        """(sha, value) of each commit of ref that carries the trailer, the oldest first."""
        out = self.git("log", "--reverse", f"--format=%H %(trailers:key={key},valueonly,separator=%x2C)", ref)
        pairs = (line.partition(" ")[::2] for line in out.split("\n"))
        return [(sha, value) for sha, value in pairs if value]
