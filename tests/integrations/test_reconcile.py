"""Every webhook is lost: the sweeps of the reconciler make up for all of them, only slower (R-2, R-5, I-3, I-7)."""

import pytest

from support.pipeline import Pipeline
from support.suite import SECRETS


@pytest.fixture
def board(make_suite, plane, project, token_file):
    """A project whose board is Plane; two workers, two reconcilers; sweeps each second."""
    plane.rate = 100000
    suite = make_suite(workerd_count=2, http_plain_hosts=plane.url.removeprefix("http://")).start()
    project.prefix = "SHOP"
    line = Pipeline(suite, project, endpoint_backoff_s=1, effect_backoff_s=1, tracker_sweep_s=1, tracker_silence_s=5)
    suite.orchctl("endpoint", "set", "board", plane.url, "--kind", "plane", "--workspace", "acme", "--token-file", token_file, "--per-minute", "100000")
    line.db.query("update orch.endpoint set per_minute = null returning 1")
    suite.orchctl("project", "connect", project.name, "tracker", "board", plane.shop.id)
    plane.set_hook(f"http://127.0.0.1:{suite.public.port}/webhook/plane", SECRETS["plane"])
    return line


def shown(plane, item):
    return plane.shop.states[item["state"]]["name"]


def alerts(line):
    return [a["text"] for a in line.db.column("select payload from orch.effect where kind = 'alert' order by id") if "webhook" in a["text"]]


def test_all_webhooks_are_lost(board, plane):
    """R-2, R-5, I-7: to done by sweeps alone, one task, no comment twice; people are told once that no webhook comes, and once when one
    does again."""
    plane.webhooks.lose = 1.0
    item = plane.create_item(plane.shop, "Parse sizes", state="To Analyse")
    other = plane.create_item(plane.shop, "Not to be begun", state="Backlog")
    for seen, verb in (("In Review", "Approved"), ("Awaiting Deploy", "Confirm Deploy")):
        board.wait(lambda seen=seen: shown(plane, item) == seen, 90, f"it is shown as {seen}")
        plane.move(plane.shop, item, verb)
    board.wait(lambda: shown(plane, item) == "Done", 90, "it is done")
    assert board.db.value("select count(*) from orch.event where source = 'plane' and delivery is not null") == 0, "a webhook came"
    assert [(t["stage"], t["tracker_id"]) for t in board.db.query("select * from orch.task")] == [("done", item["id"])]
    ours = [c["external_id"] for c in plane.shop.comments.values() if c["external_source"] == "orchestrator"]
    assert len(ours) == len(set(ours)) and shown(plane, other) == "Backlog"
    board.wait(lambda: len(alerts(board)) == 1, 30, "people are told")
    assert "no webhook comes" in alerts(board)[0]
    plane.webhooks.lose = 0.0
    plane.move(plane.shop, other, "Development")
    board.wait(lambda: len(alerts(board)) == 2, 30, "people are told that it is over")
    assert "come again" in alerts(board)[1]
