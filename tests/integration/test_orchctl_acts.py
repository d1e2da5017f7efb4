"""The acts by orchctl: what each prints, as text and as JSON, and refuses (O-2). No daemon runs here."""

import pytest


@pytest.fixture
def items(ctl, demo):
    """DEMO-1 and DEMO-2, taken in."""
    for title in ("First", "Second"):
        ctl("item", "create", "demo", title)
    ctl.take_in()
    return "DEMO-1", "DEMO-2"


def test_every_act_has_a_command(ctl, demo):
    """O-2: what the list names is there, and the list has all that acts."""
    acts = ctl.json("act", "list")["acts"]
    for act in acts:
        assert ctl("help", *act["command"].split()).stdout.startswith(f"orchctl {act['command']} - "), act["key"]
    assert "POST    /serial-gate/freeze" in ctl("act", "list").stdout
    helped = ctl("help").stdout.split("\nAct:\n")[1].split("\n\n")[0]
    names = {line[2:24].strip() for line in helped.splitlines() if line[2:3] not in ("", " ")}
    assert names == {act["command"] for act in acts if act["method"] == "POST"} - {"config set", "whatif"}


def test_pause_and_resume(ctl, items):
    """S-8: the successor may start; twice changes nothing; JSON has the task."""
    assert ctl("pause", "DEMO-1", "--reason", "later").stdout == "DEMO-1 is paused\n"
    assert ctl.json("pause", "DEMO-1")["message"] == "DEMO-1 is paused already, by orch_operator"
    assert ctl.json("why", "DEMO-2")["waits"][0]["axis"] == "slot"
    assert ctl("resume", "DEMO-1").stdout == "DEMO-1 goes on\n"
    assert ctl.json("resume", "DEMO-1")["paused_at"] is None
    ctl.refused("pause", code=2)
    ctl.refused("pause", "DEMO-9")
    ctl("config", "set", "serial_gate_pause_enabled", "off")
    assert "hint: Switch it on with" in ctl.refused("pause", "DEMO-1")


def test_a_task_that_is_over_cannot_be_paused(ctl, items):
    """O-5: it says what the task is."""
    ctl("cancel", "DEMO-1")
    assert "DEMO-1 is cancelled: there is nothing to pause" in ctl.refused("pause", "DEMO-1")


def test_priority(ctl, items):
    """S-11: checked before anything is asked of the database."""
    assert ctl("priority", "DEMO-2", "0").stdout == "DEMO-2 has priority 0, it was 2\n"
    assert ctl.json("priority", "DEMO-2", "0")["priority"] == 0
    for wrong in ("5", "-1", "high", "", "1.5", "00"):
        ctl.refused("priority", "--", "DEMO-2", wrong, code=2)


def test_retry(ctl, items):
    """P-5: what is not held up is left alone; an escalated one goes on with the comment."""
    assert ctl("retry", "DEMO-1").stdout == "DEMO-1 is not held up by a failure\n"
    ctl.database.query("update orch.task set escalated_at = now(), escalation = 'it fell over' where work_item = 'DEMO-1'")
    ctl.database.query("update orch.job set status = 'failed', ended_at = now() where task_id = (select id from orch.task where work_item = 'DEMO-1')")
    assert "orchctl retry DEMO-1" in ctl("why", "DEMO-1").stdout
    assert ctl("retry", "DEMO-1", "--comment", "mended").stdout == "DEMO-1 is tried again, in analysis\n"
    assert ctl.database.value("select input from orch.job where status = 'queued' and task_id = (select id from orch.task where work_item = 'DEMO-1')") == "mended"


def test_freeze_and_unfreeze(ctl, items):
    """S-16: a reason is needed; the list has it; unfreeze says how many."""
    assert ctl("frozen").stdout == "No repo is frozen.\n"
    assert "wants --reason" in ctl.refused("freeze", "demo", code=2)
    assert ctl("freeze", "demo", "--reason", "production is degraded", "--item", "DEMO-1").stdout == "repo demo is frozen\n"
    assert ctl.json("freeze", "demo", "--reason", "and hot")["frozen"] is True
    header, first, second = ctl("frozen").stdout.splitlines()
    assert header.split() == ["REPO", "SINCE", "BY", "ITEM", "REASON"] and first.split()[-4:] == ["DEMO-1", "production", "is", "degraded"]
    assert second.split()[4:] == ["-", "and", "hot"]
    assert ctl("unfreeze", "demo").stdout == "repo demo is open again: 2 freezes are cleared\n"
    assert ctl.json("unfreeze", "demo") == {"repo": "demo", "frozen": False, "freezes": [], "cleared": 0, "message": "repo demo is not frozen"}
    ctl.refused("freeze", "nowhere", "--reason", "x")
    ctl.refused("unfreeze", "demo'; drop table orch.task --")
    ctl("config", "set", "serial_gate_freeze_enabled", "off")
    assert "switched off" in ctl.refused("freeze", "demo", "--reason", "x")


