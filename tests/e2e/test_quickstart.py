"""deploy/quickstart as a person types it: from nothing to done, again, after a failure, and interrupted."""

import os
import re
import signal
import socket
import subprocess

import pytest

from support.paths import source
from support.processes import descendants
from support.project import git
from support.suite import free_port
from support.wait import wait_for

QUICKSTART = source("deploy/quickstart")


def quickstart(*args, command=(), timeout=600):
    return subprocess.run([*command, QUICKSTART, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout)


def created(output):
    return re.findall(r"^    (DEMO-\d+): (.+)$", output, re.MULTILINE)


def break_agent(state, role, command):
    config = state / "orchestrator.conf"
    before = config.read_text()
    config.write_text(re.sub(rf"(?m)^agent_command_{role} = .*$", f"agent_command_{role} = {command}", before))
    return before


@pytest.mark.parametrize("args, code", [(["--help"], 0), (["--wrong"], 2), (["--state"], 2), (["--demo"], 2), (["--demo", "long"], 2), (["--demo", "sim"], 2),
                                        (["--sim", "--demo", "full"], 2), (["--demo=full", "--sim"], 2)])
def test_command_line(args, code):
    done = quickstart(*args)
    assert done.returncode == code and "deploy/quickstart [--once] [--demo NAME | --sim] [--programs DIR] [--state DIR]" in done.stdout


def test_a_state_folder_with_blanks_is_refused(folder):
    done = quickstart("--once", "--state", folder / "with blanks")
    assert done.returncode == 1 and "may be in it: choose another folder" in done.stdout


def test_the_folder_of_somebody_else_is_refused(folder):
    theirs = folder / "theirs"
    theirs.mkdir()
    if os.geteuid() == 0:
        os.chown(theirs, 65534, 65534)
    done = quickstart("--once", "--state", theirs if os.geteuid() == 0 else "/usr")
    assert done.returncode == 1 and re.search(r"FAILED while looking at the folders: \S+ belongs to user \w+: call this as that user", done.stdout)


def test_a_disk_without_room(folder):
    """Said before anything is built on it; and nothing is left there."""
    (folder / "bin").mkdir()
    (folder / "bin/df").write_text("#!/bin/sh\necho ' Avail'; echo '  30M'\n")
    (folder / "bin/df").chmod(0o755)
    done = quickstart("--once", "--state", folder / "state", command=["env", f"PATH={folder}/bin:/usr/bin:/bin"])
    assert done.returncode == 1 and "has room for 30 MiB, and a first run wants 700: make room" in done.stdout
    assert not list((folder / "state").iterdir())


def test_programs_that_are_not_there(folder):
    done = quickstart("--once", "--state", folder / "state", "--programs", folder)
    assert done.returncode == 1 and "it has no orch-supervisor and orchctl" in done.stdout


def shell(state, line, **options):
    """A line as a person types it, in the source folder, after the one that the quickstart has printed."""
    done = subprocess.run(["bash", "-c", f". {state}/env; {line}"], cwd=source("."), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def what_is_said_to_type_next(state, output):
    """What README's first ten minutes make and answer is done, and so is what is printed as one more item; and the end."""
    readme = source("README.md").read_text()
    printed = re.search(r"^  one more item +(.+)$", output, re.MULTILINE).group(1)
    create, answer = (re.search(rf"^orchctl {act} .+$", readme, re.MULTILINE).group(0) for act in ("item create", "answer"))
    for key, line, answer in (("DEMO-3", create, answer), ("DEMO-4", printed, 'orchctl answer DEMO-4 "$(cat deploy/demo/items/04-transferred.md)"')):
        assert shell(state, line) == key
        wait_for(lambda: "analyst has asked" in shell(state, f"orchctl why {key}"), 30, "it asks")
        shell(state, answer)
        if key == "DEMO-4":  # one behind it: the person is told what holds it up
            behind = shell(state, f"orchctl item create demo Behind --description - <{source('deploy/demo/items/04-transferred.md')}")
            wait_for(lambda: "is earlier" in shell(state, f"orchctl why {behind}") and "orchctl approve" in shell(state, "orchctl why DEMO-4"), 60, "both wait")
            told = shell(state, f"PERSON_TIMEOUT=5 deploy/demo/person {behind} || orchctl cancel {behind}")
            assert f"{behind} waits for DEMO-4, which waits for you; you would type: orchctl approve DEMO-4; or let it be overtaken: orchctl pause DEMO-4" in told
        shell(state, f"deploy/demo/person {key}")
    assert "DEMO-4" in shell(state, f"{source('deploy/demo/timeline.py')} DEMO-4")
    for line in output[output.index("To stop it, then its database:"):].splitlines()[1:]:
        shell(state, line)
    wait_for(lambda: all_stopped(state), 10, "nothing is left of it")


def what_is_said_after_once(state, output):
    """The lines that bring it back to be looked at."""
    start, env = re.search(r"until it is told to stop\):\n\n  (.+)\n  (.+)\n", output).groups()
    assert "DEMO-6" in shell(state, f"{start}; {env}; orchctl item show DEMO-6")
    shell(state, start.replace(" start ", " stop "))
    done = subprocess.run([source("deploy/demo/timeline.py"), "DEMO-6"], env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and "orchctl is not in PATH: type the line" in done.stdout
    done = subprocess.run(["bash", "-c", f". {state}/env; {source('deploy/demo/timeline.py')} DEMO-6"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and "is PostgreSQL running there?" in done.stdout


def first_run(state):
    """Both items reach done; S-5: the second waits for the first; P-8: its branch contains the first one's code."""
    done = quickstart("--state", state)
    assert done.returncode == 0, done.stdout
    assert created(done.stdout) == [("DEMO-1", "Read sizes such as 1.5 MiB"), ("DEMO-2", "Add up sizes written as text")]
    assert "DEMO-1 is earlier in repo demo" in done.stdout
    for item in ("DEMO-1", "DEMO-2"):
        assert done.stdout.count(f"you would type: orchctl approve {item}") == 2
    bare = state / "forge/demo.git"
    merges = git("--git-dir", bare, "log", "--merges", "--reverse", "--format=%H %s", "main").split("\n")
    assert [line.split(" ", 1)[1].split(":")[0] for line in merges] == ["Merge DEMO-1", "Merge DEMO-2"]
    first, second = (line.split()[0] for line in merges)
    assert git("--git-dir", bare, "merge-base", f"{second}^1", f"{second}^2") == first
    runs = subprocess.run(["python3", "-B", "-c", "import units; print(units.total_size(['1 KiB', '1 KiB']))"], text=True,
                          env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(state / "production/current")},
                          stdout=subprocess.PIPE, check=True)
    assert runs.stdout == "2 KiB\n"
    what_is_said_to_type_next(state, done.stdout)


def second_run_on_a_terminal(state):
    """The table is drawn in place there; what is said stands below it."""
    command = f"{QUICKSTART} --once --state {state}"
    done = subprocess.run(["script", "--quiet", "--return", "--command", command, "/dev/null"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    assert "RUNS FOR" in done.stdout and done.stdout.count("you would type: orchctl approve") == 4
    what_is_said_after_once(state, done.stdout.replace("\r", ""))


def run_with_a_failing_agent(state):
    """The step, its reason and the logs are named; with --once everything is stopped."""
    before = break_agent(state, "architect", "/bin/false")
    done = quickstart("--once", "--state", state)
    (state / "orchestrator.conf").write_text(before)
    assert done.returncode == 1
    assert re.search(r"quickstart: FAILED while carrying DEMO-8 DEMO-9 to done .*: not every item reached done", done.stdout)
    assert "DEMO-8 is stuck: the architect failed" in done.stdout and f"{state}/suite/log/supervisor.log" in done.stdout
    assert "stopping the suite and the cluster" in done.stdout


def interrupted_run_and_the_next(state):
    """Ctrl-C while agents work; then a run that first cancels what the two before it have left."""
    log = state / "interrupted.log"
    with open(log, "w") as file:
        process = subprocess.Popen([QUICKSTART, "--once", "--state", state], stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    wait_for(lambda: "is at work" in log.read_text(), 120, explain=log.read_text)  # no stage by name: quick ones are not shown
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 1 and "FAILED while carrying DEMO-10 DEMO-11 to done" in log.read_text()
    done = quickstart("--once", "--state", state)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"cancelling (DEMO-\d+)", log.read_text()) == ["DEMO-8", "DEMO-9"]
    assert re.findall(r"cancelling (DEMO-\d+)", done.stdout) == ["DEMO-10", "DEMO-11"]


def test_a_build_that_fails_says_so(folder):
    """A compiler that does not work: the step and the end of its log are shown; nothing was started."""
    done = subprocess.run([QUICKSTART, "--once", "--state", folder / "state"], env={**os.environ, "CC": "/bin/false"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 1 and "FAILED while building into" in done.stdout
    assert "meson ended with 1" in done.stdout and "ompiler" in done.stdout and "stopping" not in done.stdout


def all_stopped(state):
    return not [p for p in descendants(os.getpid()) if p.cwd.startswith(str(state)) or str(state) in " ".join(p.args)]


@pytest.mark.timeout(1500)
def test_one_state_folder_through_many_runs(folder):
    """One test, because each run goes on where the last one ended, and building once is enough."""
    state = folder
    for run in (first_run, second_run_on_a_terminal, run_with_a_failing_agent, interrupted_run_and_the_next):
        run(state)
        wait_for(lambda: all_stopped(state), what=f"nothing is left of {run.__name__}")


def test_ports_that_somebody_else_has_taken_since(folder):
    """The demo of another folder, say: this one then listens elsewhere, and what was written by hand stays."""
    config = folder / "orchestrator.conf"
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken, other = held.getsockname()[1], free_port()
        config.write_text(f"listen_public = 127.0.0.1:{taken}\nlisten_status = 127.0.0.1:{other}\nlisten_operator = 127.0.0.1:{taken}\n")
        said = subprocess.run([source("deploy/demo/configuration"), "ports", folder], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = dict(line.split(" = 127.0.0.1:") for line in config.read_text().splitlines())
    assert lines["listen_public"] != str(taken) and f"port {taken} is taken: listen_public is 127.0.0.1:{lines['listen_public']}" in said
    assert (lines["listen_status"], lines["listen_operator"]) == (str(other), str(taken))
