"""A board outside, as a model: what people do there, what its looks answer, and which deliveries follow. No daemon, no HTTP."""

import itertools
import json

STATES = ["Backlog:backlog", "To Analyse:unstarted", "Analysis:started", "In Review:started", "Needs Input:started", "Approved:started",
          "Rejected:started", "Architecture:started", "Development:started", "Code Review:started", "Testing:started", "Awaiting Deploy:started",
          "Confirm Deploy:started", "Deploying:started", "Monitoring after Deploy:started", "Done:completed", "Blocked:started",
          "Cancelled:cancelled", "STOP:cancelled"]
US = "00000000-0000-4000-8000-000000000000"


class Board:
    """One project of Plane, connected to the project of a world."""

    def __init__(self, world, states=STATES, endpoint="board", place="p-1", project="demo", per_minute=100000, read=True):
        self.world, self.place, self.project = world, place, project
        self.clock, self.numbers = itertools.count(1), itertools.count(1)
        self.items, self.comments, self.deliveries = {}, {}, []
        self.set_states(states)
        world.operate("endpoint_set", endpoint, "plane", f"https://{endpoint}.example.org", f"/etc/orchestrator/{endpoint}.token", "acme", None, None, per_minute)
        world.operate("project_connect", project, "tracker", endpoint, place)
        if read:
            self.look()

    def set_states(self, states):
        self.states = {f"s-{number}": {"id": f"s-{number}", "name": s.rpartition(":")[0], "group": s.rpartition(":")[2]} for number, s in enumerate(states)}

    def state_id(self, name):
        return next(s["id"] for s in self.states.values() if s["name"] == name)

    def now(self):
        return f"2026-11-20T10:00:00.{next(self.clock):06d}Z"

    # --- what people do; each gives the deliveries that follow, not yet delivered -------------------------------------

    def add(self, name="A thing", state="Backlog", labels=(), priority="none", actor="ann", number=None):
        number = number or next(self.numbers)
        item = {"id": f"i-{number}", "number": number, "name": name, "description": "", "state": self.state_id(state), "priority": priority,
                "labels": list(labels), "updated_at": self.now(), "blocked_by": []}
        self.items[item["id"]], self.comments[item["id"]] = item, []
        self.tell(item, actor)
        return item

    def move(self, item, state, actor="ann"):
        item.update(state=self.state_id(state), updated_at=self.now())
        self.tell(item, actor)
        self.tell(item, actor)  # of its place on the board

    def edit(self, item, actor="ann", **changes):
        item.update(updated_at=self.now(), **changes)
        self.tell(item, actor)

    def say(self, item, text, actor="ann", ours=False):
        comment = {"id": f"c-{next(self.numbers)}", "actor": actor, "text": text, "at": self.now(), "ours": ours}
        self.comments[item["id"]].append(comment)
        self.deliveries.append(("tracker.comment", item["id"], {"comment": comment["id"], "actor": actor}))

    def tell(self, item, actor):
        self.deliveries.append(("tracker.item", item["id"], {"state": item["state"], "actor": actor, "actor_name": actor, "title": item["name"]}))

    # --- what the daemons do -------------------------------------------------------------------------------------------

    def deliver(self, deliveries=None):
        """Into the inbox, as routed; all that were not delivered yet, in order."""
        for kind, item, facts in self.deliveries if deliveries is None else deliveries:
            self.world.db.query("insert into orch.event (source, body, status, key, kind, project, object, facts) values ('plane', '', 'routed', %s, %s, %s, %s, %s) returning 1",
                                f"plane:{self.place}:{item}", kind, self.place, item, json.dumps(facts))
        if deliveries is None:
            self.deliveries = []

    def answer(self, look):
        if look["kind"] == "states":
            return {"account": US, "states": list(self.states.values())}
        item = self.items.get(look["object"])
        if item is None:
            return None
        shown = {k: v for k, v in item.items() if k != "blocked_by" or look["parts"] & 1}
        return {**shown, "comments": self.comments[item["id"]]} if look["parts"] & 2 else shown

    def look(self):
        """Asks and answers until nothing is wanted; gives what was said."""
        said = []
        while looks := self.world.call("look_claim", self.world.process, self.world.epoch, 8):
            for look in looks:
                answer = self.answer(look)
                said.append(self.world.call("look_finish", look["project_id"], look["kind"], look["object"], look["token"],
                                            "ok" if answer is not None else "not-found", json.dumps(answer), None, None)[0]["look_finish"])
        return said

    def show(self):
        """Executes the effects of the tracker, as workerd does; gives what was shown."""
        shown = []
        while effects := [f for f in self.world.call("effect_claim", self.world.process, self.world.epoch, 50) if f["port"] == "tracker"]:
            for f in effects:
                said, answer = self.execute(f)
                self.world.call("effect_finish", f["effect_id"], f["epoch"], f["token"], "done" if said == "ok" else "dead", said, None, said, answer and json.dumps(answer))
                shown.append((f["kind"], said, f["payload"].get("state") or f["payload"].get("text")))
        if shown:
            self.world.db.query("update orch.effect set run_at = clock_timestamp() where status = 'pending' returning 1")
        return shown

    def execute(self, f):
        given, item = f["payload"], self.items.get(f["payload"]["item"])
        if item is None:
            return "not-found", None
        if f["kind"] == "comment":
            if not any(c.get("marker") == given["marker"] for c in self.comments[item["id"]]):
                self.say(item, given["text"], US, ours=True)
                self.comments[item["id"]][-1]["marker"] = given["marker"]
            return "ok", None
        if item["state"] != given["remote"]:
            if item["state"] in given["keep"].split():
                return "conflict", None
            if given["remote"] not in self.states:
                return "refused", None
            item.update(state=given["remote"], updated_at=self.now())
            self.tell(item, US)
        return "ok", {"state": item["state"], "updated_at": item["updated_at"]}

    def settle(self):
        """Everything that follows, until nothing does; gives the outcomes of events."""
        outcomes = []
        while True:
            self.deliver()
            did = self.world.handle_events()
            outcomes += did
            if not (did + self.look() + self.show()):
                return outcomes

    def shown(self, item):
        return self.states[item["state"]]["name"]

    def hints(self, item):
        return [c["text"] for c in self.comments[item["id"]] if c["ours"] and ":hint:" in c.get("marker", "")]
