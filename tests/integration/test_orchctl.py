"""orchctl against a database: what it prints, refuses and exits with. No daemon runs here."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

import pytest

from support.backlog import load
from support.ctl import Ctl
from support.paths import program
from support.project import Project
from support.wait import wait_for


# --- projects and items --------------------------------------------------------------------------------------


def test_project(ctl, demo):
    assert ctl.json("project", "list")["projects"] == [
        {"project": "demo", "repo": "demo", "tracker": "local", "forge": "local", "location": str(demo.bare), "default_branch": "main",
         "prefix": "DEMO", "test_command": "sh check.sh", "active": True,
         "endpoints": {}, "forge_name": None, "tracker_project": None}]
    again = ctl("project", "add", "demo", demo.bare, "--prefix", "DEMO", "--test", "sh check.sh")
    assert again.stdout == "project demo is registered; its work items are called DEMO-N\n"
    assert "registered already, with other settings" in ctl.refused(
        "project", "add", "demo", demo.bare, "--prefix", "DEMO", "--test", "true")
    assert "cannot find the repository nowhere.git" in ctl.refused(
        "project", "add", "other", "nowhere.git", "--prefix", "OTHER", "--test", "true")


def test_a_location_that_is_not_on_this_host(ctl):
    """It may be there on the hosts that use it, so it is registered; who has mistyped it is told at once."""
    done = ctl("project", "add", "far", "/srv/nowhere.git", "--prefix", "FAR", "--test", "true")
    assert done.stdout == "project far is registered; its work items are called FAR-N\n"
    assert done.stderr == "hint: /srv/nowhere.git is no bare repository that this host sees: hosts that run workers want it there\n"


def test_a_relative_location_becomes_absolute(ctl, folder):
    Project(folder / "forge", name="rel")
    added = ctl.json("project", "add", "rel", "forge/rel.git", "--prefix", "REL", "--test", "true")
    assert added["location"] == str(folder / "forge/rel.git")


def test_item_create_prints_the_name_alone(ctl, demo):
    assert ctl("item", "create", "demo", "First").stdout == "DEMO-1\n"
    made = ctl.json("item", "create", "demo", "Second", "--priority", "0", "--description", "why and how")
    assert made["work_item"] == "DEMO-2" and made["priority"] == 0 and made["description"] == "why and how"
    assert [i["work_item"] for i in ctl.json("item", "list")["items"]] == ["DEMO-1", "DEMO-2"]


def test_description_from_standard_input(ctl, demo):
    text = "First line\n\n  * a point — with a dash\n"
    item = ctl("item", "create", "demo", "Third", "--description", "-", input=text).stdout.strip()
    assert ctl.json("item", "show", item)["item"]["description"] == text
    assert "NUL byte" in ctl("item", "create", "demo", "x", "--description", "-", input="a\0b", code=2).stderr
    assert "longer than 1 MiB" in ctl("item", "create", "demo", "x", "--description", "-", input="a" * 1100000, code=2).stderr


def test_qg0_refuses_titles(ctl, demo):
    """P-6"""
    assert "the title is empty" in ctl.refused("item", "create", "demo", "", code=2)
    assert "200" in ctl.refused("item", "create", "demo", "x" * 201, code=2)
    assert ctl("item", "create", "demo", "ж" * 200).stdout == "DEMO-1\n"
    assert "there is no project \"nope\"" in ctl.refused("item", "create", "nope", "Title")


def test_item_move(ctl, demo):
    ctl("item", "create", "demo", "First")
    assert ctl("item", "move", "DEMO-1", "backlog", "--comment", "later").stdout == "DEMO-1 is in state backlog\n"
    assert "Use one of: backlog, to_analyse" in ctl.refused("item", "move", "DEMO-1", "nowhere", code=2)
    assert "hint: " in ctl.refused("item", "move", "DEMO-9", "backlog")


# --- looking -------------------------------------------------------------------------------------------------


def test_status_why_and_queue(ctl, demo):
    """S-5, S-14: what is shown is what the scheduler's own views say."""
    assert ctl("status").stdout.startswith("No live task.")
    ctl("item", "create", "demo", "First")
    ctl("item", "create", "demo", "Second")
    ctl.take_in()
    rows = [line.split("  ") for line in ctl("status").stdout.splitlines()]
    assert [row[0] for row in rows] == ["ITEM", "DEMO-1", "DEMO-2"]
    tasks = ctl.json("status")["tasks"]
    assert [(t["work_item"], t["stage"], t["role"], t["job_status"]) for t in tasks] == [
        ("DEMO-1", "analysis", "analyst", "queued"), ("DEMO-2", "analysis", "analyst", "queued")]
    why = ctl.json("why", "DEMO-2")
    assert why["work_item"] == "DEMO-2" and why["waits"] == tasks[1]["waits"]
    assert why["waits"][0]["axis"] == "active-task" and "DEMO-1" in why["waits"][0]["reason"]
    text = ctl("why", "DEMO-2").stdout
    assert text == f"active-task: {why['waits'][0]['reason']}\n    ends when {why['waits'][0]['ends_when']}\n"
    queue = ctl("queue").stdout
    assert "\nRepos\n" in queue and "DEMO-1" in queue and "DEMO-2 is done" not in queue
    assert ctl.json("queue")["counts"] == {"queued": 2, "running": 0}


