"""Pull requests, reviews and commit statuses of the simulated Gitea."""

import time

from .bare import GitFailed
from .service import Reply, route

REPO = r"/api/v1/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)"
CONFLICT = {"Style": "merge", "StdOut": "", "StdErr": "CONFLICT (content)", "Err": "exit status 1"}  # and no "message"


class Pulls:
    """Part of Gitea."""

    # --- what a pull request looks like ------------------------------------------------------------------------------

    def checking(self, pull):
        return time.monotonic() < pull["checked_at"]

    def pull_json(self, repo, pull):
        bare = repo.bare
        head_sha = bare.branch(pull["head"]) if pull["state"] == "open" else None
        head_sha = head_sha or pull["head_sha"]
        base_sha = bare.branch(pull["base"]) or ""
        conflict = not pull["merged"] and base_sha and bare.merge_tree(base_sha, head_sha) is None
        exists = bare.branch(pull["head"]) is not None
        return {"id": pull["number"], "number": pull["number"], "title": pull["title"], "body": pull["body"], "state": pull["state"],
                "draft": pull["title"].startswith(("WIP:", "[WIP]")), "merged": pull["merged"], "merged_at": pull["merged_at"],
                "mergeable": not conflict and not self.checking(pull) and not pull["merged"], "merge_commit_sha": pull["merge_sha"],
                "merge_base": bare.merge_base(base_sha, head_sha) if base_sha else "", "user": {"login": pull["user"]}, "labels": [],
                "html_url": f"{self.url}/{repo.full_name}/pulls/{pull['number']}",
                "base": {"label": pull["base"], "ref": pull["base"], "sha": base_sha, "repo_id": repo.id},
                "head": {"label": pull["head"], "ref": pull["head"] if exists else f"refs/pull/{pull['number']}/head", "sha": head_sha, "repo_id": repo.id}}

    def pull_event(self, repo, pull, action, sender, kind="pull_request"):
        self.emit(repo, "pull_request", kind, {"action": action, "number": pull["number"], "pull_request": self.pull_json(repo, pull),
                                               "changes": None, "commit_id": "", "review": None}, sender)

    def recheck(self, pull):
        pull["checked_at"] = time.monotonic() + self.checking_s

    def branch_moved(self, repo, branch, sender):
        for pull in repo.pulls.values():
            if pull["state"] == "open" and branch in (pull["head"], pull["base"]):
                self.recheck(pull)
                if branch == pull["head"]:
                    pull["head_sha"] = repo.bare.branch(branch)
                    for review in pull["reviews"]:
                        review["stale"] = True
                    self.pull_event(repo, pull, "synchronized", sender, "pull_request_sync")

    def branch_gone(self, repo, branch, sender):
        """Its own pull requests are closed; those based on it silently point at the default branch."""
        for pull in repo.pulls.values():
            if pull["state"] == "open" and pull["head"] == branch:
                pull["state"] = "closed"
                self.pull_event(repo, pull, "closed", sender)
            elif pull["state"] == "open" and pull["base"] == branch and repo.retarget_children:
                pull["base"] = repo.default_branch

    # --- the requests ------------------------------------------------------------------------------------------------

    @route("POST", REPO + "/pulls")
    def create_pull(self, request, owner, name):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        head, base = str(body.get("head", "")), str(body.get("base", ""))
        with self.lock:
            if head == base:
                return Reply(422, {"message": "Invalid PullRequest: There are no changes between the head and the base"})
            if not repo.bare.branch(head) or not repo.bare.branch(base):
                return Reply(404, {"message": "The target couldn't be found."})
            if any(pull["state"] == "open" and (pull["head"], pull["base"]) == (head, base) for pull in repo.pulls.values()):
                return Reply(409, {"message": "pull request already exists for these targets"})
            pull = {"number": repo.next_number, "title": str(body.get("title", "")), "body": str(body.get("body", "")), "state": "open", "head": head,
                    "base": base, "head_sha": repo.bare.branch(head), "merged": False, "merged_at": None, "merge_sha": None, "reviews": [],
                    "user": self.user(request)["login"], "checked_at": 0.0}
            repo.next_number += 1
            repo.pulls[pull["number"]] = pull
            self.recheck(pull)
            self.pull_event(repo, pull, "opened", pull["user"])
            return Reply(201, self.pull_json(repo, pull))

    @route("GET", REPO + "/pulls")
    def list_pulls(self, request, owner, name):
        repo, wanted = self.repo(request, owner, name), request.query.get("state", "open")
        with self.lock:
            pulls = [pull for pull in reversed(repo.pulls.values()) if wanted in ("all", pull["state"])
                     and request.query.get("base_branch", pull["base"]) == pull["base"]]
            found, headers = self.page(request, pulls)
            return Reply(200, [self.pull_json(repo, pull) for pull in found], headers)

    @route("GET", REPO + r"/pulls/(?P<number>\d+)")
    def get_pull(self, request, owner, name, number):
        repo = self.repo(request, owner, name)
        with self.lock:
            pull = repo.pulls.get(int(number))
            return Reply(200, self.pull_json(repo, pull)) if pull else Reply(404, {"message": "The target couldn't be found."})

    @route("PATCH", REPO + r"/pulls/(?P<number>\d+)")
    def edit_pull(self, request, owner, name, number):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        with self.lock:
            pull = repo.pulls.get(int(number))
            if pull is None:
                return Reply(404, {"message": "The target couldn't be found."})
            if "state" in body and pull["merged"]:
                return Reply(412, {"message": "cannot change state of this pull request, it was already merged"})
            pull.update({key: body[key] for key in ("title", "body", "base", "state") if key in body})
            return Reply(201, self.pull_json(repo, pull))

    @route("GET", REPO + r"/pulls/(?P<number>\d+)/merge")
    def is_merged(self, request, owner, name, number):
        pull = self.repo(request, owner, name).pulls.get(int(number))
        return Reply(204 if pull and pull["merged"] else 404)

    @route("POST", REPO + r"/pulls/(?P<number>\d+)/merge")
    def merge(self, request, owner, name, number):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        with self.lock:
            pull = repo.pulls.get(int(number))
            if pull is None or (pull["state"] == "closed" and not pull["merged"]):
                return Reply(404, {"message": "The target couldn't be found."})
            if body.get("Do") not in ("merge", "squash"):
                return Reply(422 if not body.get("Do") else 405, {"message": "Invalid merge style"})
            if pull["merged"]:
                return Reply(405, {"message": "The PR is already merged"})
            return self.merge_now(repo, pull, body, self.user(request)["login"])

    def merge_now(self, repo, pull, body, sender):
        bare = repo.bare
        head, base = bare.branch(pull["head"]), bare.branch(pull["base"])
        tree = bare.merge_tree(base, head) if head else None
        if self.checking(pull) or tree is None:
            return Reply(405, {"message": "Please try again later"})
        if body.get("head_commit_id") and body["head_commit_id"] != head:
            return Reply(409, {"message": "head out of date"})
        squash = body["Do"] == "squash"
        message = body.get("MergeTitleField") or f"Merge pull request '{pull['title']}' (#{pull['number']})"
        merged = bare.commit_tree(tree, [base] if squash else [base, head], message)
        try:
            bare.set_branch(pull["base"], merged, base)
        except GitFailed:
            return Reply(409, {"message": "merge push out of date"})
        pull.update(merged=True, state="closed", merge_sha=merged, merged_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), head_sha=head)
        self.journal.add("merge", repo=repo.full_name, number=pull["number"], head=head, base=base, sha=merged)
        self.pull_event(repo, pull, "closed", sender)
        self.moved(repo, {pull["base"]: (base, merged)}, sender)
        if body.get("delete_branch_after_merge"):
            bare.delete_branch(pull["head"], head)
            self.moved(repo, {pull["head"]: (head, "0" * 40)}, sender)
        return Reply(200)

    @route("GET", REPO + r"/pulls/(?P<base>[^/]*[^/0-9][^/]*)/(?P<head>[^/]+)")
    def find_pull(self, request, owner, name, base, head):
        repo = self.repo(request, owner, name)
        with self.lock:
            for pull in repo.pulls.values():  # which one, when there are several, is nobody's promise: the oldest
                if (pull["base"], pull["head"]) == (base, head):
                    return Reply(200, self.pull_json(repo, pull))
        return Reply(404, {"message": "The target couldn't be found."})

    @route("GET", REPO + r"/pulls/(?P<number>\d+)/reviews")
    def list_reviews(self, request, owner, name, number):
        pull = self.repo(request, owner, name).pulls.get(int(number))
        if pull is None:
            return Reply(404, {"message": "The target couldn't be found."})
        found, headers = self.page(request, pull["reviews"])
        return Reply(200, found, headers)

    def add_review(self, repo, number, state, login, text=""):
        """A person reviews in the web: APPROVED, REQUEST_CHANGES or COMMENT."""
        words = {"APPROVED": "approved", "REQUEST_CHANGES": "rejected", "COMMENT": "comment"}
        with self.lock:
            pull = repo.pulls[number]
            pull["reviews"].append({"id": repo.new_id(), "state": state, "user": {"login": login}, "body": text, "official": True, "stale": False,
                                    "dismissed": False, "commit_id": repo.bare.branch(pull["head"])})
            self.emit(repo, f"pull_request_{words[state]}", f"pull_request_review_{words[state]}", {
                "action": "reviewed", "number": number, "pull_request": self.pull_json(repo, pull),
                "review": {"type": f"pull_request_review_{words[state]}", "content": text}}, login)

    # --- statuses ----------------------------------------------------------------------------------------------------

    def set_status(self, repo, sha, context, state, description=""):
        with self.lock:
            status = {"id": repo.new_id(), "status": state, "context": context, "description": description, "target_url": "", "creator": None}
            repo.statuses.setdefault(sha, []).append(status)
            self.emit(repo, "status", "status", {"id": status["id"], "sha": sha, "state": state, "context": context, "description": description,
                                                 "target_url": "", "commit": {"id": sha}})
            return status

    def newest_statuses(self, repo, sha):
        newest = {status["context"]: status for status in repo.statuses.get(sha, [])}
        return list(newest.values())

    @route("POST", REPO + "/statuses/(?P<sha>[0-9a-f]+)")
    def post_status(self, request, owner, name, sha):
        repo, body = self.repo(request, owner, name, write=True), request.json()
        if repo.bare.commit(sha) is None:
            return Reply(500, {"message": ""})
        return Reply(201, self.set_status(repo, sha, body.get("context", "default"), body.get("state", ""), body.get("description", "")))

    @route("GET", REPO + "/commits/(?P<ref>.+)/status")
    def combined_status(self, request, owner, name, ref):
        repo = self.repo(request, owner, name)
        sha = repo.bare.commit(ref)
        if sha is None:
            return Reply(404, {"message": "The target couldn't be found."})
        with self.lock:
            newest = self.newest_statuses(repo, sha)
            found, headers = self.page(request, newest)
        if not newest:
            return Reply(200, {"state": "", "sha": sha, "total_count": 0, "statuses": None, "repository": self.repo_json(repo)}, headers)
        return Reply(200, {"state": combined([status["status"] for status in found]), "sha": sha, "total_count": len(found),
                           "statuses": found, "repository": self.repo_json(repo)}, headers)

    @route("GET", REPO + "/commits/(?P<ref>.+)/statuses")
    def status_history(self, request, owner, name, ref):
        repo = self.repo(request, owner, name)
        found, headers = self.page(request, list(reversed(repo.statuses.get(repo.bare.commit(ref), []))))
        return Reply(200, found, headers)


def combined(states):
    """Of one page, as 1.25 does it."""
    if any(state in ("error", "failure") for state in states):
        return "failure"
    return "success" if all(state in ("success", "warning", "skipped") for state in states) else "pending"
