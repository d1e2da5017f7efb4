#!/usr/bin/python3 -B
"""timeline.py ITEM...: what happened to work items, to look at and to read: who, what, when.

A picture of all of them on one clock; then for each item a picture of its stages, and below it its story line by line. Made of
what `orchctl item show ITEM --json` says, so it works for any item. orchctl is found in PATH, its configuration in ORCH_CONFIG.
"""

import datetime
import json
import sys

import board

WIDTH = 64
STAGES = {"analysis": "A", "architecture": "a", "development": "D", "review": "R", "testing": "T", "deploy-staging": "S", "deploy": "P",
          "production": "W"}
LEGEND = "█ at work   ░ waits   ☺ a person acted   ✗ sent back   ■ stopped   ● probe window"
BAD = ("REQUEST_CHANGES", "FAIL", "FAILED")


def when(text):
    return datetime.datetime.fromisoformat(text).timestamp() if text else None


class Life:
    """One task of an item: from its intake to its end, and what was seen in production after it. An item that was cancelled and
    begun again has had two."""

    def __init__(self, document, name=None, notes=()):
        self.document, self.task = document, document["task"]
        self.name, self.title = name or self.task["work_item"], self.task["title"]
        self.history, self.runs = document["history"], document["runs"]
        self.values = {}  # of a run: the verdict that it gave
        for evidence in document["evidence"]:
            self.values.setdefault(evidence["run"], []).append(evidence)
        self.began = when(self.task["created_at"])
        self.watch = document.get("observation") or {}
        self.visits = list(self._visits())
        self.notes = [note for note in notes if note["item"] == self.name]
        self.ended = max([self.began, *(when(h["at"]) for h in self.history), *(n["at"] for n in self.notes)])

    def _visits(self):
        """(stage, entered, left) in order; production is one more, while it is watched."""
        moves = [h for h in self.history if h["kind"] == "stage"]
        for move, following in zip(moves, [*moves[1:], None]):
            if move["to"] in STAGES:
                yield move["to"], when(move["at"]), when(following["at"]) if following else None
        if self.watch:
            yield "production", when(self.watch["began_at"]), when(self.watch["ended_at"])

    def sent_back(self, run):
        return run["outcome"] not in ("success", "cancelled", None) or any(e["value"] in BAD for e in self.values.get(run["run"], []))

    def ended_in(self, stage):
        """When it came there; infinitely late if it never did."""
        return max((when(h["at"]) for h in self.history if h["to"] == stage), default=float("inf"))

    def first_work(self):
        return min((when(run["started_at"]) for run in self.runs), default=self.began)


# --- pictures ------------------------------------------------------------------------------------------------------

class Clock:
    def __init__(self, began, ended):
        self.began, self.span = began, max(ended - began, 0.1)

    def column(self, at):
        return max(0, min(WIDTH - 1, int((at - self.began) / self.span * WIDTH)))

    def ruler(self):
        step = next(s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 86400, 10**9) if self.span / s <= 6)
        cells = [" "] * (WIDTH + 8)
        for n in range(int(self.span / step) + 1):
            text = f"{n * step:g} s"
            at = int(n * step / self.span * WIDTH)
            cells[at:at + len(text)] = text
        return "".join(cells).rstrip()


class Row:
    def __init__(self, clock):
        self.clock, self.cells = clock, [" "] * WIDTH

    def fill(self, began, ended, mark):
        """From the column of the beginning on; at least that one."""
        first, last = self.clock.column(began), self.clock.column(ended)
        self.cells[first:max(last, first + 1)] = mark * max(last - first, 1)

    def mark(self, at, mark):
        self.cells[self.clock.column(at)] = mark

    def text(self):
        return "".join(self.cells).rstrip()


def stage_row(life, stage, clock):
    row = Row(clock)
    for name, entered, left in life.visits:
        if name == stage:
            row.fill(max(entered, clock.began), left or life.ended, "●" if stage == "production" else "░")
    runs = [run for run in life.runs if run["stage"] == stage and run["ended_at"]]
    for run in runs:
        row.fill(when(run["started_at"]), when(run["ended_at"]), "█")
    for run in runs:
        if run["outcome"] == "cancelled" or life.sent_back(run):
            row.mark(when(run["ended_at"]), "■" if run["outcome"] == "cancelled" else "✗")
    for h in life.history:
        if h["kind"] == "decision" and (h["detail"].get("stage") == stage):
            row.mark(when(h["at"]), "☺")
    if stage == "production" and life.watch.get("state") == "DEGRADED":
        row.mark(when(life.watch["ended_at"]), "✗")
    return row.text()


def picture(life):
    """One row for each stage that it has been in; the clock begins when somebody begins to work at it."""
    clock = Clock(life.first_work(), life.ended)
    yield f"  {'':14}{clock.ruler()}"
    for stage in STAGES:
        if any(name == stage for name, _, _ in life.visits):
            roles = [run["role"] for run in life.runs if run["stage"] == stage]
            who = ", ".join(f"{role}{f' ×{roles.count(role)}' if roles.count(role) > 1 else ''}" for role in dict.fromkeys(roles))
            yield f"  {stage:14}{stage_row(life, stage, clock):{WIDTH}}  {who}".rstrip()


