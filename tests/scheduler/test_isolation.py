"""S-1 to S-5, S-8 to S-12, S-15, S-16, J-1: all interleavings of claims with each other and with what people do, in specs/."""

import re

import pytest

import isolation

NAMES = sorted(path.stem for path in isolation.FOLDER.glob("*.spec"))


@pytest.fixture
def prepared(database):
    database.query((isolation.FOLDER / "support.sql").read_text())
    return database


@pytest.mark.parametrize("name", NAMES)
def test_every_interleaving(prepared, name):
    """Each spec names its rules in its first line."""
    spec, found = isolation.run(prepared.dsn("orch"), name)
    wrong = [f"{one.order}: {complaint}" for one in found for complaint in isolation.complaints(spec, one)]
    assert not wrong, "\n".join(wrong)
    print(f"spec={name} interleavings={len(found)}")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_spec_demands_is_understood(name):
    """A comment that looks like a demand is one, and is about steps that there are."""
    spec = (isolation.FOLDER / f"{name}.spec").read_text()
    steps = set(re.findall(r"^step (\w+) ", spec, re.MULTILINE))
    for line in re.findall(r"^# ((?:if|said|different|count)\b.*)$", spec, re.MULTILINE):
        if match := re.fullmatch(r"if (\w+) before (\w+): (\w+) (?:is|in) .*", line) or re.fullmatch(r"said: (\w+) in .*", line):
            assert set(match.groups()) <= steps, line
        elif match := re.fullmatch(r"different: (.*)", line):
            assert set(match.group(1).split()) <= steps, line
        else:
            assert re.fullmatch(r"count: \w+ \d+", line), line
