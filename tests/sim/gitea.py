"""A simulated Gitea 1.25: webhooks and the part of the REST API that a delivery pipeline needs, over real repositories.

What it gets wrong on purpose is what the real one does: webhooks at most once and without order; a combined status that is
empty and yet 200; `mergeable` false while it is still checking, and 405 "try again later" for the same reason; a missing
branch deleted with 204; 500 without a message for an unknown `old_ref_name`; open pull requests retargeted to the default
branch when their base is deleted. Its git speaks the smart protocol through git-http-backend, so that a push is a push.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import time
import uuid

from .bare import ENVIRONMENT, ZERO, Bare, GitFailed
from .gitea_ci import Ci
from .gitea_git import GitHttp
from .gitea_pulls import Pulls
from .service import Refused, Reply, Service, route
from .webhooks import Webhooks

REPO = r"/api/v1/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)"
PAGE_MAX = 50


class Repo:
    def __init__(self, number, owner, name, bare, default_branch):
        self.id, self.owner, self.name, self.bare, self.default_branch = number, owner, name, bare, default_branch
        self.protected = {default_branch}
        self.pulls, self.comments, self.hooks, self.statuses = {}, {}, {}, {}
        self.next_number, self.next_id = 1, 1
        self.ci_command = None
        self.archived = False
        self.retarget_children = True

    def new_id(self):
        self.next_id += 1
        return self.next_id

    @property
    def full_name(self):
        return f"{self.owner}/{self.name}"


class Gitea(Pulls, GitHttp, Ci, Service):
    name = "gitea"

    def __init__(self, folder, port=0, seed=0, checking_s=0.0):
        self.folder = pathlib.Path(folder)
        self.repos, self.tokens = {}, {}
        self.checking_s = checking_s  # how long a pull request is "checked" after its head or base has moved
        super().__init__(port, seed)
        self.webhooks = Webhooks(self.journal, self.name, seed)
        self.init_ci()

    def stop(self):
        super().stop()
        self.webhooks.stop()
        self.stop_ci()

    # --- set up by tests and by people -------------------------------------------------------------------------------

    def add_token(self, token, login="orchestrator", admin=False):
        self.tokens[token] = {"login": login, "admin": admin}

    def add_repo(self, owner, name, default_branch="main"):
        """An empty repository; push to its clone_url, or to .bare.path."""
        path = self.folder / "repos" / owner / f"{name}.git"
        path.parent.mkdir(parents=True, exist_ok=True)
        bare = Bare.create(path, default_branch)
        with self.lock:
            self.repos[owner, name] = repo = Repo(len(self.repos) + 1, owner, name, bare, default_branch)
        return repo

    def clone_url(self, repo):
        return f"{self.url}/{repo.full_name}.git"

    def state(self):
        return {repo.full_name: {"branches": repo.bare.branches(), "pulls": [self.pull_json(repo, pull) for pull in repo.pulls.values()],
                                 "comments": repo.comments, "hooks": [self.hook_json(hook) for hook in repo.hooks.values()]}
                for repo in self.repos.values()}

    # --- who asks, and about what ------------------------------------------------------------------------------------

    def user(self, request):
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value).decode().partition(":")[2]
            except ValueError:
                value = ""
        user = self.tokens.get(value.strip())
        if scheme.lower() not in ("token", "bearer", "basic") or user is None:
            raise Refused(401, {"message": "invalid username, password or token", "url": f"{self.url}/api/swagger"},
                          {"WWW-Authenticate": "Basic"})
        return user

    def repo(self, request, owner, name, write=False):
        user = self.user(request)
        repo = self.repos.get((owner, name))
        if repo is None:
            raise Refused(404, {"message": "The target couldn't be found.", "url": "", "errors": None})
        if write and repo.archived:
            raise Refused(423, {"message": "Repo is archived."})
        if write and user.get("read_only"):
            raise Refused(403, {"message": "token does not have at least one of required scope(s)"})
        return repo

    def page(self, request, things):
        page, limit = max(1, request.number("page", 1)), min(PAGE_MAX, request.number("limit", 30) or 30)
        headers = {"X-Total-Count": str(len(things))}
        if page * limit < len(things):
            headers["Link"] = f'<https://forge.example/api/v1?page={page + 1}>; rel="next"'
        return things[(page - 1) * limit:page * limit], headers

    def repo_json(self, repo):
        return {"id": repo.id, "name": repo.name, "full_name": repo.full_name, "owner": {"id": 1, "login": repo.owner, "username": repo.owner},
                "default_branch": repo.default_branch, "archived": repo.archived, "clone_url": self.clone_url(repo),
                "html_url": f"{self.url}/{repo.full_name}", "object_format_name": "sha1", "permissions": {"admin": True, "push": True, "pull": True}}

    @route("GET", "/api/v1/version")
    def version(self, request):
        return Reply(200, {"version": "1.25.4"})

    @route("GET", "/api/v1/user")
    def whoami(self, request):
        user = self.user(request)
        return Reply(200, {"id": 7, "login": user["login"], "username": user["login"], "is_admin": user["admin"]})

    @route("GET", REPO)
    def get_repo(self, request, owner, name):
        return Reply(200, self.repo_json(self.repo(request, owner, name)))

    # --- branches ----------------------------------------------------------------------------------------------------

    def branch_json(self, repo, name, sha):
        return {"name": name, "commit": {"id": sha, "message": ""}, "protected": name in repo.protected, "user_can_push": name not in repo.protected,
                "user_can_merge": True, "required_approvals": 0, "enable_status_check": False, "status_check_contexts": []}

    @route("GET", REPO + "/branches")
    def list_branches(self, request, owner, name):
        repo = self.repo(request, owner, name)
        found, headers = self.page(request, sorted(repo.bare.branches().items()))
        return Reply(200, [self.branch_json(repo, branch, sha) for branch, sha in found], headers)

    @route("GET", REPO + "/branches/(?P<branch>.+)")
    def get_branch(self, request, owner, name, branch):
        repo = self.repo(request, owner, name)
        sha = repo.bare.branch(branch)
        return Reply(200, self.branch_json(repo, branch, sha)) if sha else Reply(404, {"message": f"branch does not exist [name: {branch}]"})

    @route("POST", REPO + "/branches")
    def create_branch(self, request, owner, name):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        branch, old = body.get("new_branch_name") or "", body.get("old_ref_name") or repo.default_branch
        with self.lock:
            if not branch or len(branch) > 100:
                return Reply(422, {"message": "[NewBranchName]: bad length"})
            sha = repo.bare.branch(old) or repo.bare.commit(old)
            if sha is None:
                return Reply(500, {"message": ""})
            try:
                repo.bare.set_branch(branch, sha, ZERO)
            except GitFailed:
                return Reply(409, {"message": "The branch already exists."})
            self.moved(repo, {branch: (ZERO, sha)}, self.user(request)["login"])
            return Reply(201, self.branch_json(repo, branch, sha))

    @route("DELETE", REPO + "/branches/(?P<branch>.+)")
    def delete_branch(self, request, owner, name, branch):
        repo = self.repo(request, owner, name, write=True)
        with self.lock:
            if branch == repo.default_branch or branch in repo.protected:
                return Reply(403, {"message": "branch protected"})
            sha = repo.bare.branch(branch)
            if sha:
                repo.bare.delete_branch(branch, sha)
                self.moved(repo, {branch: (sha, ZERO)}, self.user(request)["login"])
            return Reply(204)

    # --- files and comparisons ---------------------------------------------------------------------------------------

    @route("GET", REPO + "/contents/(?P<path>.+)")
    def contents(self, request, owner, name, path):
        repo = self.repo(request, owner, name)
        commit = repo.bare.commit(request.query.get("ref") or repo.default_branch)
        entry = repo.bare.entry(commit, path) if commit else None
        if entry is None or entry[0] != "blob":
            return Reply(404, {"message": "object does not exist"})
        content = repo.bare.blob(entry[1])
        return Reply(200, {"type": "file", "name": path.rpartition("/")[2], "path": path, "sha": entry[1], "size": len(content),
                           "encoding": "base64", "content": base64.b64encode(content).decode()})

    @route("GET", REPO + "/raw/(?P<path>.+)")
    def raw(self, request, owner, name, path):
        repo = self.repo(request, owner, name)
        commit = repo.bare.commit(request.query.get("ref") or repo.default_branch)
        entry = repo.bare.entry(commit, path) if commit else None
        if entry is None or entry[0] != "blob":
            return Reply(404, {"message": "object does not exist"})
        return Reply(200, repo.bare.blob(entry[1]), {"X-Gitea-Object-Type": "blob", "Content-Type": "text/plain"})

    @route("GET", REPO + r"/compare/(?P<base>.+)\.\.\.(?P<head>.+)")
    def compare(self, request, owner, name, base, head):
        repo = self.repo(request, owner, name)
        base, head = repo.bare.commit(base), repo.bare.commit(head)
        if not base or not head:
            return Reply(404, {"message": "The target couldn't be found."})
        commits = repo.bare.commits(f"{base}..{head}")
        return Reply(200, {"total_commits": len(commits), "commits": [{"sha": commit["id"]} for commit in commits]})

    # --- comments ----------------------------------------------------------------------------------------------------

    @route("GET", REPO + r"/issues/(?P<number>\d+)/comments")
    def list_comments(self, request, owner, name, number):
        repo = self.repo(request, owner, name)
        return Reply(200, [comment for comment in repo.comments.values() if comment["number"] == int(number)])

    @route("POST", REPO + r"/issues/(?P<number>\d+)/comments")
    def comment(self, request, owner, name, number):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        with self.lock:
            if int(number) not in repo.pulls:
                return Reply(404, {"message": "The target couldn't be found."})
            comment = {"id": repo.new_id(), "number": int(number), "body": str(body.get("body", "")), "user": {"login": self.user(request)["login"]}}
            repo.comments[comment["id"]] = comment
            return Reply(201, comment)

    @route("PATCH", REPO + r"/issues/comments/(?P<number>\d+)")
    def edit_comment(self, request, owner, name, number):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        with self.lock:
            if int(number) not in repo.comments:
                return Reply(404, {"message": "The target couldn't be found."})
            repo.comments[int(number)]["body"] = str(body.get("body", ""))
            return Reply(200, repo.comments[int(number)])

    # --- hooks -------------------------------------------------------------------------------------------------------

    def hook_json(self, hook):
        config = {key: value for key, value in hook["config"].items() if key != "secret"}
        return {**hook, "config": config}

    @route("GET", REPO + "/hooks")
    def list_hooks(self, request, owner, name):
        found, headers = self.page(request, list(self.repo(request, owner, name).hooks.values()))
        return Reply(200, [self.hook_json(hook) for hook in found], headers)

    @route("POST", REPO + "/hooks")
    def create_hook(self, request, owner, name):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        config = body.get("config") or {}
        if body.get("type") != "gitea" or not config.get("url"):
            return Reply(422, {"message": "Missing config option: url"})
        with self.lock:
            hook = {"id": repo.new_id(), "type": "gitea", "active": body.get("active") is True, "events": body.get("events") or ["push"],
                    "branch_filter": body.get("branch_filter", ""), "authorization_header": "", "config": config}
            repo.hooks[hook["id"]] = hook
            return Reply(201, self.hook_json(hook))

    @route("PATCH", REPO + r"/hooks/(?P<number>\d+)")
    def edit_hook(self, request, owner, name, number):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        with self.lock:
            hook = repo.hooks.get(int(number))
            if hook is None:
                return Reply(404, {"message": "The target couldn't be found."})
            secret = hook["config"].get("secret", "")
            hook.update(active=body.get("active", hook["active"]), events=body.get("events") or ["push"])
            hook["config"] = {**hook["config"], **(body.get("config") or {}), "secret": secret}
            return Reply(200, self.hook_json(hook))

    @route("DELETE", REPO + r"/hooks/(?P<number>\d+)")
    def delete_hook(self, request, owner, name, number):
        repo = self.repo(request, owner, name, write=True)
        with self.lock:
            return Reply(204 if repo.hooks.pop(int(number), None) else 404)

    # --- webhooks ----------------------------------------------------------------------------------------------------

    def emit(self, repo, event, kind, body, sender="orchestrator"):
        """One event to each hook of the repository that wants it: at most once."""
        body = {**body, "repository": self.repo_json(repo), "sender": {"id": 7, "login": sender, "username": sender}}
        data = json.dumps(body, indent=2).encode()
        for hook in list(repo.hooks.values()):
            if hook["active"] and (kind in hook["events"] or event in hook["events"]):
                secret = hook["config"].get("secret", "").encode()
                signature = hmac.new(secret, data, hashlib.sha256).hexdigest() if secret else ""
                self.webhooks.send(hook["config"]["url"], kind, lambda signature=signature: {
                    "Content-Type": "application/json", "X-Gitea-Delivery": str(uuid.uuid4()), "X-Gitea-Event": event, "X-Gitea-Event-Type": kind,
                    "X-Gitea-Signature": signature, "X-Hub-Signature-256": "sha256=" + signature}, data)

    def moved(self, repo, changes, sender):
        """Branches have moved: {name: (before, after)}."""
        for branch, (before, after) in changes.items():
            if after == ZERO:
                self.emit(repo, "delete", "delete", {"ref": branch, "ref_type": "branch", "pusher_type": "user"}, sender)
                self.branch_gone(repo, branch, sender)
                continue
            if before == ZERO:
                self.emit(repo, "create", "create", {"sha": after, "ref": branch, "ref_type": "branch"}, sender)
            commits = repo.bare.commits(after if before == ZERO else f"{before}..{after}", 5)
            self.emit(repo, "push", "push", {"ref": f"refs/heads/{branch}", "before": before, "after": after, "total_commits": len(commits),
                                             "commits": commits, "head_commit": commits[0] if commits else None, "pusher": {"login": sender}}, sender)
            self.branch_moved(repo, branch, sender)
            self.start_ci(repo, branch, after)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


__all__ = ["ENVIRONMENT", "Gitea", "Repo", "now"]
