"""orchctl and the processes of a host: up, down, log, and watch over real work."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from support.agents import BODIES, Gate, hold_pushes
from support.paths import BUILD, program
from support.processes import Process, descendants, own_programs
from support.wait import wait_for


@pytest.fixture
def host(make_suite):
    """A configured suite that orchctl starts and stops; whatever is left of it ends with the test."""
    suite = make_suite()
    yield suite
    done = suite.orchctl("down", "--quick", check=False)
    assert done.returncode == 0, done.stderr


def supervisor_log(suite):
    return (suite.folder / "state/log/supervisor.log").read_text()


def supervisors():
    return [p for p in own_programs(descendants(os.getpid())) if p.program == "orch-supervisor"]


def start(suite, *args):
    return subprocess.Popen([program("orchctl"), *map(str, args)], env={**suite.env, "ORCH_CONFIG": str(suite.config)},
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """The rest of what it prints. communicate() would lose what readline() has read ahead."""
    out, err = process.stdout.read(), process.stderr.read()
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    return out, err


# --- up and down ---------------------------------------------------------------------------------------------


def test_up_where_it_may_not_write(host):
    log = host.folder / "state/log/supervisor.log"
    log.mkdir(parents=True)
    done = host.orchctl("up", check=False)
    assert done.returncode == 1 and f"cannot write {log}: Is a directory\nhint: orchctl up is for the user of the suite, who owns" in done.stderr
    log.rmdir()


def test_up_and_down_can_be_repeated(host):
    state = host.orchctl_json("up")
    assert state["running"] is True and state["ready"] is True
    assert host.status.get("/readyz").status == 200
    supervisor = Process(state["pid"])
    assert supervisor.program == "orch-supervisor"
    assert os.getsid(state["pid"]) == state["pid"], "a session of its own: it outlives the terminal"
    again = host.orchctl("up", "--json")
    assert json.loads(again.stdout)["pid"] == state["pid"] and "runs already" in again.stderr
    assert host.orchctl_json("down") == {"running": False, "ready": False, "pid": None}
    wait_for(lambda: not Process(state["pid"]).alive and supervisors() == [], what="it has ended")  # it lets its lock go a moment before
    assert "the suite does not run" in host.orchctl("down").stderr
    assert "daemon=webhookd" in supervisor_log(host)
    assert not [line for line in supervisor_log(host).splitlines() if "level=warning" in line or "level=error" in line]


def test_messages_are_no_data(host):
    up = host.orchctl("up")
    assert up.stdout == "" and f"status on http://127.0.0.1:{host.status.port}/status" in up.stderr
    down = host.orchctl("down")
    assert down.stdout == "" and down.stderr == "the suite is down\n"


def test_two_at_once_start_one(host):
    processes = [start(host, "up") for _ in range(3)]
    for process in processes:
        _, err = finish(process)
        assert process.returncode == 0, err
    assert len(supervisors()) == 1


def test_after_the_supervisor_was_killed(host):
    """The kernel drops the lock, whatever the file says."""
    pid = host.orchctl_json("up")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Process(pid).alive, what="it is gone")
    assert "the suite does not run" in host.orchctl("down").stderr
    assert host.orchctl_json("up")["pid"] != pid


def test_a_pid_that_nobody_holds_is_never_signalled(host):
    """The file names a living process, but the lock is free: it is not our supervisor."""
    bystander = subprocess.Popen(["tail", "-f", "/dev/null"])
    (host.folder / "state/supervisor.pid").write_text(f"{bystander.pid}\n")
    assert "the suite does not run" in host.orchctl("down", "--quick").stderr
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_lock_without_a_process_is_an_error(host):
    """Another machine's supervisor on a shared folder, say."""
    with open(host.folder / "state/supervisor.pid", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = host.orchctl("down", check=False)
    assert done.returncode == 1 and "is locked, but by no process that can be seen from here" in done.stderr


def test_without_a_database_it_says_what_is_missing(host):
    """Started, goes on trying, not ready: exit code 3."""
    host.write_config(database=f"host={host.folder} dbname=orch")
    done = host.orchctl("up", "--timeout", "3s", check=False)
    assert done.returncode == 3
    assert "the suite runs, but is not ready: " in done.stderr and "supervisor.log" in done.stderr
    assert len(supervisors()) == 1


def test_a_port_that_is_taken(host):
    """What kept the supervisor from starting is in the message, and the answer of a stranger on that port is not ours."""
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", host.status.port))
        stranger.listen()
        done = host.orchctl("up", "--timeout", "30s", check=False)
    assert done.returncode == 1
    assert "the supervisor ended with exit code" in done.stderr and str(host.status.port) in done.stderr


def test_programs_that_are_not_there(host):
    host.write_config(bin_dir=host.folder)
    done = host.orchctl("up", check=False)
    assert done.returncode == 78 and "orch-supervisor" in done.stderr and "bin_dir" in done.stderr


def test_the_programs_stand_beside_orchctl(host):
    host.write_config(bin_dir=None)
    pid = host.orchctl_json("up")["pid"]
    assert os.readlink(f"/proc/{pid}/exe") == str(BUILD / "orch-supervisor")


def test_a_state_folder_that_cannot_be_made(host):
    host.write_config(state_dir="/proc/nowhere/state")
    done = host.orchctl("up", check=False)
    assert done.returncode == 1 and "/proc/nowhere" in done.stderr
    host.write_config(state_dir=host.folder / "state")


def test_a_new_state_folder_is_made(host):
    host.write_config(state_dir=host.folder / "deep/new/state")
    host.orchctl("up")
    assert (host.folder / "deep/new/state/log/supervisor.log").exists()


def test_foreground(host):
    process = start(host, "up", "--foreground")
    host.wait_for(lambda: not process.poll() and host.is_ready(), what="it is ready")
    process.send_signal(signal.SIGTERM)
    _, err = finish(process)
    assert process.returncode == 0 and "event=supervisor.stopped" in err


# --- over real work ------------------------------------------------------------------------------------------


@pytest.fixture
def work(host, agents, project):
    """The suite runs, an item is there, and its analyst waits at a gate after having printed something."""
    gate = Gate(agents)
    agents.set("analyst", 'echo "one  line"; printf "\\033[2Jtwo\\n"; mark printed\nflock --shared "$marks/gate" true\n'
                          f'echo three >&2\n{BODIES["analyst"]}')
    host.orchctl("up")
    host.add_project(project)
    item = host.orchctl("item", "create", project.name, "A small wish").stdout.strip()
    wait_for(lambda: agents.marks("printed"), what="the analyst is at work")
    wait_for(lambda: any(b"two\n" in log.read_bytes() for log in (host.folder / "state/runs").glob("*/log")), what="its words are in its log")
    host.item, host.gate = item, gate
    yield host
    gate.open()


def test_status_of_a_running_job(work):
    task, = work.orchctl_json("status")["tasks"]
    assert (task["work_item"], task["role"], task["job_status"]) == (work.item, "analyst", "running")
    assert task["running_s"] >= 0 and task["waits"][0]["axis"] == "running"
    row = work.orchctl("status").stdout.splitlines()[1].split()
    assert row[:3] == [work.item, "analysis", "analyst"] and row[3].endswith("s")
    assert f"{work.item}  analyst" in work.orchctl("queue").stdout


def test_log(work):
    done = work.orchctl("log", work.item)
    assert done.stdout == "one  line\n\x1b[2Jtwo\n"
    assert done.stderr == f"{work.item} run 1: analyst, attempt 1, running\n"
    assert work.orchctl("log", work.item, "--run", 1, "--role", "analyst").stdout == done.stdout
    for args in (("--run", 99), ("--role", "tester")):
        done = work.orchctl("log", work.item, *args, check=False)
        assert done.returncode == 3 and "has had no such run with a log yet" in done.stderr


def test_a_run_without_a_log_is_passed_over(work):
    """The newest run may be one of the orchestrator's own, a merge, that has no log."""
    work.gate.open()
    work.orchctl("watch", work.item, "--until", "waiting", "--timeout", "60s")
    work.database.query("""
        with j as (insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts, status, ended_at)
                   select task_id, repo_id, 'merger', 'merge', false, stage, stage_version, priority, 1, 'done', now() from orch.job limit 1
                   returning id)
        insert into orch.run (job_id, epoch, token, attempt, process_id, ended_at, outcome)
        select j.id, 1, gen_random_uuid(), 1, (select max(process_id) from orch.run), now(), 'success' from j""")
    assert "analyst" in work.orchctl("log", work.item).stderr
    done = work.orchctl("log", work.item, "--run", 2, check=False)
    assert done.returncode == 3 and "this run has left no log" in done.stderr


def test_log_followed_to_its_end(work):
    process = start(work, "log", work.item, "-f")
    assert process.stdout.readline() == "one  line\n"
    work.gate.open()
    out, err = finish(process)
    assert process.returncode == 0, err
    assert out == "\x1b[2Jtwo\nthree\n"
    wait_for(lambda: "analyst, attempt 1, success" in work.orchctl("log", work.item).stderr, what="the outcome is recorded")


def test_log_of_another_host(work):
    work.write_config(host_name="elsewhere")
    done = work.orchctl("log", work.item, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "the log lies on host testhost, this is elsewhere" in done.stderr
    path = pathlib.Path(done.stderr.splitlines()[-1].removeprefix("hint: there: "))
    assert path.read_text() == "one  line\n\x1b[2Jtwo\n"


def test_watch_until_a_person_is_needed(work):
    """P-9: the analysis is there, and waits for its approval; then the item goes on, to the next question."""
    process = start(work, "watch", work.item, "--until", "waiting", "--timeout", "60s")
    assert "the analyst is at work" in process.stdout.readline()
    work.gate.open()
    out, err = finish(process)
    assert process.returncode == 0, err
    assert "a person to approve the analysis" in out.splitlines()[-1]
    assert work.orchctl("approve", work.item, "--comment", "fine").stdout.startswith(work.item)
    assert work.orchctl("watch", work.item, "--until", "waiting", "--timeout", "60s", check=False).returncode == 0
    shown = work.orchctl("item", "show", work.item).stdout
    assert "\nRuns\n" in shown and "\nEvidence\n" in shown and "analysis -> architecture" in shown


def test_down_lets_agents_work_on(work):
    """J-8: also a quick stop; the next start goes on with the agent that is there."""
    assert work.orchctl("down", "--quick").returncode == 0
    wait_for(lambda: supervisors() == [], what="it has ended")
    assert work.run_pids()
    assert work.orchctl_json("why", work.item)["waits"][0]["axis"] == "running"
    work.orchctl("up")
    work.gate.open()
    work.orchctl("watch", work.item, "--until", "waiting", "--timeout", "60s")
    assert [r["outcome"] for r in work.orchctl_json("item", "show", work.item)["runs"]] == ["success"]


def test_down_that_takes_too_long(work, project, agents):
    """A drain waits for a push; orchctl does not wait for ever."""
    forge = hold_pushes(project, agents)
    work.gate.open()
    wait_for((agents.folder / "forge.first").exists, what="git pushes")
    done = work.orchctl("down", "--timeout", "300ms", check=False)
    assert done.returncode == 3 and "still finishing its work" in done.stderr and "--quick" in done.stderr
    forge.open()


def test_log_goes_on_while_the_database_is_away(work, cluster):
    """The log is a file: following it needs the database only to learn of an end that the shim could not write."""
    process = start(work, "log", work.item, "-f")
    assert process.stdout.readline() == "one  line\n"
    cluster.restart("immediate")
    work.database.forget_connections()
    assert "connection to the database was lost" in [process.stderr.readline(), process.stderr.readline()][1]
    assert process.poll() is None
    work.gate.open()
    out, err = finish(process)
    assert process.returncode == 0, err
    assert out.endswith("three\n")