def test_dependencies_and_waits(ctl, items):
    """S-15, B-6: declared, listed, followed, taken away; a circle is spelled out."""
    assert ctl("dependency", "list").stdout == "Nothing depends on anything.\n"
    assert ctl("dependency", "add", "DEMO-2", "DEMO-1").stdout == "DEMO-2 waits for DEMO-1\n"
    assert "DEMO-1 → DEMO-2 → DEMO-1" in ctl.refused("dependency", "add", "DEMO-1", "DEMO-2")
    ctl.refused("dependency", "add", "DEMO-1", "DEMO-1", code=2)
    ctl.refused("dependency", "add", "DEMO-1", code=2)
    assert ctl("dependency", "list").stdout.splitlines()[1].split()[:5] == ["DEMO-2", "DEMO-1", "analysis", "yes", "orch_operator"]
    assert ctl.json("dependency", "list", "DEMO-1")["dependencies"][0]["work_item"] == "DEMO-2"
    lines = ctl("waits", "DEMO-2").stdout.splitlines()
    assert lines[1].split()[:3] == ["1", "DEMO-2", "DEMO-1"] and lines[1].endswith("orchctl pause DEMO-1")
    assert lines[-1].split()[:5] == ["2", "DEMO-1", "a", "worker", "slot"]
    assert ctl("dependency", "remove", "DEMO-2", "DEMO-1").stdout == "DEMO-2 does not wait for DEMO-1 any more\n"
    ctl("item", "create", "demo", "Third", "--blocked-by", "DEMO-1,DEMO-2")
    ctl.take_in()
    assert len(ctl.json("dependency", "list", "DEMO-3")["dependencies"]) == 2


def test_deadlocks(ctl, items):
    """B-6: named with the cheapest way out."""
    assert ctl("waits").stdout == "No deadlock, and no job that nobody claims.\n"
    ctl("dependency", "add", "DEMO-1", "DEMO-2")
    ctl.database.query("select * from orch.waits_check(10)")
    assert ctl.json("waits")["findings"][0]["cut"] == "orchctl pause DEMO-1"
    assert "DEMO-1 waits for DEMO-2 (dependency), DEMO-2 waits for DEMO-1 (active-task)" in ctl("waits").stdout


def test_dead_letters(ctl, items):
    """I-7: listed, and tried again by name."""
    assert ctl("dead-letter", "list").stdout == "No effect or event was given up.\n"
    ctl.database.query("update orch.effect set status = 'dead', ended_at = now(), detail = 'gone\x1b[2J', attempts = 12 where id in (1, 2)")
    text = ctl("dead-letter", "list", "--limit", "1").stdout
    assert "effect-1 " in text and "\x1b" not in text and text.endswith("The newest 1 of 2.\n")
    assert ctl.json("dead-letter", "list")["count"] == 2
    assert ctl("dead-letter", "retry", "effect-1").stdout == "effect-1 is tried again\n"
    assert ctl.json("dead-letter", "retry", "effect-1") == {"letter": "effect-1", "message": "effect-1 is no dead letter: it is pending"}
    ctl.refused("dead-letter", "retry", "effect-99")
    ctl.refused("dead-letter", "retry", "99", code=2)
    ctl.refused("dead-letter", "list", "--limit", "0", code=2)
    assert ctl("dead-letter", "drop", "effect-2", "--reason", "no matter").stdout == "effect-2 is put away\n"
    assert ctl.json("dead-letter", "list")["count"] == 0


def test_an_item_is_created_once(ctl, demo):
    """O-2: the key of a request finds the item that it made."""
    assert [ctl("item", "create", "demo", "A thing", "--key", "k1").stdout for _ in range(2)] == ["DEMO-1\n"] * 2
    assert len(ctl.json("item", "list")["items"]) == 1


def test_limits(ctl, demo):
    """S-7: with and without a name; what is no number is refused at once."""
    assert ctl("limit", "list").stdout == "No limit is set; each worker has its slots.\n"
    assert ctl("limit", "set", "global", "8").stdout == "global: at most 8 at once\n"
    assert ctl.json("limit", "set", "repo", "demo", "0")["limits"][1]["slots"] == 0
    assert [line.split()[:3] for line in ctl("limit", "list").stdout.splitlines()[1:]] == [["global", "-", "8"], ["repo", "demo", "0"]]
    for wrong in (("global", "-1"), ("global", "many"), ("global", "10001"), ("repo", "1"), ("global", "x", "1"), ("label", "gpu", "1")):
        ctl.refused("limit", "set", "--", *wrong, code=2)
    ctl.refused("limit", "set", "role", "poet", "1")
    assert ctl("limit", "remove", "repo", "demo").stdout == "repo demo: no limit any more\n"
    assert ctl.json("limit", "remove", "repo", "demo")["message"] == "repo demo has no limit"


def test_circuits(ctl, demo):
    """J-4: seen and closed."""
    assert ctl("circuit", "list").stdout == "No provider has failed yet.\n"
    ctl.database.query("insert into orch.provider_circuit (provider, state, open_until, reason) values ('claude', 'open', now() + interval '1 hour', 'HTTP 429')")
    assert ctl("circuit", "list").stdout.splitlines()[1].startswith("claude") and "HTTP 429" in ctl("circuit", "list").stdout
    assert ctl("circuit", "close", "claude").stdout == "the circuit of claude is closed: its jobs go on\n"
    assert ctl.json("circuit", "close", "claude")["providers"][0]["state"] == "closed"
    ctl.refused("circuit", "close", "nobody")


def test_tokens_of_a_scope_that_are_no_repos_are_named(ctl, demo):
    """S-12: they count for nothing, harm nothing, and are said."""
    done = ctl("config", "set", "serial_gate_repos", "demo x'; drop/table other")
    assert done.stdout.splitlines()[1:] == ["No names of repos, and so not counted: x';, drop/table"]
    assert ctl.json("config", "set", "serial_gate_repos", "demo other").get("dropped") is None