def test_the_queue_page_by_page(ctl, demo):
    """O-1: a list says how to go on, what is many is marked, what wants a look is named."""
    load(ctl.database, 400, 2)
    ctl("freeze", "repo0001", "--reason", "main is red")
    ctl.database.query("update orch.task set cancel_requested_at = now(), cancel_requested_by = 'eve' where id = 1")
    queue = ctl("queue").stdout
    assert "\nMore of waiting: orchctl queue --after waiting:25\n" in queue and "More of repos" not in queue
    assert [line.split()[:3] for line in queue.splitlines() if line.startswith("repo0001")] == [["repo0001", "R0001-2", "200+"]]
    assert "\nTo look at\nis being cancelled: R0002-1 (analysis, eve)\n" in queue
    page = ctl("queue", "--after", "waiting:380").stdout
    assert page.startswith("Waiting\n") and "-400 " in page and "Repos" not in page and "More" not in page
    assert "no page of the queue" in ctl.refused("queue", "--after", "waiting", code=2)


def test_a_broken_part_of_the_queue_says_so(ctl, demo):
    """O-1: the rest is there."""
    ctl.database.query(
        "alter view orch.dead_letter rename to dead_letter_gone")
    queue = ctl("queue").stdout
    assert "cannot be shown: relation \"orch.dead_letter\" does not exist" in queue
    assert "\nProcesses\n" in queue and "\nRepos\n" in queue


def test_item_show(ctl, demo):
    ctl("item", "create", "demo", "First", "--description", "All of it:\n\n- one\n- two")
    ctl.take_in()
    shown = ctl("item", "show", "DEMO-1").stdout
    assert shown.startswith("DEMO-1  First\nproject   demo\nstate     ")
    assert "\nDescription\n  All of it:\n\n  - one\n  - two\n" in shown
    assert "created -> analysis" in shown
    document = ctl.json("item", "show", "DEMO-1")
    assert document["task"]["stage"] == "analysis" and document["runs"] == []
    assert [h["kind"] for h in document["history"]] == ["intake", "stage"]


def test_item_show_says_what_runs_cost(ctl, demo):
    """J-7: and who says so: the agent; our prices (~); the dearest of them, for a model that is not in the list (?)."""
    ctl("item", "create", "demo", "First")
    ctl.take_in()
    process = ctl.database.value("select process_id from orch.process_start('host-a', 'boot', 'workerd', 4711, 1, 'test')")
    for epoch, (usd, source) in enumerate([(1.254, "agent"), (0.5, "prices"), (12, "dearest"), (None, None)], 1):
        ctl.database.query("insert into orch.run (job_id, epoch, attempt, process_id, cost_usd, cost_source, token, started_at, ended_at, outcome)"
                           " select id, %s, 1, %s, %s, %s, gen_random_uuid(), now(), now(), 'failed' from orch.job", epoch, process, usd, source)
    text = ctl("item", "show", "DEMO-1").stdout
    table = text[text.index("\nRuns\n") + 6:].splitlines()[:5]
    column = table[0].split().index("COST") + 1  # STARTED is two words
    assert [row.split()[column] for row in table[1:]] == ["$1.25", "~$0.50", "?$12.00", "-"]


