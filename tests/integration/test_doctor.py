"""orchctl doctor on one host: what it finds, how it says to mend it, and that it goes on without a database (O-3, O-5, J-5, R-9)."""

import json
import os
import socket
import time

import pytest

from support.ctl import Ctl
from support.paths import BUILD

CHECKS = ["configuration", "user", "database", "clock", "rights", "suite", "hosts", "programs", "folders", "disk", "git", "agents", "secrets", "services", "trackers",
          "forges", "hooks", "notifications", "letters", "alerts"]


def findings(done, check, level=None):
    return [f for f in json.loads(done.stdout)["findings"] if f["check"] == check and level in (None, f["level"])]


def one(done, check, level="wrong"):
    found = findings(done, check, level)
    assert len(found) == 1, (found, done.stdout)
    assert found[0]["mend"], found
    return found[0]


@pytest.fixture
def doctor(database, folder):
    """orchctl doctor --json where no suite runs: that is wrong, and nothing else."""
    ctl = Ctl(database, folder)
    ctl.env["ORCH_AGENT_COMMAND"] = "/bin/true"
    ctl.env["ORCH_DISK_MIN_FREE"] = "0B"
    (folder / "state").mkdir(mode=0o750)

    def ask(code=1, **env):
        return ctl("doctor", "--json", code=code, **env)

    ask.ctl = ctl
    return ask


