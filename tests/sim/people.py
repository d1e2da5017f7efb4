"""What people do in Plane and in Gitea's web pages, over HTTP: for scripts, and for hands with curl.

    POST /_sim/projects                  {"identifier": "SHOP", "name": "Shop"}
    POST /_sim/hook                      {"url": "http://127.0.0.1:8480/webhook/plane", "secret": "plane_wh_…"}
    POST /_sim/items                     {"project": "SHOP", "name": "A title", "description": "…", "state": "To Analyse", "labels": []}
    POST /_sim/items/SHOP-1/move         {"state": "Approved"}
    POST /_sim/items/SHOP-1/comment      {"text": "…"}
    POST /_sim/items/SHOP-2/blocked_by   {"item": "SHOP-1"}
"""

from .plane import Plane
from .service import Refused, Reply, route


class PlaneForPeople(Plane):
    def find(self, key):
        identifier, _, number = key.rpartition("-")
        for project in self.projects.values():
            for item in project.items.values():
                if project.identifier == identifier and str(item["sequence_id"]) == number:
                    return project, item
        raise Refused(404, {"error": f"there is no item {key}"})

    def project_named(self, identifier):
        for project in self.projects.values():
            if project.identifier == identifier:
                return project
        raise Refused(404, {"error": f"there is no project {identifier}"})

    @staticmethod
    def state_of(project, name):
        if name not in {state["name"] for state in project.states.values()}:
            raise Refused(400, {"error": f"there is no state {name}; there are {', '.join(state['name'] for state in project.states.values())}"})
        return name

    @route("POST", "/_sim/projects")
    def people_add_project(self, request):
        body = request.json()
        return Reply(201, self.project_json(self.add_project(body["identifier"], body.get("name", body["identifier"]))))

    @route("POST", "/_sim/hook")
    def people_set_hook(self, request):
        body = request.json()
        self.set_hook(body["url"], body["secret"])
        return Reply(200, {"is_active": True})

    @route("POST", "/_sim/items")
    def people_create(self, request):
        body = request.json()
        project = self.project_named(body.get("project", ""))
        item = self.create_item(project, body.get("name", ""), body.get("description", ""), self.state_of(project, body.get("state", "Backlog")), body.get("labels", ()))
        return Reply(201, {"key": f"{project.identifier}-{item['sequence_id']}", "id": item["id"]})

    @route("POST", r"/_sim/items/(?P<key>[A-Z0-9]+-\d+)/move")
    def people_move(self, request, key):
        project, item = self.find(key)
        self.move(project, item, self.state_of(project, request.json()["state"]))
        return Reply(200, {"key": key, "state": request.json()["state"]})

    @route("POST", r"/_sim/items/(?P<key>[A-Z0-9]+-\d+)/comment")
    def people_comment(self, request, key):
        project, item = self.find(key)
        return Reply(201, self.say(project, item, request.json()["text"]))

    @route("POST", r"/_sim/items/(?P<key>[A-Z0-9]+-\d+)/blocked_by")
    def people_relate(self, request, key):
        project, item = self.find(key)
        self.relate(project, item, "blocked_by", self.find(request.json()["item"])[1])
        return Reply(201, {"key": key})
