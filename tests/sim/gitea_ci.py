"""Actions, as far as anybody outside sees them: a push to a branch runs the repository's command, and statuses follow.

Set Repo.ci_command; None (the default) leaves the statuses to whoever posts them.
"""

import queue
import subprocess
import tempfile
import threading

from .bare import ENVIRONMENT

CONTEXT = "ci / check (push)"


class Ci:
    """Part of Gitea."""

    def init_ci(self):
        self.ci_queue = queue.Queue()
        self.ci_thread = threading.Thread(target=self.work_ci, daemon=True)
        self.ci_thread.start()

    def stop_ci(self):
        self.ci_queue.put(None)

    def start_ci(self, repo, branch, sha):
        if repo.ci_command and branch != repo.default_branch:
            self.set_status(repo, sha, CONTEXT, "pending", "Waiting to run")
            self.ci_queue.put((repo, sha))

    def work_ci(self):
        while (job := self.ci_queue.get()) is not None:
            repo, sha = job
            with tempfile.TemporaryDirectory(dir=self.folder) as tree:
                subprocess.run(["git", "clone", "-q", "--no-checkout", str(repo.bare.path), tree], check=True, env=ENVIRONMENT)
                gone = subprocess.run(["git", "-C", tree, "checkout", "-q", sha], env=ENVIRONMENT, stderr=subprocess.DEVNULL).returncode
                done = gone or subprocess.run(["/bin/sh", "-c", repo.ci_command], cwd=tree, env={**ENVIRONMENT, "HOME": tree},
                                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
            self.set_status(repo, sha, CONTEXT, "failure" if done else "success", "Failing" if done else "Successful")