def test_a_suite_that_is_as_it_should_be(make_suite):
    suite = make_suite(agent_command="/bin/true")
    suite.start()
    suite.wait_for(lambda: suite.orchctl("doctor", check=False).returncode == 0, what="all of it is there")
    done = suite.orchctl("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    answer = json.loads(done.stdout)
    assert answer["wrong"] == 0 and list(dict.fromkeys(f["check"] for f in answer["findings"])) == CHECKS
    assert [f["check"] for f in answer["findings"] if f["level"] == "warning"] == ["notifications"]
    text = suite.orchctl("doctor").stdout.splitlines()
    assert text[-1] == f"{len(CHECKS)} checks: 0 wrong, 1 warning"
    assert any(line.startswith("ok       git            git version 2.") for line in text)
    assert any(line.startswith("warning  notifications  alerts go to the log only") for line in text)


def test_programs_that_are_not_there(doctor, folder):
    """A supervisor that runs still has its own; an agent, an upgrade or a restart would find nothing."""
    (folder / "bin").mkdir()
    for name in os.listdir(BUILD):
        if name.startswith("orch-") and os.access(BUILD / name, os.X_OK) and (BUILD / name).is_file():
            (folder / "bin" / name).symlink_to(BUILD / name)
    assert findings(doctor(ORCH_BIN_DIR=str(folder / "bin")), "programs", "wrong") == []
    (folder / "bin/orch-shim").unlink()
    assert one(doctor(ORCH_BIN_DIR=str(folder / "bin")), "programs")["subject"] == str(folder / "bin/orch-shim")


def test_without_a_database_it_checks_what_the_host_knows(doctor):
    began = time.monotonic()
    done = doctor(ORCH_DATABASE="host=127.0.0.1 port=1 dbname=orch password=geheim")
    assert time.monotonic() - began < 20
    found = one(done, "database")
    assert "cannot connect" in found["says"] and "geheim" not in done.stdout + done.stderr
    assert [f["check"] for f in json.loads(done.stdout)["findings"] if f["says"].startswith("not checked")] == [
        "clock", "rights", "hosts", "services", "trackers", "forges", "hooks", "notifications", "letters", "alerts"]
    assert findings(done, "git", "fine") and findings(done, "folders", "fine")


def test_a_database_that_hangs_is_given_up(doctor):
    with socket.socket() as deaf:  # takes connections and never says a word
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        began = time.monotonic()
        done = doctor(ORCH_DATABASE=f"host=127.0.0.1 port={deaf.getsockname()[1]} dbname=orch")
        assert time.monotonic() - began < 20 and "timeout" in one(done, "database")["says"]


def test_an_empty_database_and_one_of_another_release(doctor, database):
    database.query("delete from orch.schema_migration where version = (select max(version) from orch.schema_migration)")
    assert one(doctor(), "database")["mend"] == "run `orchctl migrate`"
    database.query("drop schema orch cascade")
    assert {f["mend"] for f in findings(doctor(), "database", "wrong")} == {"run `orchctl migrate`"}


def test_daemons_that_are_not_there_or_silent(doctor, database):
    assert {f["subject"] for f in findings(doctor(), "hosts", "wrong")} == {"webhookd", "workerd", "reaperd", "reconcilerd"}
    assert one(doctor(), "suite")["mend"] == "start it: orchctl up"
    database.query("select orch.process_start('far', repeat('a', 36), 'workerd', 4711, 1, 'v1')")
    database.query("update orch.process set beat_at = now() - interval '1 hour'")
    assert any("workerd 4711 has been silent for 01:00" in f["says"] and f["subject"] == "far" for f in findings(doctor(), "hosts", "wrong"))


def test_roles_and_rights(doctor, database):
    database.query("revoke execute on all functions in schema orch from orch_reaperd")
    assert one(doctor(), "rights")["says"] == "orch_reaperd may not call orch.process_beats()"


def test_folders_that_others_may_write_and_files_that_are_none(doctor, folder):
    (folder / "state" / "runs").mkdir()
    (folder / "state" / "runs").chmod(0o777)
    (folder / "state" / "locks").touch()
    assert {f["says"].split(" (")[0] for f in findings(doctor(), "folders", "wrong")} == {"others may write it", "is no folder"}
    assert "cannot be looked at" in one(doctor(ORCH_STATE_DIR=str(folder / "none")), "folders")["says"]


def test_a_disk_without_room(doctor):
    found = one(doctor(ORCH_DISK_MIN_FREE="1024GiB"), "disk")
    assert "no job is claimed below" in found["says"]


def test_agents_that_are_not_installed(doctor, database):
    assert one(doctor(ORCH_AGENT_COMMAND="/nowhere/claude -p"), "agents")["subject"] == "agent_command"
    assert one(doctor(ORCH_AGENT_COMMAND_TESTER="no-such-agent"), "agents")["subject"] == "agent_command_tester"
    database.query("select orch.process_start('far', repeat('a', 36), 'workerd', 4711, 1, 'v1')")
    database.query("""update orch.process set preflight = '{"tester": "claude is not there"}'""")
    found = one(doctor(), "agents")
    assert (found["subject"], found["says"]) == ("far", "tester: claude is not there")


@pytest.mark.parametrize("mode, text, says", [(0o644, "x" * 32, "others may read or write"), (0o600, "short", "shorter than 16"), (0o600, "", "no"),
                                              (None, "", "could not open")])
def test_secrets_that_others_read_or_nobody(doctor, folder, mode, text, says):
    path = folder / "secret"
    if mode is not None:
        path.write_text(text + "\n")
        path.chmod(mode)
    found = one(doctor(ORCH_PLANE_SECRET_FILE=str(path)), "secrets")
    assert says in found["says"] and found["subject"] == "plane_secret_file"


def test_operator_port_without_a_good_token(doctor, folder):
    (folder / "tokens").write_text("ci read " + "a" * 64 + " expires=2020-01-01\n")
    (folder / "tokens").chmod(0o600)
    done = doctor(ORCH_LISTEN_OPERATOR="127.0.0.1:1", ORCH_OPERATOR_TOKENS_FILE=str(folder / "tokens"))
    assert "all have expired" in one(done, "secrets", "warning")["says"]


def test_what_was_given_up_and_what_waits(doctor, database):
    database.query("insert into orch.event (source, delivery, body, status, outcome, ended_at) values ('gitea', 'd1', 'x', 'malformed', 'no JSON', now())")
    assert "1 events and effects were given up" in one(doctor(), "letters")["says"]
    database.query("insert into orch.axis_fault (axis, error) values ('pause', 'column is missing')")
    assert one(doctor(), "alerts")["subject"] == "pause"


def test_run_by_somebody_else(doctor, folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder / "state", 65534, -1)
    assert "belongs to user 65534" in one(doctor(), "user", "warning")["says"]
