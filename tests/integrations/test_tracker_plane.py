"""A project whose board is Plane, in whole suites: by webhooks alone, by webhooks that go astray, and through outages (I-2, I-3, I-7, B-9, P-9, P-10)."""

import pytest
from support.pipeline import Pipeline
from support.suite import SECRETS

TOKEN = "sim-token"


class Board:
    """Plane as a person in front of it sees it, and the suite that works for it."""

    def __init__(self, suite, plane, line):
        self.suite, self.plane, self.line, self.db = suite, plane, line, suite.database

    def item(self, title="Add a thing", **given):
        return self.plane.create_item(self.plane.shop, title, **{"state": "To Analyse", **given})

    def move(self, item, state):
        self.plane.move(self.plane.shop, item, state)

    def shown(self, item):
        return self.plane.shop.states[item["state"]]["name"]

    def wait_shown(self, item, *states, timeout=90):
        self.suite.wait_for(lambda: self.shown(item) in states, timeout, f"{item['name']} is shown as {states}")

    def comments(self, item):
        return [c["comment_html"] for c in self.plane.shop.comments.values() if c["issue"] == item["id"]]

    def ours(self, item):
        return [c["external_id"] for c in self.plane.shop.comments.values() if c["issue"] == item["id"] and c["external_source"] == "orchestrator"]

    def pass_gates(self, item):
        for seen, verb in (("In Review", "Approved"), ("Awaiting Deploy", "Confirm Deploy")):
            self.wait_shown(item, seen)
            self.move(item, verb)
        self.wait_shown(item, "Done")

    def look_at_all(self):
        """What a sweep of the reconciler does."""
        for item in self.plane.shop.items:
            self.db.query("select orch.look_want(p.id, 'item', %s) from orch.project p where p.tracker = 'plane'", item)
        self.suite.wait_for(lambda: not self.db.value("select count(*) from orch.look"), 60, "everything was looked at")

    def quiet(self):
        def nothing():
            return not self.db.value("select (select count(*) from orch.look) + (select count(*) from orch.event where ended_at is null)"
                                     " + (select count(*) from orch.effect where ended_at is null and port = 'tracker')")
        self.suite.wait_for(nothing, 60, "nothing is under way")

    def task(self, item):
        rows = self.db.query("select * from orch.task where tracker_id = %s", item["id"])
        return rows[0] if rows else None

    def stages(self, item):
        return self.db.column("select stage from orch.task where tracker_id like %s order by id", item["id"] + "%")

    def verdicts(self, item):
        return self.db.column("select d.verdict from orch.decision d join orch.task t on t.id = d.task_id where t.tracker_id like %s order by d.id", item["id"] + "%")


@pytest.fixture
def board(make_suite, plane, project, token_file):
    plane.rate = 100000
    suite = make_suite(http_plain_hosts=plane.url.removeprefix("http://"))
    suite.start()
    project.prefix = "SHOP"
    line = Pipeline(suite, project, endpoint_backoff_s=1, effect_backoff_s=1)
    suite.orchctl("endpoint", "set", "board", plane.url, "--kind", "plane", "--workspace", "acme", "--token-file", token_file, "--per-minute", "100000")
    suite.orchctl("project", "connect", project.name, "tracker", "board", plane.shop.id)
    plane.set_hook(f"http://127.0.0.1:{suite.public.port}/webhook/plane", SECRETS["plane"])
    return Board(suite, plane, line)


def test_an_item_from_the_board_to_done(board, plane):
    """I-2, I-3, P-9: taken in, rejected with a comment, approved, confirmed and done, by the board alone; every comment once."""
    item = board.item("Größen \u202eparsen <b>fett</b>", description="one & two", labels=["bug"], priority="high")
    board.wait_shown(item, "In Review")
    task = board.task(item)
    assert (task["work_item"], task["title"], task["description"], task["labels"], task["priority"]) == ("SHOP-1", item["name"], "one & two", ["bug"], 1)
    plane.say(plane.shop, item, "mind <leap> years")
    board.move(item, "Rejected")
    board.suite.wait_for(lambda: board.db.value("select count(*) from orch.run r join orch.job j on j.id = r.job_id where j.role = 'analyst' and r.ended_at is not null") == 2, 60)
    assert "mind <leap> years" in board.db.value("select input from orch.job where role = 'analyst' order by id desc limit 1")
    board.pass_gates(item)
    assert board.verdicts(item) == ["rejected", "approved", "approved"]
    board.quiet()
    assert len(set(board.ours(item))) == len(board.ours(item)) and not any(":hint:" in marker for marker in board.ours(item))
    assert board.db.value("select account from orch.endpoint where name = 'board'") == plane.keys[TOKEN]["id"]