def test_nothing_from_outside_reaches_the_terminal_raw(ctl, demo):
    """Titles, descriptions and comments are other people's: what moves the cursor or turns the writing is replaced."""
    evil = "a\x1b[2Jb\u202ec\x9bd"
    ctl("item", "create", "demo", evil, "--description", evil)
    ctl("item", "move", "DEMO-1", "backlog", "--comment", evil)
    for args in (("item", "list"), ("item", "show", "DEMO-1"), ("status",), ("queue",), ("why", "DEMO-1")):
        out = ctl(*args).stdout
        assert not set(out) & {"\x1b", "\u202e", "\x9b"}, args
    assert ctl.json("item", "show", "DEMO-1")["item"]["title"] == evil


def test_unknown_items(ctl, demo):
    for args in (("why", "X-1"), ("item", "show", "X-1"), ("log", "X-1"), ("watch", "X-1"), ("approve", "X-1"),
                 ("reject", "X-1", "--comment", "no"), ("cancel", "X-1")):
        assert "there is no work item \"X-1\"" in ctl.refused(*args)


# --- acting --------------------------------------------------------------------------------------------------


def test_a_verdict_that_nobody_waits_for_is_refused(ctl, demo):
    """P-9"""
    ctl("item", "create", "demo", "First")
    ctl.take_in()
    ctl.refused("approve", "DEMO-1")
    ctl.refused("reject", "DEMO-1", "--comment", "no")
    assert "a rejection needs a comment" in ctl.refused("reject", "DEMO-1", "--comment", " ", code=2)


def test_cancel_twice(ctl, demo):
    """C-2"""
    ctl("item", "create", "demo", "First")
    ctl.take_in()
    assert ctl("cancel", "DEMO-1", "--reason", "enough").stdout == "DEMO-1 is cancelled\n"
    again = ctl.json("cancel", "DEMO-1")
    assert again["terminal"] is True and again["message"] == "nothing to cancel: DEMO-1 is cancelled"
    assert ctl("status").stdout.startswith("No live task.")


def lease_of(ctl, alive):
    """DEMO-1 with a transition lease that a process holds."""
    ctl("item", "create", "demo", "First")
    ctl.take_in()
    process = ctl.database.value("select process_id from orch.process_start('host-a', 'boot', 'workerd', 4711, 1, 'test')")
    ctl.database.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose)"
                       " select id, %s, 1, gen_random_uuid(), 'releaser' from orch.task", process)
    if not alive:
        ctl.database.query("update orch.process set ended_at = now(), end_reason = 'gone'")


def test_lease(ctl, demo):
    """T-3, O-2: seen, released once, and released again without a change."""
    assert ctl("lease", "list").stdout == "No transition lease is held.\n"
    lease_of(ctl, alive=True)
    header, row = ctl("lease", "list").stdout.splitlines()
    assert header.split() == ["ITEM", "REPO", "FOR", "HELD", "FOR", "HOST", "PID", "OWNER"]
    assert row.split()[:3] == ["DEMO-1", "demo", "releaser"] and row.split()[-3:] == ["host-a", "4711", "alive"]
    ctl.database.query("insert into orch.merge_lease (repo_id, task_id) select repo_id, id from orch.task")
    merge = ctl("lease", "list").stdout.splitlines()[2:]
    assert merge[1].split() == ["REPO", "MERGES", "STAGE", "HELD", "FOR"] and merge[2].split()[:3] == ["demo", "DEMO-1", "analysis"]
    ctl.database.query("delete from orch.merge_lease")
    ctl.refused("lease", "DEMO-1", code=2)
    assert "wants --yes" in ctl.refused("lease", "release", "DEMO-1", code=2)
    assert len(ctl.json("lease", "list")["leases"]) == 1
    assert ctl("lease", "release", "DEMO-1", "--yes").stdout == "the transition lease of DEMO-1 (releaser) is released\n"
    again = ctl.json("lease", "release", "DEMO-1", "-y")
    assert again == {"leases": [], "merge_leases": [], "message": "DEMO-1 has no transition lease"}
    ctl.refused("lease", "release", "DEMO-2", "--yes")