def overview(lives, notes=()):
    """One row for each life: a letter for the stage in which somebody works, on one clock."""
    clock = Clock(min(life.began for life in lives), max(life.ended for life in lives))
    yield f"  {'':18}{clock.ruler()}"
    for life in lives:
        row = Row(clock)
        for _, entered, left in life.visits:
            row.fill(entered, left or life.ended, "░")
        for run in life.runs:
            row.fill(when(run["started_at"]), when(run["ended_at"]) or life.ended, STAGES[run["stage"]])
        if life.watch:
            row.fill(when(life.watch["began_at"]), when(life.watch["ended_at"]) or life.ended, "w")
        for run in life.runs:
            if run["outcome"] == "cancelled" or life.sent_back(run):
                row.mark(when(run["ended_at"]), "■" if run["outcome"] == "cancelled" else "✗")
        yield f"  {life.name:18}{row.text()}"
    frozen = [when(h["at"]) for life in lives for h in life.history if h["kind"] == "freeze"]
    if frozen:
        row = Row(clock)
        row.fill(min(frozen), max([n["at"] for n in notes if n["opens"]], default=clock.began + clock.span), "═")
        yield f"  {'repo frozen':18}{row.text()}"
    yield "  A analysis  a architecture  D development  R review  T testing  S staging  P deploy  w watched  ░ waits  ✗ sent back  ■ stopped"


# --- lines ---------------------------------------------------------------------------------------------------------

def outcome_line(life, h):
    run = next((r for r in life.runs if r["job"] == h["job"] and r["epoch"] == h["epoch"]), {})
    found = life.values.get(run.get("run"), [])
    worked = f" ({when(run['ended_at']) - when(run['started_at']):.1f} s)" if run.get("ended_at") else ""
    said = h["detail"].get("reason") or ""
    if h["detail"].get("outcome") == "cancelled":
        return f"■ stopped{worked}"
    if h["detail"].get("outcome") != "success":
        return f"✗ {h['detail'].get('outcome')}: {said}{worked}"
    if found:
        files = ", ".join(e["file"].rsplit("/", 1)[-1] for e in found if e["file"])
        value = found[-1]["value"]
        return f"{'✗' if value in BAD else '✓'} {value}{f' in {files}' if files else ''}{worked}"
    return f"✓ {said.split(' to feature/')[0]}{worked}"


def line(life, h):
    """(who, what) of a row of history; None for what only repeats another."""
    detail, kind = h["detail"], h["kind"]
    who = "pipeline" if h["actor"].startswith("process") or h["actor"].startswith("pipeline") else h["actor"].replace("orch_operator", "person")
    if kind == "intake":
        return who, f"created: {life.title}"
    if kind == "stage" and h["from"] != "created":
        back = h["from"] in STAGES and h["to"] in STAGES and list(STAGES).index(h["to"]) < list(STAGES).index(h["from"])
        return "gate" if who == "pipeline" else who, f"{'↩' if back else '→'} {h['to']}{': ' + detail['reason'] if detail.get('reason') else ''}"
    if kind == "outcome":
        return detail.get("role", who), outcome_line(life, h)
    if kind == "decision":
        return who, f"☺ {detail['verdict']} {detail.get('gate', '')}"
    if kind == "deploy":
        return "deploy", f"the {detail.get('kind', 'deploy')} begins" if detail.get("initiated") else f"{detail.get('kind', 'deploy')} {detail['status']}: {detail.get('reason')}"
    if kind == "observe" and detail.get("began"):
        return "monitor", f"● watches production: {detail['checks_total']} probes in {detail['window_s']} s"
    if kind == "observe":
        verdict = detail.get("verdict")
        return "monitor", f"{'✗' if verdict == 'DEGRADED' else '✓'} {verdict}: {detail['reason']}" if verdict else detail.get("rolled_back", "the watch goes on")
    if kind == "freeze":
        return "monitor", f"freezes repo {detail['repo']}: {detail['reason']}"
    if kind == "cancel":
        return who, "■ STOP" + (" is done: agents stopped, branch deleted, all reset" if detail.get("applied") else f": {detail.get('reason') or 'asked for'}")
    return None


def lines(life, zero):
    rows = [(when(h["at"]), line(life, h)) for h in life.history]
    waited = life.first_work() - life.began
    if waited >= 1 and life.runs:
        rows.append((life.first_work() - 0.001, ("queue", f"its turn, after {waited:.1f} s of waiting")))
    rows += [(note["at"], (note["who"], note["what"])) for note in life.notes]
    for at, said in sorted((row for row in rows if row[1]), key=lambda row: row[0]):
        yield f"  {f'+{max(0, at - zero):.1f} s':>9}  {said[0]:<11} {' '.join(said[1].split())[:110]}"


def of_life(life, zero):
    state = f", production {life.watch['state']}" if life.watch else ""
    rounds = f", sent back {life.task['developer_rounds']} times" if life.task["developer_rounds"] else ""
    yield f"{life.name}  {life.title}: {life.task['stage']}{rounds}{state}"
    yield from picture(life)
    yield ""
    yield from lines(life, zero)


def of_all(lives, notes=()):
    """The whole text, line by line."""
    zero = min(life.began for life in lives)
    yield "All on one clock:"
    yield from overview(lives, notes)
    for life in lives:
        yield ""
        yield from of_life(life, zero)
    yield ""
    yield f"  {LEGEND}"


def told(item):
    return json.loads(board.must("item", "show", item, "--json"))


def main(items):
    try:
        documents = [told(item) for item in items]
        lives = [Life(told(name), f"{name.split('#')[0]} (stopped)") for document in documents for name in document["earlier"]]
    except RuntimeError as error:
        return f"timeline: {error}"
    missing = [item for item, document in zip(items, documents) if not document.get("task")]
    if missing:
        return f"timeline: not taken in yet: {', '.join(missing)} (see: orchctl why {missing[0]})"
    print("\n".join(of_all(lives + [Life(document) for document in documents])))
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