def test_stop_and_from_scratch(board):
    """C-1, C-3: STOP on the board cancels; To Analyse then makes a new task."""
    item = board.item()
    board.wait_shown(item, "In Review")
    board.move(item, "STOP")
    board.wait_shown(item, "Cancelled")
    board.move(item, "To Analyse")
    board.wait_shown(item, "In Review")
    assert board.db.column("select stage from orch.task order by id") == ["cancelled", "analysis"]


def test_by_hand(board):
    """P-10: a move that means nothing leaves one hint, although two webhooks tell of it."""
    item = board.item()
    board.wait_shown(item, "In Review")
    board.move(item, "Testing")
    board.suite.wait_for(lambda: any("restarts it from scratch" in html for html in board.comments(item)), 60)
    board.look_at_all()
    board.quiet()
    assert len([marker for marker in board.ours(item) if ":hint:" in marker]) == 1 and board.task(item)["stage"] == "analysis"


def test_a_token_that_is_revoked(board, plane, token_file):
    """I-7: one alert, nothing is lost, and it goes on when the file was replaced, without a restart."""
    item = board.item()
    board.wait_shown(item, "In Review")
    board.quiet()
    plane.keys.clear()
    board.move(item, "Approved")
    board.suite.wait_for(lambda: board.db.value("select state from orch.endpoint where name = 'board'") == "denied", 60, "the token is refused")
    board.line.approve("SHOP-1")
    board.line.wait_stage("SHOP-1", "deploy")
    alerts = board.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and object_key like 'alert:endpoint:%%'")
    assert len(alerts) == 1 and str(token_file) in alerts[0]
    plane.add_key("another-token")
    token_file.write_text("another-token\n")
    board.wait_shown(item, "Awaiting Deploy")
    board.quiet()
    assert board.db.value("select count(*) from orch.effect where status = 'dead'") == 0


def test_faults_of_every_kind(board, plane):
    """I-7: calls that fail before and after their effect, wrong JSON and cut answers, make nothing twice and stop nothing for good."""
    plane.faults.set([{"fault": kind, "match": "/api/v1/.*work-items/", "probability": 0.05} for kind in
                      ("error-before", "error-after", "drop-before", "drop-after", "garbage", "cut")] + [{"fault": "limited", "probability": 0.05, "match": "/api/", "retry_after": 1}])
    board.line.setting("effect_max_attempts", 30)
    board.line.setting("look_max_attempts", 30)
    item = board.item()
    board.wait_shown(item, "In Review")
    plane.say(plane.shop, item, "once more")
    board.move(item, "Rejected")
    board.suite.wait_for(lambda: "rejected" in board.verdicts(item), 90, "the rejection is heard")
    board.wait_shown(item, "In Review")
    board.move(item, "STOP")
    board.wait_shown(item, "Cancelled")
    plane.faults.set([])
    board.quiet()
    assert len(set(board.ours(item))) == len(board.ours(item))
    assert not any(":hint:" in marker for marker in board.ours(item)), board.comments(item)


def test_a_timeline_with_webhooks_that_go_astray(board, plane):
    """B-9, R-2: lost, doubled and late deliveries, and now and then one look at everything, end as the same acts do without."""
    def see(item, state):
        """A person acts on what is shown; the sweep finds what no delivery told of."""
        def there():
            for known in plane.shop.items:
                board.db.query("select orch.look_want(p.id, 'item', %s) from orch.project p where p.tracker = 'plane'", known)
            return board.shown(item) == state
        board.suite.wait_for(there, 120, f"{item['name']} is shown as {state}")

    board.line.setting("serial_gate_enabled", "off")
    plane.webhooks.random.seed(3)
    plane.webhooks.lose, plane.webhooks.double, plane.webhooks.late = 0.4, 0.3, 0.4
    first, second = board.item("one"), board.item("two")
    for item, verb in ((first, "STOP"), (second, "Rejected")):
        see(item, "In Review")
        board.move(item, verb)
    see(first, "Cancelled")
    board.suite.wait_for(lambda: "rejected" in board.verdicts(second), 90, "the rejection is heard")
    see(second, "In Review")
    board.move(second, "Approved")
    see(second, "Awaiting Deploy")
    board.move(first, "To Analyse")
    see(first, "In Review")
    board.quiet()
    assert {item["name"]: (board.stages(item), board.verdicts(item), [m for m in board.ours(item) if ":hint:" in m]) for item in (first, second)} == {
        "one": (["cancelled", "analysis"], [], []), "two": (["deploy"], ["rejected", "approved"], [])}
