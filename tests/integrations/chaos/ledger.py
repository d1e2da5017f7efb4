"""What must be true out there when all is over, whatever was lost, doubled, reordered, refused or killed meanwhile.

Everything is read from the services themselves, not from what the suite believes. Each check gives the violations it finds.
"""

import collections
import re


def more_than_once(things):
    return [thing for thing, times in collections.Counter(things).items() if times > 1]


def ends(world, wishes):
    """R-2, I-7: each item is where a run without faults ends it, on the board and here; R-5: by one task."""
    for wish in wishes:
        rows = world.database.query("select work_item, stage from orch.task where work_item = %s or work_item like %s", wish.key, wish.key + "#cancelled-%")
        if [row["stage"] for row in rows] != [wish.end]:
            yield f"{wish.key} ({wish.plan}) is {[row['stage'] for row in rows]} and should be {wish.end}"
        if not wish.is_over:
            yield f"{wish.key} ({wish.plan}) is shown in {wish.shown}"


def comments(world, wishes):
    """No comment twice: neither by its marker nor by what it says."""
    for board in world.boards:
        ours = [comment for comment in board.comments.values() if comment.get("external_source")]
        for issue, marker in more_than_once((comment["issue"], comment["external_id"]) for comment in ours):
            yield f"comment {marker} of item {issue} is there twice"


def pulls_and_merges(world, wishes):
    """One pull request and one merge for each item that is done; nothing of what was stopped."""
    for board, repo in zip(world.boards, world.repos):
        mine = [wish for wish in wishes if wish.board is board]
        branches = collections.defaultdict(list)
        for pull in repo.pulls.values():
            branches[re.sub(r"^feature/([A-Z]+-\d+)-.*", r"\1", pull["head"])].append(pull)
        merged = [name for line in repo.bare.commits("main", 10000) for name in re.findall(r"^Merge ([A-Z]+-\d+)", line["message"])]
        for wish in mine:
            pulls, wanted = branches.pop(wish.key, []), int(wish.end == "done")
            if len(pulls) != wanted and not (wish.end == "cancelled" and not any(pull["merged"] for pull in pulls)):
                yield f"{wish.key} has {len(pulls)} pull requests"
            if sum(bool(pull["merged"]) for pull in pulls) != wanted or merged.count(wish.key) != wanted:
                yield f"{wish.key} ({wish.end}) was merged {merged.count(wish.key)} times"
        if branches:
            yield f"pull requests of nobody: {sorted(branches)}"
        done = tuple(f"feature/{wish.key}-" for wish in mine if wish.end == "done")
        left = [branch for branch in repo.bare.branches() if branch != "main" and not branch.startswith(done or ("none/",))]
        if left:
            yield f"branches of what was stopped are left in {repo.full_name}: {left}"


def hooks(world, wishes):
    for repo in world.repos:
        if len(repo.hooks) != 1 or not next(iter(repo.hooks.values()))["active"]:
            yield f"{repo.full_name} has {len(repo.hooks)} webhooks"


def cards(world, wishes):
    """I-5: one message for each task, which shows how it ended. A first one whose answer was lost may be there besides."""
    messages = world.telegram.sent(next(iter(world.telegram.chats)))
    lost = sum(entry["kind"] == "request" and entry.get("fault") in ("error-after", "drop-after") and entry["done"] and entry["path"].endswith("/sendMessage")
               for entry in world.telegram.journal.since(0))
    shown = collections.Counter()
    for wish in wishes:
        mine = [message for message in messages if message["html"].startswith(f"<b>{wish.key}</b>")]
        shown[wish.key] = len(mine)
        if not any(("Done" if wish.end == "done" else "Cancelled") in message["text"] for message in mine):
            yield f"no card says how {wish.key} ended: {[message['text'] for message in mine]}"
    doubled = sum(number - 1 for number in shown.values() if number > 1)
    if doubled > lost:
        yield f"{doubled} cards are there twice, and {lost} answers were lost"


def nothing_given_up(world, wishes):
    for letter in world.database.query("select letter, kind, object, detail from orch.dead_letter"):
        yield f"given up: {letter}"


def agents(world, wishes):
    """J-1: no agent has met another of its item and role."""
    for mark in world.agents.marks("overlap"):
        yield f"two agents at once: {mark}"


CHECKS = (ends, comments, pulls_and_merges, hooks, cards, nothing_given_up, agents)


def violations(world, wishes):
    return [f"{check.__name__}: {found}" for check in CHECKS for found in check(world, wishes)]
