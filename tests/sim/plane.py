"""A simulated Plane 1.3 (community edition): webhooks v1 (or v2) and the REST API that a delivery pipeline needs.

What it gets wrong on purpose is what the real one does: any HTTP answer to a webhook counts as delivered, transport errors
are tried again and in the end switch the hook off; one board move sends two deliveries; writes through the API are heard as
webhooks too; unknown keys of a PATCH are ignored with 200; a wrong key is 403; states come in pages; relation changes say
nothing; 60 requests a minute for each key.
"""

import hashlib
import hmac
import html
import json
import time
import uuid

from .plane_items import Items
from .service import Refused, Reply, Service, route
from .webhooks import Webhooks

WORKSPACE = "/api/v1/workspaces/(?P<slug>[^/]+)"
PROJECT = WORKSPACE + "/projects/(?P<project>[^/]+)"
STATES = [("Backlog", "backlog"), ("To Analyse", "unstarted"), ("Analysis", "started"), ("In Review", "started"), ("Needs Input", "started"),
          ("Approved", "started"), ("Rejected", "started"), ("Architecture", "started"), ("Development", "started"), ("Code Review", "started"),
          ("Testing", "started"), ("Awaiting Deploy", "started"), ("Confirm Deploy", "started"), ("Deploying", "started"),
          ("Monitoring after Deploy", "started"), ("Done", "completed"), ("Blocked", "started"), ("Cancelled", "cancelled"), ("STOP", "cancelled")]


def timestamp():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 1000000:06d}Z"


class Project:
    def __init__(self, identifier, name):
        self.id, self.identifier, self.name = str(uuid.uuid4()), identifier, name
        self.states, self.labels, self.items, self.comments = {}, {}, {}, {}
        self.next_sequence = 1

    def state_named(self, name):
        return next(state for state in self.states.values() if state["name"] == name)


