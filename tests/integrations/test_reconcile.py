"""Every webhook is lost: the sweeps of the reconciler make up for all of them, only slower (R-2, R-5, I-3, I-7)."""

import subprocess

import pytest

from sim.bare import ENVIRONMENT
from support.pipeline import Pipeline
from support.suite import SECRETS


@pytest.fixture
def connected(make_suite, plane, gitea, project, token_file):
    """A project whose board is Plane; two workers; sweeps each second. With forge=True its repository is at Gitea, which tests it."""
    def connect(forge, hook=True):
        plane.rate = 100000
        suite = make_suite(workerd_count=2, http_plain_hosts=f"127.0.0.1:{plane.port},127.0.0.1:{gitea.port}").start()
        project.prefix = "SHOP"
        line = Pipeline(suite, project, endpoint_backoff_s=1, effect_backoff_s=1, tracker_sweep_s=1, tracker_silence_s=5, stage_grace_s=0, hook_check_s=1)
        line.hook = f"http://127.0.0.1:{suite.public.port}/webhook"
        suite.orchctl("endpoint", "set", "board", plane.url, "--kind", "plane", "--workspace", "acme", "--token-file", token_file, "--per-minute", "100000")
        suite.orchctl("project", "connect", project.name, "tracker", "board", plane.shop.id)
        plane.set_hook(f"{line.hook}/plane", SECRETS["plane"])
        if forge:
            line.repo = gitea.add_repo("acme", "demo")
            subprocess.run(["git", "-C", str(project.work), "push", "-q", str(line.repo.bare.path), "main"], check=True, env=ENVIRONMENT)
            line.repo.ci_command = "sh check.sh"
            if hook:
                make_hook(line)
            suite.orchctl("endpoint", "set", "git", gitea.url, "--kind", "gitea", "--token-file", token_file, "--hook-url", f"{line.hook}/gitea")
            suite.orchctl("project", "connect", project.name, "forge", "git", "acme/demo")
            suite.orchctl("project", "set", project.name, "ci", "forge")
        return line

    return connect


def make_hook(line):
    line.repo.hooks[1] = {"id": 1, "type": "gitea", "active": True, "events": ["push", "delete", "pull_request", "status"], "branch_filter": "", "authorization_header": "",
                          "config": {"url": f"{line.hook}/gitea", "content_type": "json", "secret": SECRETS["gitea"]}}


def shown(plane, item):
    return plane.shop.states[item["state"]]["name"]


def alerts(line):
    return [a["text"] for a in line.db.column("select payload from orch.effect where kind = 'alert' order by id") if "webhook" in a["text"]]


def test_all_webhooks_are_lost(connected, plane, gitea):
    """R-1, R-2, R-5, I-3, I-7: of Plane and of Gitea, which tests the branch: to done by sweeps alone, one task, no comment twice; people are told
    once that no webhook comes, and once when one does again."""
    plane.webhooks.lose = gitea.webhooks.lose = 1.0
    board = connected(forge=True)
    item = plane.create_item(plane.shop, "Parse sizes", state="To Analyse")
    other = plane.create_item(plane.shop, "Not to be begun", state="Backlog")
    for seen, verb in (("In Review", "Approved"), ("Awaiting Deploy", "Confirm Deploy")):
        board.wait(lambda seen=seen: shown(plane, item) == seen, 90, f"it is shown as {seen}")
        plane.move(plane.shop, item, verb)
    board.wait(lambda: shown(plane, item) == "Done", 90, "it is done")
    assert board.db.value("select count(*) from orch.event where delivery is not null") == 0, "a webhook came"
    assert [(t["stage"], t["tracker_id"]) for t in board.db.query("select * from orch.task")] == [("done", item["id"])]
    ours = [c["external_id"] for c in plane.shop.comments.values() if c["external_source"] == "orchestrator"]
    assert len(ours) == len(set(ours)) and shown(plane, other) == "Backlog"
    board.wait(lambda: len(alerts(board)) == 1, 30, "people are told")
    assert "no webhook comes" in alerts(board)[0]
    plane.webhooks.lose = 0.0
    plane.move(plane.shop, other, "Development")
    board.wait(lambda: len(alerts(board)) == 2, 30, "people are told that it is over")
    assert "come again" in alerts(board)[1]


def test_a_webhook_of_the_forge_that_is_gone_or_off(connected, project, gitea):
    """I-3: looked at each minute (here: second); one alert when it is not there, none while that is so, one when it is. Made anew where that is
    allowed, with our secret."""
    line = connected(forge=True, hook=False)
    line.wait(lambda: len(alerts(line)) == 1, 30, "people are told")
    assert f"no webhook to {line.hook}/gitea" in alerts(line)[0] and not line.repo.hooks
    line.suite.orchctl("project", "set", project.name, "repair_hooks", "on")
    line.wait(lambda: len(alerts(line)) == 2, 30, "people are told that it is there")
    [made] = line.repo.hooks.values()
    project.commit({"b.txt": "b\n"}, "Change")
    gitea.set_status(line.repo, project.head(), "ci / other", "success", "fine")
    line.wait(lambda: line.db.value("select count(*) from orch.event where source = 'gitea'"), 30, "a webhook came, and was taken")
    looked = len(gitea.journal.entries)
    made["active"] = False
    line.wait(lambda: len(alerts(line)) == 3, 30, "people are told that it is off")
    line.wait(lambda: sum(entry.get("path", "").endswith("/hooks") for entry in gitea.journal.since(looked)) > 4, 30, "it was looked at again and again")
    assert "switched off" in alerts(line)[2]
