"""The ledger of the chaos runs (tests/integrations/chaos): it refuses what is wrong, each in its own words."""

import types

import pytest

from integrations.chaos import ledger
from integrations.chaos.people import Wish
from sim.gitea import Gitea
from sim.people import PlaneForPeople
from sim.telegram import Telegram

CHAT = -1001
CARD = "<b>PA-{}</b> x\n✅ {} since 2026-11-20 20:00 UTC"


class Repository:
    """What the ledger asks of a repository."""

    def __init__(self):
        self.merges, self.left = ["Merge PA-1: x (#1)"], ["main", "feature/PA-1-x"]

    def commits(self, spec, limit):
        return [{"id": str(number), "message": message} for number, message in enumerate(self.merges)]

    def branches(self):
        return dict.fromkeys(self.left)


@pytest.fixture
def world(tmp_path):
    """PA-1 was done, PA-2 was stopped, and all is as it should be."""
    plane, gitea, telegram = PlaneForPeople(), Gitea(tmp_path), Telegram()
    board, repo = plane.add_project("PA", "pa"), gitea.add_repo("acme", "pa")
    done, stopped = (Wish(board, plane.create_item(board, "x", state=state), plan) for state, plan in (("Done", "straight"), ("Cancelled", "stopped")))
    done.acts, stopped.acts = [], []
    repo.bare, repo.hooks = Repository(), {1: {"active": True}}
    repo.pulls = {1: {"number": 1, "head": "feature/PA-1-x", "merged": True}}
    telegram.chats.add(CHAT)
    world = types.SimpleNamespace(plane=plane, gitea=gitea, telegram=telegram, boards=[board], repos=[repo], wishes=[done, stopped], letters=[],
                                  stages={"PA-1": ["done"], "PA-2": ["cancelled"]}, agents=types.SimpleNamespace(marks=lambda what: []))
    world.database = types.SimpleNamespace(query=lambda statement, *args: world.letters if "dead_letter" in statement else [{"stage": stage} for stage in world.stages[args[0]]])
    world.say = lambda text: telegram.messages.update({(CHAT, len(telegram.messages)): {"chat": CHAT, "html": text, "text": text}})
    world.say(CARD.format(1, "Done"))
    world.say(CARD.format(2, "Cancelled"))
    yield world
    for service in (plane, gitea, telegram):
        service.stop()


def comment(world, marker):
    world.boards[0].comments[len(world.boards[0].comments)] = {"issue": "i", "external_id": marker, "external_source": "orchestrator"}


WRONG = {
    "a second task": (lambda w: w.stages.update({"PA-1": ["done", "analysis"]}), "ends: PA-1 (straight) is ['done', 'analysis'] and should be done"),
    "another end": (lambda w: w.stages.update({"PA-2": ["done"]}), "ends: PA-2 (stopped) is ['done'] and should be cancelled"),
    "another state": (lambda w: w.plane.move(w.boards[0], w.wishes[0].item, "Testing"), "ends: PA-1 (straight) is shown in Testing"),
    "a comment twice": (lambda w: (comment(w, "m"), comment(w, "m")), "comments: comment m of item i is there twice"),
    "a second pull request": (lambda w: w.repos[0].pulls.update({2: {"number": 2, "head": "feature/PA-1-x", "merged": False}}), "pulls_and_merges: PA-1 has 2 pull requests"),
    "a second merge": (lambda w: w.repos[0].bare.merges.append("Merge PA-1: x (#1)"), "pulls_and_merges: PA-1 (done) was merged 2 times"),
    "a merge of what was stopped": (lambda w: w.repos[0].bare.merges.append("Merge PA-2: x (#2)"), "pulls_and_merges: PA-2 (cancelled) was merged 1 times"),
    "no merge": (lambda w: w.repos[0].bare.merges.clear(), "pulls_and_merges: PA-1 (done) was merged 0 times"),
    "a pull request of nobody": (lambda w: w.repos[0].pulls.update({3: {"number": 3, "head": "feature/PA-9-y", "merged": False}}), "pulls_and_merges: pull requests of nobody: ['PA-9']"),
    "a branch of what was stopped": (lambda w: w.repos[0].bare.left.append("feature/PA-2-x"), "pulls_and_merges: branches of what was stopped are left in acme/pa: ['feature/PA-2-x']"),
    "a second webhook": (lambda w: w.repos[0].hooks.update({2: {"active": True}}), "hooks: acme/pa has 2 webhooks"),
    "a webhook that is off": (lambda w: w.repos[0].hooks.update({1: {"active": False}}), "hooks: acme/pa has 1 webhooks"),
    "a second card": (lambda w: w.say(CARD.format(1, "Done")), "cards: 1 cards are there twice, and 0 answers were lost"),
    "a card that stayed behind": (lambda w: w.telegram.messages.pop((CHAT, 1)), "cards: no card says how PA-2 ended: []"),
    "a dead letter": (lambda w: w.letters.append({"letter": "effect-1"}), "nothing_given_up: given up: {'letter': 'effect-1'}"),
    "two agents at once": (lambda w: setattr(w.agents, "marks", lambda what: ["overlap PA-1"]), "agents: two agents at once: overlap PA-1"),
}


def test_what_is_right_is_right(world):
    assert ledger.violations(world, world.wishes) == []


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_found(world, fault):
    breaks, says = WRONG[fault]
    breaks(world)
    assert says in ledger.violations(world, world.wishes)
