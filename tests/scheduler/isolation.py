"""Runs a spec of PostgreSQL's isolationtester in all interleavings, and judges what its steps said.

Lines of comment in a spec say what must be true in each interleaving:

    # waits: SESSION ...                             these wait while a transaction of another is open, and so do not go on
    # if STEP before STEP: STEP is SAID              the first step had ended when the second began
    # if STEP before STEP: STEP in SAID | SAID ...
    # said: STEP in SAID | SAID ...                  always
    # different: STEP STEP ...                       none says the same as another, but "nothing" and "done"
    # count: SAID N                                  so many steps say it

Always true: the verdict of support.sql is "good", and no step ends in an error.
"""

import dataclasses
import glob
import pathlib
import re
import subprocess

FOLDER = pathlib.Path(__file__).parent / "specs"
COMMON = ("nothing", "done")


def tester():
    """It comes with the packages of PostgreSQL's client."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester"))
    assert found, "isolationtester is not installed: see deploy/packages"
    return found[-1]


@dataclasses.dataclass
class Step:
    begun: int
    ended: int | None
    said: str | None = None


@dataclasses.dataclass
class Interleaving:
    order: str
    steps: dict
    verdict: str | None
    errors: list

    def came_before(self, first, second):
        return self.steps[first].ended is not None and self.steps[first].ended < self.steps[second].begun


def value_of(lines):
    """The one value of a result as psql shows it: header, line, value."""
    for number, line in enumerate(lines):
        if re.fullmatch(r"-+", line) and number + 1 < len(lines):
            return lines[number + 1].strip()
    return None


def read_one(text):
    """One interleaving of the output of isolationtester."""
    order, *lines = text.split("\n")
    steps, results, name = {}, {}, None
    for number, line in enumerate(lines):
        if begun := re.match(r"step (\w+): ", line):
            name = begun.group(1)
            step = steps.setdefault(name, Step(number, None))
            step.ended = None if line.endswith("<waiting ...>") else number
        elif name:
            results.setdefault(name, []).append(line)
    for name, step in steps.items():
        step.said = value_of(results.get(name, []))
    verdict = None
    if match := re.search(r"^verdict *\n-+\n(.*)$", text, re.MULTILINE):
        verdict = match.group(1).strip()
    return Interleaving(order.strip(), steps, verdict, re.findall(r"^.*(?:ERROR|FATAL|failed):.*$", text, re.MULTILINE))


def sessions(spec):
    """Of each session its steps, as (name, what)."""
    parts = re.split(r"^session (\w+)$", spec, flags=re.MULTILINE)[1:]
    return {name: re.findall(r"^step (\w+) \{ (.*) \}$", body, re.MULTILINE) for name, body in zip(parts[::2], parts[1::2])}


def interleavings(lists):
    if not any(lists):
        yield ()
    for n, steps in enumerate(lists):
        if steps:
            yield from ((steps[0], *rest) for rest in interleavings([*lists[:n], steps[1:], *lists[n + 1:]]))


def can_happen(order, owner, text, waits):
    """Whether no session has to go on while it waits: those of `waits` begin only when no transaction is open, in turn."""
    holders, queue = set(), []
    for step in order:
        session = owner[step]
        if session in queue:
            return False
        if text[step].startswith("commit"):
            holders.discard(session)
            while queue and not holders:
                granted = queue.pop(0)
                if any(text[s].startswith("begin") and owner[s] == granted for s in text):
                    holders.add(granted)
        elif session in waits and holders:
            queue.append(session)
        elif text[step].startswith("begin"):
            holders.add(session)
    return True


def permutations(spec):
    """All interleavings that can happen."""
    found = sessions(spec)
    owner = {step: name for name, steps in found.items() for step, _ in steps}
    text = {step: what for steps in found.values() for step, what in steps}
    waits = set(" ".join(re.findall(r"^# waits: (.*)$", spec, re.MULTILINE)).split())
    assert waits <= set(found), f"no such session: {waits - set(found)}"
    return [order for order in interleavings([[step for step, _ in steps] for steps in found.values()]) if can_happen(order, owner, text, waits)]


def run(dsn, name):
    """All interleavings of a spec."""
    spec = (FOLDER / f"{name}.spec").read_text()
    orders = permutations(spec)
    whole = spec + "".join(f"permutation {' '.join(order)}\n" for order in orders)
    result = subprocess.run([tester(), dsn], input=whole, capture_output=True, text=True, timeout=280, env={"PGISOLATIONTIMEOUT": "30"})
    assert result.returncode == 0, f"isolationtester ended with {result.returncode}: {result.stderr}{result.stdout[-2000:]}"
    found = [read_one(part) for part in result.stdout.split("\nstarting permutation: ")[1:]]
    assert len(found) == len(orders), f"{len(found)} interleavings of {len(orders)}"
    return spec, found


def allowed(text):
    return [value.strip() for value in text.split("|")]


def complaints(spec, one):
    """What is wrong in one interleaving."""
    yield from one.errors
    if one.verdict != "good":
        yield f"the verdict is {one.verdict}"
    for line in re.findall(r"^# (.*)$", spec, re.MULTILINE):
        if match := re.fullmatch(r"if (\w+) before (\w+): (\w+) (?:is|in) (.*?)(?: unless (\w+) is (.*))?", line):
            first, second, step, values, other, excuse = match.groups()
            excused = other and one.steps[other].said == excuse
            if one.came_before(first, second) and not excused and one.steps[step].said not in allowed(values):
                yield f"{line} - but it said {one.steps[step].said}"
        elif match := re.fullmatch(r"said: (\w+) in (.*)", line):
            if one.steps[match.group(1)].said not in allowed(match.group(2)):
                yield f"{line} - but it said {one.steps[match.group(1)].said}"
        elif match := re.fullmatch(r"different: (.*)", line):
            said = [word for step in match.group(1).split() for word in one.steps[step].said.split() if word not in COMMON]
            if len(said) != len(set(said)):
                yield f"{line} - but they said {said}"
        elif match := re.fullmatch(r"count: (\w+) (\d+)", line):
            if sum(step.said == match.group(1) for step in one.steps.values()) != int(match.group(2)):
                yield f"{line} - but they said {[step.said for step in one.steps.values()]}"
