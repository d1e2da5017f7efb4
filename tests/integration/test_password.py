"""A password in the option "database" is told to nobody: not by a dump, a log line, a hint or an error (O-5)."""

import signal
import subprocess

import pytest

from support.paths import program, program_env
from support.wait import wait_for

PROGRAMS = ["orch-supervisor", "orch-webhookd", "orch-workerd", "orch-reaperd", "orch-reconcilerd"]
CANARY = "canary-of-the-tests"
# Nobody listens there; the last two are no connection strings, since the password was not quoted.
CONNINFOS = [
    f"host=/nonexistent dbname=orch password={CANARY}",
    f"postgresql://orch:{CANARY}@127.0.0.1:1/orch",
    f"dbname=orch password=with blanks {CANARY} user=u",
    f"postgresql://orch:{CANARY}%zz@127.0.0.1:1/orch",
]


def run(name, *args, **env):
    """All that it says."""
    done = subprocess.run([program(name), *args], env=program_env(**env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize("conninfo", CONNINFOS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_dump_of_a_daemon(name, conninfo):
    """Also from the flag and from the environment."""
    for said in (run(name, "--database", conninfo, "--dump-config"), run(name, "--dump-config", ORCH_DATABASE=conninfo)):
        assert "\ndatabase = " in said and "***" in said
        assert CANARY not in said


@pytest.mark.parametrize("conninfo", CONNINFOS)
def test_orchctl(folder, conninfo):
    """The dump, and the hint of a command that finds no database; what is no secret is still there."""
    config = folder / "orchestrator.conf"
    config.write_text(f'database = "{conninfo}"\n')
    for args in (["config", "dump"], ["config", "dump", "--json"], ["status"], ["migrate"], ["config", "check"]):
        said = run("orchctl", *args, ORCH_CONFIG=str(config))
        assert CANARY not in said, args
        assert "orch" in said


@pytest.mark.parametrize("conninfo", CONNINFOS)
@pytest.mark.parametrize("name", PROGRAMS[1:])
def test_log_of_a_daemon(folder, name, conninfo):
    """From its start with a string that leads nowhere to a reload with another one, and its end."""
    config, log = folder / "orchestrator.conf", folder / "log"
    config.write_text(f'database = "{conninfo}"\nstate_dir = {folder}\nlog_level = debug\n'
                      "listen_public = 127.0.0.1:0\nlisten_status = 127.0.0.1:0\n")
    with open(log, "w") as file:
        daemon = subprocess.Popen([program(name), "--config", config], env=program_env(), stdin=subprocess.DEVNULL,
                                  stdout=file, stderr=file)
    try:
        if conninfo in CONNINFOS[:2]:
            reload_and_stop(daemon, config, log)
        assert daemon.wait(30) in (0, 1, 78)
    finally:
        daemon.kill()
        daemon.wait()
    said = log.read_text()
    assert "event=daemon.started" in said
    assert CANARY not in said, said


def reload_and_stop(daemon, config, log):
    wait_for(lambda: "event=daemon.started" in log.read_text(), explain=log.read_text)
    config.write_text(config.read_text().replace(CANARY, CANARY + "2"))
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=config.needs-restart option=database" in log.read_text(), explain=log.read_text)
    daemon.send_signal(signal.SIGTERM)
