"""orchctl asof and whatif: what was, and what would be, as text and as JSON (O-4, B-2, B-3). No daemon runs here."""

import pytest


@pytest.fixture
def items(ctl, demo):
    """DEMO-1 and DEMO-2, taken in: the second waits for the first."""
    for title in ("First", "Second"):
        ctl("item", "create", "demo", title)
    ctl.take_in()
    return "DEMO-1", "DEMO-2"


def now(ctl):
    return ctl.database.value("select clock_timestamp()::text")


def test_whatif_as_things_are(ctl, items):
    """B-2: one start per repo behind the serial gate."""
    lines = ctl("whatif").stdout.splitlines()
    assert lines[0].split() == ["#", "ITEM", "REPO", "ROLE", "PRIO", "ONLY", "THEN", "TITLE"]
    assert len(lines) == 2 and lines[1].split()[:4] == ["1", "DEMO-1", "demo", "analyst"]


def test_whatif_with_suppositions(ctl, items):
    """B-2: marked what is new, named what is gone, in the order given; nothing has changed."""
    told = ctl("whatif", "--pause", "DEMO-1").stdout
    assert "DEMO-2  demo  analyst     2  not as things are" in told
    assert told.endswith("DEMO-1 would start as things are, and not then.\n")
    assert ctl.json("whatif", "--freeze", "demo")["starts"] == []
    assert "Nothing would start." in ctl("whatif", "--freeze", "demo").stdout
    assert [s["work_item"] for s in ctl.json("whatif", "--freeze", "demo", "--unfreeze", "demo")["starts"]] == ["DEMO-1"]
    both = ctl.json("whatif", "--set", "serial_gate_enabled=off", "--priority", "DEMO-2=0")["starts"]
    assert [s["work_item"] for s in both] == ["DEMO-2", "DEMO-1"]
    assert len(ctl.json("whatif", "--set", "serial_gate_enabled=off", "--limit", "1")["starts"]) == 1
    assert ctl.json("whatif")["starts"] == ctl.json("whatif")["as_is"]
    assert ctl.database.value("select count(*) from orch.repo_freeze") == 0


def test_whatif_depend_and_cancel(ctl, items):
    """S-4, C-3: supposed as they would be done."""
    assert [s["work_item"] for s in ctl.json("whatif", "--cancel", "DEMO-1")["starts"]] == ["DEMO-2"]
    supposed = ctl.json("whatif", "--pause", "DEMO-1", "--depend", "DEMO-2=DEMO-1")
    assert supposed["starts"] == [] and supposed["only_now"] == ["DEMO-1"]


@pytest.mark.parametrize("args, code", [(("--limit", "0"), 2), (("--limit", "201"), 2), (("--set", "no-equals"), 2), (("--priority", "DEMO-1"), 2),
                                        (("--priority", "DEMO-1=9"), 2), (("--set", "nonsense=1"), 1), (("--pause", "NONE-1"), 1),
                                        (("--freeze", "a'; drop table orch.task --"), 1)])
def test_whatif_refuses(ctl, items, args, code):
    assert ctl.refused("whatif", *args, code=code)


def test_asof(ctl, items):
    """O-4: what was under way then, not now; the freeze and the setting of that time."""
    ctl("freeze", "demo", "--reason", "look")
    ctl("config", "set", "max_developer_retries", "7")
    then = now(ctl)
    ctl("unfreeze", "demo")
    ctl("config", "set", "max_developer_retries", "3")
    ctl("cancel", "DEMO-1")
    told = ctl("asof", then).stdout
    assert told.startswith("As of ") and "DEMO-1 analysis analyst: queued" in " ".join(told.split())
    assert "frozen: demo: look (by orch_operator)" in told and "setting: max_developer_retries = 7" in told
    assert "DEMO-2" not in ctl("asof", then, "DEMO-1").stdout and "DEMO-1" not in ctl("asof", "0 s ago").stdout
    assert ctl.json("asof", then, "DEMO-1")["tasks"][0]["stage"] == "analysis"


def test_asof_changes(ctl, items):
    """B-3: what differs, before and after."""
    then = now(ctl)
    ctl("priority", "DEMO-2", "0")
    later = now(ctl)
    ctl("priority", "DEMO-2", "4")
    assert "task DEMO-2\n    priority: 2 -> 0\n" in ctl("asof", then, "--until", later).stdout
    assert "priority: 2 -> 4" in ctl("asof", then, "DEMO-2", "--changes").stdout
    assert ctl("asof", then, "DEMO-1", "--changes").stdout == "Nothing differs.\n"
    ctl.refused("asof", later, "--until", then, code=2)


@pytest.mark.parametrize("args, code", [((), 2), (("yesterday-ish",), 2), (("2999-01-01",), 2), (("0 s ago", "NONE-1"), 1)])
def test_asof_refuses(ctl, items, args, code):
    assert ctl.refused("asof", *args, code=code)