class Plane(Items, Service):
    name = "plane"

    def __init__(self, port=0, seed=0, rate=60, retry_s=600.0, version="v1", relations_as_objects=True, work_items=True):
        self.slug, self.projects, self.keys, self.used = "acme", {}, {}, {}
        self.rate, self.retry_s, self.version = rate, retry_s, version
        self.relations_as_objects = relations_as_objects
        self.segments = ("issues", "work-items") if work_items else ("issues",)
        self.hook = None  # of the workspace: {url, secret, is_active}
        super().__init__(port, seed)
        self.webhooks = Webhooks(self.journal, self.name, seed)

    def stop(self):
        super().stop()
        self.webhooks.stop()

    # --- set up by tests and by people -------------------------------------------------------------------------------

    def add_key(self, key, user="orchestrator"):
        self.keys[key] = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, user)), "display_name": user}
        return self.keys[key]

    def add_project(self, identifier, name, states=STATES):
        project = Project(identifier, name)
        for sequence, (state, group) in enumerate(states):
            number = str(uuid.uuid4())
            project.states[number] = {"id": number, "name": state, "group": group, "color": "#888888", "sequence": sequence, "default": sequence == 0}
        with self.lock:
            self.projects[project.id] = project
        return project

    def set_hook(self, url, secret):
        """What a person does in the settings of the workspace: no API makes hooks."""
        self.hook = {"id": str(uuid.uuid4()), "url": url, "secret": secret, "is_active": True}

    def state(self):
        return {"hook": self.hook and {**self.hook, "secret": "…"}, "projects": {project.identifier: {
            "items": [{"key": f"{project.identifier}-{item['sequence_id']}", "name": item["name"], "state": project.states[item["state"]]["name"]}
                      for item in project.items.values()],
            "comments": [{"item": comment["issue"], "html": comment["comment_html"]} for comment in project.comments.values()]}
            for project in self.projects.values()}}

    # --- who asks ----------------------------------------------------------------------------------------------------

    def user(self, request):
        key = request.headers.get("X-API-Key")
        if not key:
            raise Refused(401, {"detail": "Authentication credentials were not provided."})
        if key not in self.keys:
            raise Refused(403, {"detail": "Given API token is not valid"})
        if self.keys[key].get("guest") and request.method != "GET":
            raise Refused(403, {"detail": "You do not have permission to perform this action."})
        return self.keys[key]

    def no_route(self, request, allowed):
        if not request.path.endswith("/") and request.path.startswith("/api/"):
            return Reply(301, "", {"Location": self.url + request.path + "/"})
        return Reply(405 if allowed else 404, {"error": "Page not found."})

    def answer(self, request):
        if request.path.startswith("/api/v1/") and (refusal := self.limit(request)):
            return refusal
        reply = super().answer(request)
        if request.path.startswith("/api/v1/"):
            left = self.rate - len(self.used.get(request.headers.get("X-API-Key"), []))
            reply.headers.update({"X-RateLimit-Remaining": str(max(0, left)), "X-RateLimit-Reset": str(int(time.time()) + 60)})
        return reply

    def limit(self, request):
        """A sliding minute for each key."""
        with self.lock:
            key, now = request.headers.get("X-API-Key"), time.monotonic()
            self.used[key] = used = [at for at in self.used.get(key, []) if now - at < 60]
            if len(used) >= self.rate:
                return Reply(429, {"error_code": 5900, "error_message": "RATE_LIMIT_EXCEEDED"}, {"Retry-After": str(int(60 - now + used[0]) + 1)})
            used.append(now)
        return None

    def project(self, request, slug, project):
        self.user(request)
        found = self.projects.get(project)
        if slug != self.slug or found is None:
            raise Refused(404, {"error": "Page not found."})
        return found

    def page(self, request, things):
        per_page = request.number("per_page", 1000)
        try:
            size, number, _ = (int(part) for part in request.query.get("cursor", f"{per_page}:0:0").split(":"))
        except ValueError:
            raise Refused(400, {"error": "Invalid cursor parameter."}) from None
        if not 1 <= per_page <= 1000 or size != per_page:
            raise Refused(400, {"error": "Invalid per_page value. Cannot exceed 1000."})
        found = things[number * per_page:(number + 1) * per_page]
        return Reply(200, {"results": found, "count": len(found), "total_results": len(things), "total_pages": -(-len(things) // per_page),
                           "next_cursor": f"{per_page}:{number + 1}:0", "prev_cursor": f"{per_page}:{max(0, number - 1)}:1",
                           "next_page_results": (number + 1) * per_page < len(things), "prev_page_results": number > 0})

    @route("GET", "/api/v1/users/me/")
    def whoami(self, request):
        return Reply(200, {**self.user(request), "email": "", "first_name": "", "last_name": "", "avatar": "", "avatar_url": None})

    # --- projects, states, labels ------------------------------------------------------------------------------------

    def project_json(self, project):
        return {"id": project.id, "identifier": project.identifier, "name": project.name, "archived_at": None}

    @route("GET", WORKSPACE + "/projects/")
    def list_projects(self, request, slug):
        self.user(request)
        if slug != self.slug:
            return Reply(404, {"error": "Page not found."})
        return self.page(request, [self.project_json(project) for project in self.projects.values()])

    @route("GET", PROJECT + "/")
    def get_project(self, request, slug, project):
        return Reply(200, self.project_json(self.project(request, slug, project)))

    @route("GET", PROJECT + "/states/")
    def list_states(self, request, slug, project):
        return self.page(request, list(self.project(request, slug, project).states.values()))

    @route("GET", PROJECT + "/labels/")
    def list_labels(self, request, slug, project):
        return self.page(request, list(self.project(request, slug, project).labels.values()))

    @route("POST", PROJECT + "/labels/")
    def create_label(self, request, slug, project):
        project, name = self.project(request, slug, project), str(request.json().get("name", ""))
        with self.lock:
            for label in project.labels.values():
                if label["name"] == name:
                    return Reply(409, {"error": "Label with the same name already exists in the project", "id": label["id"]})
            label = {"id": str(uuid.uuid4()), "name": name, "color": request.json().get("color", "")}
            project.labels[label["id"]] = label
            return Reply(201, label)

    # --- webhooks ----------------------------------------------------------------------------------------------------

    def emit(self, event, action, data, activity, actor):
        """To the hook of the workspace: tried again on transport errors only, and switched off in the end."""
        hook = self.hook
        if hook is None or not hook["is_active"]:
            return
        if self.version == "v2":
            kind = {"issue": "workitem", "issue_comment": "workitem.comment"}[event]
            body = {"version": "v2", "delivery_id": str(uuid.uuid4()), "event_id": str(uuid.uuid4()), "entity_id": data["id"], "entity_type": event,
                    "event": f"{kind}.{action}", "webhook_id": hook["id"], "workspace_id": self.slug, "data": self.flat(data), "previous_attributes": {}}
        else:
            body = {"event": event, "action": action, "webhook_id": hook["id"], "workspace_id": self.slug, "data": data,
                    "activity": {**activity, "actor": {**actor, "email": "", "first_name": "", "last_name": "", "avatar": "", "avatar_url": None}}}
        raw = json.dumps(body).encode()
        signature = hmac.new(hook["secret"].encode(), raw, hashlib.sha256).hexdigest()

        def switch_off():
            hook["is_active"] = False
            self.journal.add("hook-disabled", url=hook["url"])

        self.webhooks.send(hook["url"], f"{event}.{action}", lambda: {
            "Content-Type": "application/json", "User-Agent": "Autopilot", "X-Plane-Delivery": str(uuid.uuid4()), "X-Plane-Event": event,
            "X-Plane-Signature": signature}, raw, attempts=6, retry_s=self.retry_s, on_given_up=switch_off)

    def flat(self, data):
        flat = {key: value for key, value in data.items() if key not in ("state", "project", "labels", "assignees")}
        return {**flat, "state_id": (data.get("state") or {}).get("id"), "project_id": data["project"],
                "label_ids": [label["id"] for label in data.get("labels", [])], "assignee_ids": [], "parent": "None"}


def escaped(text):
    return "<p>" + html.escape(text, quote=False) + "</p>"
