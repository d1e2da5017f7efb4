"""Work items of the simulated Plane: their state, comments, labels and relations, and what people do with them."""

import uuid

from .service import Reply, route

WORKSPACE = "/api/v1/workspaces/(?P<slug>[^/]+)"
ITEMS = WORKSPACE + "/projects/(?P<project>[^/]+)/(?P<segment>issues|work-items)"
ITEM = ITEMS + "/(?P<item>[^/]+)"
RELATIONS = ("blocking", "blocked_by", "duplicate", "relates_to", "start_before", "start_after", "finish_before", "finish_after")


class Items:
    """Part of Plane."""

    def items(self, request, slug, project, segment):
        project = self.project(request, slug, project)
        return project if segment in self.segments else None

    def item_of(self, request, slug, project, segment, item):
        found = self.items(request, slug, project, segment)
        return found, found.items.get(item) if found else None

    # --- how an item looks -------------------------------------------------------------------------------------------

    def item_json(self, project, item, request=None):
        out = {key: value for key, value in item.items() if key != "relations"}
        out["project"] = project.id
        for key in (request.query.get("expand", "") if request else "").split(","):
            if key == "state":
                out["state"] = project.states[item["state"]]
            elif key == "labels":
                out["labels"] = [project.labels[label] for label in item["labels"]]
        fields = request.query.get("fields") if request else None
        return {key: out[key] for key in fields.split(",") if key in out} if fields else out

    def event_json(self, project, item):
        state = project.states[item["state"]]
        return {**self.item_json(project, item), "state": {key: state[key] for key in ("id", "name", "color", "group")},
                "labels": [project.labels[label] for label in item["labels"]], "assignees": []}

    def changed(self, project, item, field, old, new, actor):
        self.emit("issue", "updated", self.event_json(project, item),
                  {"field": field, "old_value": old, "new_value": new, "old_identifier": None, "new_identifier": None}, actor)

    # --- what people do in the web -----------------------------------------------------------------------------------

    def create_item(self, project, name, description="", state="Backlog", labels=(), priority="none", user="ann"):
        from .plane import escaped, timestamp
        actor = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, user)), "display_name": user}
        with self.lock:
            item = {"id": str(uuid.uuid4()), "name": name, "sequence_id": project.next_sequence, "state": project.state_named(state)["id"],
                    "labels": [self.label(project, label) for label in labels], "assignees": [], "priority": priority, "parent": None, "type": None,
                    "description_html": escaped(description), "description_stripped": description, "created_at": timestamp(), "updated_at": timestamp(),
                    "completed_at": None, "archived_at": None, "is_draft": False, "external_id": None, "external_source": None,
                    "created_by": actor["id"], "updated_by": actor["id"], "relations": {kind: [] for kind in RELATIONS}}
            project.next_sequence += 1
            project.items[item["id"]] = item
            self.emit("issue", "created", self.event_json(project, item), {"field": None, "old_value": None, "new_value": None}, actor)
            return item

    def label(self, project, name):
        for label in project.labels.values():
            if label["name"] == name:
                return label["id"]
        label = {"id": str(uuid.uuid4()), "name": name, "color": "#f00"}
        project.labels[label["id"]] = label
        return label["id"]

    def move(self, project, item, state, user="ann"):
        """Drags a card: two deliveries, of the state and of the order."""
        from .plane import timestamp
        actor = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, user)), "display_name": user}
        with self.lock:
            old, item["state"] = item["state"], project.state_named(state)["id"]
            item["updated_at"] = timestamp()
            self.changed(project, item, "state_id", old, item["state"], actor)
            self.changed(project, item, "sort_order", 65535, 75535, actor)

    def say(self, project, item, text, user="ann"):
        from .plane import escaped
        actor = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, user)), "display_name": user}
        with self.lock:
            return self.add_comment(project, item, {"comment_html": escaped(text)}, actor)

    def relate(self, project, item, kind, other):
        """Relations tell nobody."""
        opposite = {"blocked_by": "blocking", "blocking": "blocked_by"}.get(kind, kind)
        with self.lock:
            item["relations"][kind].append((project.id, other["id"]))
            other["relations"][opposite].append((project.id, item["id"]))

    # --- the API -----------------------------------------------------------------------------------------------------

    @route("GET", ITEMS + "/")
    def list_items(self, request, slug, project, segment):
        project = self.items(request, slug, project, segment)
        if project is None:
            return Reply(404, {"error": "Page not found."})
        with self.lock:
            external = request.query.get("external_id"), request.query.get("external_source")
            if all(external):
                for item in project.items.values():
                    if (item["external_id"], item["external_source"]) == external:
                        return Reply(200, self.item_json(project, item, request))
                return Reply(404, {"error": "The requested resource does not exist."})
            order = request.query.get("order_by", "-created_at")
            key = order.lstrip("-") if order.lstrip("-") in ("created_at", "updated_at", "sequence_id") else "created_at"
            items = sorted(project.items.values(), key=lambda item: item[key], reverse=order.startswith("-"))
            return self.page(request, [self.item_json(project, item, request) for item in items if not item["archived_at"]])

    @route("GET", ITEM + "/")
    def get_item(self, request, slug, project, segment, item):
        project, item = self.item_of(request, slug, project, segment, item)
        if item is None or item["archived_at"]:
            return Reply(404, {"error": "The requested resource does not exist."})
        return Reply(200, self.item_json(project, item, request))

    @route("GET", WORKSPACE + r"/(?P<segment>issues|work-items)/(?P<key>[A-Z0-9]+-\d+)/")
    def item_by_key(self, request, slug, segment, key):
        self.user(request)
        for project in self.projects.values():
            for item in project.items.values():
                if f"{project.identifier}-{item['sequence_id']}" == key:
                    return Reply(200, self.item_json(project, item, request))
        return Reply(404, {"error": "The requested resource does not exist."})

    @route("PATCH", ITEM + "/")
    def edit_item(self, request, slug, project, segment, item):
        from .plane import timestamp
        project, item = self.item_of(request, slug, project, segment, item)
        if item is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        actor, body = self.user(request), request.json()
        with self.lock:
            if "state" in body and body["state"] not in project.states:
                return Reply(400, {"state": ["State is not valid please pass a valid state_id"]})
            for field in ("state", "labels", "name", "priority", "description_html"):
                if field in body and body[field] != item[field]:
                    value = [label for label in body[field] if label in project.labels] if field == "labels" else body[field]
                    old, item[field], item["updated_at"] = item[field], value, timestamp()
                    self.changed(project, item, field, old, value, actor)
            return Reply(200, self.item_json(project, item))

    @route("GET", ITEM + "/comments/")
    def list_comments(self, request, slug, project, segment, item):
        project, item = self.item_of(request, slug, project, segment, item)
        if item is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        return self.page(request, [comment for comment in project.comments.values() if comment["issue"] == item["id"]])

    def add_comment(self, project, item, body, actor):
        from .plane import timestamp
        comment = {"id": str(uuid.uuid4()), "comment_html": str(body.get("comment_html", "")), "issue": item["id"], "project": project.id,
                   "actor": actor["id"], "created_by": actor["id"], "access": body.get("access", "INTERNAL"), "external_id": body.get("external_id"),
                   "external_source": body.get("external_source"), "created_at": timestamp(), "updated_at": timestamp(), "parent": None}
        project.comments[comment["id"]] = comment
        self.emit("issue_comment", "created", comment, {"field": None, "old_value": None, "new_value": None}, actor)
        return comment

    @route("POST", ITEM + "/comments/")
    def create_comment(self, request, slug, project, segment, item):
        project, item = self.item_of(request, slug, project, segment, item)
        if item is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        actor, body = self.user(request), request.json()
        if not isinstance(body.get("comment_html"), str):
            return Reply(400, {"comment_html": ["This field is required."]})
        with self.lock:
            external = body.get("external_id"), body.get("external_source")
            for comment in project.comments.values():
                if all(external) and (comment["external_id"], comment["external_source"]) == external:
                    return Reply(409, {"error": "Comment with the same external id and external source already exists", "id": comment["id"]})
            return Reply(201, self.add_comment(project, item, body, actor))

    @route("PATCH", ITEM + "/comments/(?P<comment>[^/]+)/")
    def edit_comment(self, request, slug, project, segment, item, comment):
        project, item = self.item_of(request, slug, project, segment, item)
        found = project.comments.get(comment) if item else None
        if found is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        with self.lock:
            found["comment_html"] = str(request.json().get("comment_html", found["comment_html"]))
            return Reply(200, found)

    @route("POST", ITEM + "/links/")
    def create_link(self, request, slug, project, segment, item):
        project, item = self.item_of(request, slug, project, segment, item)
        if item is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        with self.lock:
            links, url = item.setdefault("links", []), request.json().get("url")
            if url in links:
                return Reply(400, {"error": "URL already exists for this Issue"})
            links.append(url)
            return Reply(201, {"id": str(uuid.uuid4()), "url": url})

    @route("GET", WORKSPACE + "/projects/(?P<project>[^/]+)/work-items/(?P<item>[^/]+)/relations/")
    def list_relations(self, request, slug, project, item):
        project, item = self.item_of(request, slug, project, "work-items", item)
        if item is None:
            return Reply(404, {"error": "The requested resource does not exist."})
        as_object = self.relations_as_objects
        return Reply(200, {kind: [{"project_id": project_id, "issue_id": issue} if as_object else issue for project_id, issue in pairs]
                           for kind, pairs in item["relations"].items()})
