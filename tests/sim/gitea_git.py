"""The git side of the simulated Gitea: the smart HTTP protocol by git-http-backend, and what a push sets off."""

import os
import subprocess

from .bare import ENVIRONMENT, ZERO
from .service import Refused, Reply, route

GIT = r"/(?P<owner>[^/]+)/(?P<name>[^/]+)\.git"
HOOK = """#!/bin/sh
# Nobody pushes to a protected branch, or deletes one.
while read -r old new ref; do
    for branch in $SIM_PROTECTED; do
        if [ "$ref" = "refs/heads/$branch" ] && [ "$old" != "{zero}" ]; then
            echo "Gitea: branch $branch is protected from pushing" >&2
            exit 1
        fi
    done
done
""".format(zero=ZERO)


class GitHttp:
    """Part of Gitea."""

    def git_backend(self, request, repo, path):
        hook = repo.bare.path / "hooks" / "pre-receive"
        if not hook.exists():
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(HOOK)
            hook.chmod(0o755)
        environment = {**ENVIRONMENT, "GIT_PROJECT_ROOT": str(repo.bare.path), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                       "REQUEST_METHOD": request.method, "QUERY_STRING": request.target.partition("?")[2], "REMOTE_USER": "git",
                       "CONTENT_TYPE": request.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(request.body)),
                       "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                       "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""), "SIM_PROTECTED": " ".join(repo.protected)}
        core = subprocess.run(["git", "--exec-path"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        done = subprocess.run([os.path.join(core, "git-http-backend")], input=request.body, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return Reply(status, body, headers)

    def git_repo(self, request, owner, name, write=False):
        """As for the API, in the words that it has for git: plain text, and 403 for an archived one, too."""
        try:
            return self.repo(request, owner, name, write)
        except Refused as refused:
            if refused.reply.status == 423:
                raise Refused(403, "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.") from None
            if refused.reply.status == 403:
                raise Refused(403, "Forbidden") from None
            raise

    @route("GET", GIT + "/info/refs")
    def info_refs(self, request, owner, name):
        return self.git_backend(request, self.git_repo(request, owner, name, request.query.get("service") == "git-receive-pack"), "/info/refs")

    @route("POST", GIT + "/git-upload-pack")
    def upload_pack(self, request, owner, name):
        return self.git_backend(request, self.git_repo(request, owner, name), "/git-upload-pack")

    @route("POST", GIT + "/git-receive-pack")
    def receive_pack(self, request, owner, name):
        repo = self.git_repo(request, owner, name, write=True)
        with self.lock:
            before = repo.bare.branches()
            reply = self.git_backend(request, repo, "/git-receive-pack")
            after = repo.bare.branches()
            changes = {branch: (before.get(branch, ZERO), after.get(branch, ZERO)) for branch in {*before, *after}
                       if before.get(branch) != after.get(branch)}
            if changes:
                self.journal.add("push", repo=repo.full_name, changes=changes)
                self.moved(repo, changes, self.user(request)["login"])
            return reply