@pytest.mark.parametrize("answer, code", [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_lease_release_asks(ctl, demo, answer, code):
    lease_of(ctl, alive=False)
    assert ctl("lease", "list").stdout.splitlines()[1].split()[-1] == "gone"
    master, slave = pty.openpty()
    os.write(master, answer.encode())
    done = subprocess.run([program("orchctl"), "lease", "release", "DEMO-1"], env=ctl.env, stdin=slave, capture_output=True,
                          text=True, timeout=60)
    os.close(slave)
    os.close(master)
    assert done.returncode == code and done.stderr.startswith("Release the transition lease of DEMO-1 by force? [y/N] ")
    assert len(ctl.json("lease", "list")["leases"]) == code


# --- configuration -------------------------------------------------------------------------------------------


def test_settings(ctl):
    """S-12"""
    shown = ctl.json("config", "show")["settings"]
    assert {"key", "value", "standard", "kind", "about", "changed_at", "changed_by"} == set(shown[0])
    assert ctl("config", "set", "serial_gate_enabled", "off").stdout == "serial_gate_enabled = off (was on)\n"
    assert [s["value"] for s in ctl.json("config", "show", "serial_gate_enabled")["settings"]] == ["off"]
    assert "Use on or off" in ctl.refused("config", "set", "serial_gate_enabled", "perhaps", code=2)
    assert "there is no setting" in ctl.refused("config", "set", "no_such_setting", "on")
    assert "there is no setting" in ctl.refused("config", "show", "no_such_setting")
    assert ctl.database.value("select changed_by from orch.setting where key = 'serial_gate_enabled'") == "orch_operator"


def test_which_file_is_read(ctl, folder):
    """--config, then ORCH_CONFIG, then ./orchestrator.conf; the environment overrides what is in it."""
    for name in ("flag", "environment", "here"):
        (folder / f"{name}.conf").write_text(f"state_dir = /{name}\nhost_name = {name}\n")
    (folder / "here.conf").rename(folder / "orchestrator.conf")
    (folder / "elsewhere").mkdir()

    def dump(*args, **env):
        document = json.loads(ctl(*args, "config", "dump", "--json", **env).stdout)
        return document["file"], {o["name"]: (o["value"], o["origin"]) for o in document["options"]}

    file, options = dump()
    assert file == "./orchestrator.conf" and options["host_name"][0] == "here"
    assert options["state_dir"] == (str(folder / "state"), "environment")
    assert options["worker_slots"][1] == "default"
    assert dump(ORCH_CONFIG="environment.conf")[1]["host_name"][0] == "environment"
    assert dump("--config", "flag.conf", ORCH_CONFIG="environment.conf")[1]["host_name"][0] == "flag"


BAD_FILES = {
    "worker_slots = lots\n": "worker_slots",
    "worker_slotz = 2\n": "worker_slots",
    "drain_timeout = 20\n": "drain_timeout",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_wrong_file(ctl, folder, text):
    (folder / "bad.conf").write_text("# first line\n" + text)
    for command in (("config", "check"), ("status",), ("up",), ("down",)):
        done = ctl("--config", "bad.conf", *command, code=78)
        said, hint = done.stderr.splitlines()
        assert done.stdout == "" and "bad.conf: line 2" in said and BAD_FILES[text] in said and hint.startswith("hint: --config FILE or ORCH_CONFIG names the file")


def test_a_file_that_is_not_there(ctl):
    assert "missing.conf" in ctl("--config", "missing.conf", "config", "check", code=78).stderr
    assert "missing.conf" in ctl("config", "check", code=78, ORCH_CONFIG="missing.conf").stderr


def test_config_check(ctl, folder):
    (folder / "good.conf").write_text("worker_slots = 3\n")
    assert ctl("--config", "good.conf", "config", "check").stderr == "good.conf: fine\n"


# --- without a database --------------------------------------------------------------------------------------


def test_database_down(ctl, folder):
    for args in (("status",), ("watch",), ("config", "show"), ("approve", "X-1")):
        done = ctl(*args, code=75, ORCH_DATABASE=f"host={folder} dbname=orch")
        assert done.stdout == ""
        assert "cannot connect to the database" in done.stderr and "hint: " in done.stderr


def test_nonsense_for_a_connection_string(ctl):
    assert "is no connection string" in ctl("status", code=75, ORCH_DATABASE="nonsense").stderr


def test_a_database_that_was_never_migrated(empty_database, database, folder):
    stderr = Ctl(empty_database, folder).refused("status")
    assert "does not have what this release needs" in stderr and "hint: run `orchctl migrate`" in stderr


# --- watch ---------------------------------------------------------------------------------------------------


def watching(ctl, *args):
    return subprocess.Popen([program("orchctl"), "watch", *args], env=ctl.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """The rest of what it prints. communicate() would lose what readline() has read ahead."""
    out, err = process.stdout.read(), process.stderr.read()
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    return out, err


def test_watch_prints_each_change_and_ends(ctl, demo):
    ctl("item", "create", "demo", "First")
    process = watching(ctl, "DEMO-1")
    assert process.stdout.readline().split()[1:] == ["DEMO-1", "intake"]
    ctl.take_in()
    assert process.stdout.readline().split()[1:4] == ["DEMO-1", "analysis", "analyst"]
    ctl("cancel", "DEMO-1")
    out, err = finish(process)
    assert process.returncode == 0, err
    assert out.split()[1:] == ["DEMO-1", "cancelled"]


def test_watch_json_is_one_document_per_line(ctl, demo):
    ctl("item", "create", "demo", "First")
    process = watching(ctl, "DEMO-1", "--json")
    first = json.loads(process.stdout.readline())["tasks"][0]
    assert first["stage"] == "intake" and first["terminal"] is False and first["title"] == "First"
    ctl.take_in()
    assert json.loads(process.stdout.readline())["tasks"][0]["role"] == "analyst"
    ctl("cancel", "DEMO-1")
    out, _ = finish(process)
    assert process.returncode == 0 and json.loads(out)["tasks"][0]["terminal"] is True


def test_watch_gives_up_in_time(ctl, demo):
    ctl("item", "create", "demo", "First")
    done = ctl("watch", "DEMO-1", "--timeout", "2s", code=3)
    assert "not all of them are done in time" in done.stderr


def test_watch_without_items_ends_when_nothing_lives(ctl, demo):
    assert ctl("watch", "--timeout", "20s").stdout == ""
    ctl("item", "create", "demo", "First")
    ctl.take_in()
    process = watching(ctl)
    assert "DEMO-1" in process.stdout.readline()
    ctl("cancel", "DEMO-1")
    finish(process)
    assert process.returncode == 0


def test_watch_waits_for_a_database_that_restarts(ctl, demo, cluster):
    ctl("item", "create", "demo", "First")
    process = watching(ctl, "DEMO-1")
    process.stdout.readline()
    cluster.restart("immediate")
    ctl.database.forget_connections()
    assert "lost the database" in process.stderr.readline()
    ctl.take_in()
    wait_for(lambda: "analysis" in process.stdout.readline(), what="it goes on")
    ctl("cancel", "DEMO-1")
    finish(process)
    assert process.returncode == 0


def test_watch_draws_in_place_on_a_terminal(ctl, demo):
    """Each time the lines of the last time are gone over; rows that do not fit the screen are left out, and said."""
    for number in range(8):
        ctl("item", "create", "demo", f"Item {number}")
    ctl.take_in()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 60, 0, 0))
    process = subprocess.Popen([program("orchctl"), "watch", "--no-color", "--timeout", "5s"], env={**ctl.env, "TERM": "xterm"},
                               stdin=slave, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    with os.fdopen(master, "rb", buffering=0) as screen:
        drawn = b"".join(iter(lambda: read_until_closed(screen), b"")).decode().replace("\r\n", "\n")
    process.stderr.close()
    assert process.wait(timeout=60) == 3
    first, *later = drawn.split("\x1b[5A\x1b[J")
    assert later and all(len(frame.splitlines()) == 5 for frame in [first, *later])
    assert first.splitlines()[0].startswith("ITEM") and first.endswith("(more than fits)\n")
    assert max(len(line) for line in drawn.replace("\x1b[5A\x1b[J", "").splitlines()) <= 60


def read_until_closed(screen):
    try:
        return screen.read(65536)
    except OSError:  # EIO: the other side is closed
        return b""
