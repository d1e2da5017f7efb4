"""orch-shim against real processes: how a run ends, what is left running, what the agent is given.

What a shim leaves on disk: test_shim_disk.py.
"""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from support.marks import root_is_anybody
from support.processes import all_processes, is_alive, own_user
from support.shim import AGENT_ENV, FOREVER, STAY, UNTIL_MARK, daemon, sh
from support.wait import stays, wait_for

# --- how it ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code(start_shim, code):
    status = start_shim(*sh(f"echo hello; echo world >&2; exit {code}")).end()
    assert (status["outcome"], status["code"], status["signal"], status["stop_reason"]) == \
        ("exited", str(code), "0", "")
    assert 0 <= int(status["ended_ms"]) - int(status["started_ms"]) < 60000
    assert abs(int(status["ended_ms"]) - time.time() * 1000) < 60000


def test_output_is_the_log(start_shim):
    shim = start_shim(*sh("cat; echo out; echo err >&2"), stdin="from the task file\n")
    assert shim.end()["log_bytes"] == str(len("from the task file\nout\nerr\n"))
    assert shim.log() == b"from the task file\nout\nerr\n"


@pytest.mark.parametrize("signo", [signal.SIGSEGV, signal.SIGTERM])
def test_death_by_a_signal(start_shim, signo):
    status = start_shim(*sh(f"kill -{signo} $$")).end()
    assert (status["outcome"], status["code"], status["signal"]) == ("signaled", "-1", str(int(signo)))


def test_kill_9_of_the_agent(start_shim):
    shim = start_shim(*FOREVER)
    os.kill(shim.agent(), signal.SIGKILL)
    status = shim.end()
    assert (status["outcome"], status["signal"]) == ("signaled", "9")


def test_wall_clock(start_shim):
    """J-3"""
    shim = start_shim(*FOREVER, wall_ms=300)
    status = shim.end()
    assert (status["outcome"], status["signal"], status["stop_reason"]) == ("timeout", "15", "wall")


def test_sigterm_ignored_is_sigkill_after_the_grace(start_shim):
    """J-3: also its children, also when they would go on for ever."""
    script = "trap '' TERM; sleep infinity & sleep infinity & while :; do sleep infinity; done"
    shim = start_shim(*sh(script), wall_ms=3000, grace_ms=400)
    began = time.monotonic()
    status = shim.end()
    assert (status["outcome"], status["signal"]) == ("timeout", "9")
    assert 3.3 < time.monotonic() - began < 18


def test_sigterm_may_be_answered_within_the_grace(start_shim):
    shim = start_shim(*sh("trap 'echo cleaning; exit 7' TERM; echo ready; sleep infinity & wait"))
    wait_for(lambda: b"ready" in shim.log())
    shim.say("cancel")
    status = shim.end()
    assert (status["outcome"], status["code"], status["stop_reason"]) == ("stopped", "7", "cancelled")
    assert b"cleaning" in shim.log()


def test_a_stopped_agent_can_answer_sigterm(start_shim):
    shim = start_shim(*sh("trap 'exit 7' TERM; echo ready; kill -STOP $$; sleep infinity"))
    wait_for(lambda: b"ready" in shim.log())
    wait_for(lambda: "T" in [p.state for p in all_processes() if p.pid == shim.agent()])
    shim.say("shutdown")
    status = shim.end()
    assert (status["outcome"], status["stop_reason"]) == ("stopped", "shutdown")
    assert status["signal"] != "9"


def test_start_clock(start_shim):
    """J-3: no output at all."""
    status = start_shim(*FOREVER, start_ms=300, idle_ms=10).end()
    assert (status["outcome"], status["signal"], status["stop_reason"]) == ("timeout", "15", "start")


def test_idle_clock(start_shim, folder):
    """J-3: output stops the start clock; a pause after it, on either stream, is what the idle clock measures."""
    script = f"for i in 1 2 3 4; do sleep 0.2; echo $i >&2; done; touch {folder}/silent; sleep infinity"  # lasts
    shim = start_shim(*sh(script), start_ms=20000, idle_ms=5000)
    status = shim.end()
    assert (status["outcome"], status["stop_reason"]) == ("timeout", "idle")
    assert (folder / "silent").exists() and shim.log() == b"1\n2\n3\n4\n"
    assert int(status["ended_ms"]) - int(status["started_ms"]) > 5700


RESULT = '{"type":"result"'


def test_after_the_result_it_has_to_end(start_shim):
    """J-3: an agent that has said its result and hangs is stopped; neither the idle clock nor the wall is waited for."""
    shim = start_shim(*sh(f"echo begun; echo '{RESULT},\"x\":1}}'; sleep infinity"), wall_ms=600000, idle_ms=50000,
                      result_prefix=RESULT, after_result_ms=300)
    status = shim.end()
    assert (status["outcome"], status["stop_reason"], status["signal"]) == ("stopped", "after-result", "15")
    assert 250 <= int(status["ended_ms"]) - int(status["started_ms"]) < 30000


def test_a_result_lets_it_be_silent(start_shim):
    """J-3: who tidies up after the result is not idle."""
    shim = start_shim(*sh(f"echo '{RESULT}}}'; sleep 0.6; exit 0"), idle_ms=200, result_prefix=RESULT,  # lasts
                      after_result_ms=20000)
    status = shim.end()
    assert (status["outcome"], status["code"]) == ("exited", "0")


@pytest.mark.parametrize("output", [" {\"type\":\"result\"}", "said: {\"type\":\"result\"}", "{\"type\":\"resul"])
def test_what_is_no_result_starts_no_clock(start_shim, output):
    shim = start_shim(*sh(f"echo '{output}'; sleep 0.6; exit 0"), result_prefix=RESULT, after_result_ms=100)  # lasts
    assert shim.end()["outcome"] == "exited"


@pytest.mark.parametrize("option, value, letter, answer", [
    ("max_cpu_s", 77, "t", "77"), ("max_memory", 1 << 40, "v", str(1 << 30)),
    ("max_file", 1 << 30, "f", str(1 << 20)), ("max_open_files", 99, "n", "99")])
def test_limits_of_the_agent(start_shim, option, value, letter, answer):
    """J-2: both limits, so that an agent cannot raise them again."""
    shim = start_shim("/bin/bash", "-c", f"ulimit -S{letter}; ulimit -H{letter}",
                      **{option: value})
    shim.end()
    assert shim.log().decode().split()[-2:] == [answer, answer]


def test_a_file_that_grows_too_big(start_shim, folder):
    """J-2: the agent's files are bounded, the log is not its own."""
    shim = start_shim("/bin/bash", "-c", f"for i in $(seq 40); do echo {'x' * 200}; done; head -c 100000 /dev/zero >{folder}/big", max_file=4096)
    assert shim.end()["code"] != "0"
    assert (folder / "big").stat().st_size == 4096 and len(shim.log()) > 8000


@pytest.mark.parametrize("lines, reason, signo", [
    ("cancel", "cancelled", "15"), ("shutdown", "shutdown", "15"), ("cancel\nshutdown", "cancelled", "15"),
    ("kill", "killed", "9")])
def test_commands(start_shim, lines, reason, signo):
    """C-3, J-3: the first reason stands."""
    shim = start_shim(*FOREVER)
    shim.agent()
    shim.say(lines)
    status = shim.end()
    assert (status["outcome"], status["stop_reason"], status["signal"]) == ("stopped", reason, signo)
    assert shim.hear_the_end().endswith("ended\n")


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_shim_itself_is_told_to_end(start_shim, signo):
    shim = start_shim(*FOREVER)
    shim.agent()
    shim.process.send_signal(signo)
    assert shim.end()["stop_reason"] == "signal"


def test_without_a_control_socket(start_shim):
    assert start_shim(*sh("exit 4"), started_with_peer=False).end()["code"] == "4"


@pytest.mark.parametrize("command, why", [
    (["no-such-command"], "No such file or directory"), (["/etc/passwd"], "Permission denied"), (["/"], "denied"),
])
def test_start_failure(start_shim, command, why):
    status = start_shim(*command).end()
    assert (status["outcome"], status["code"]) == ("start-failed", "-1") and why in status["error"]


def test_start_failure_of_the_working_folder(start_shim, folder):
    assert start_shim("true", cwd=folder / "none").end()["error"] == "No such file or directory"


# --- what is left running ------------------------------------------------------------------------------------

@pytest.mark.parametrize("prelude", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_daemon_that_escaped_is_gone(start_shim, folder, prelude, stays):
    """J-3: killed with the agent, and also after the agent itself has ended well."""
    mark = folder / "mark"
    shim = start_shim(*daemon(mark, prelude, STAY if stays else UNTIL_MARK), grace_ms=300)
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    if stays:
        shim.agent()
        shim.say("cancel")
    status = shim.end()
    assert not is_alive(escaped)
    assert status["outcome"] == ("stopped" if stays else "exited") and status["survivors"] == "0"


def test_a_chain_of_sessions_is_gone(start_shim, folder):
    """Each in a session of its own, each ignoring SIGTERM."""
    script = folder / "chain.sh"
    script.write_text("#!/bin/bash\ntrap '' TERM\nif [ $1 -gt 0 ]; then setsid $0 $(($1 - 1)) & fi\n"
                      f"echo $$ >>{folder}/pids\nsleep infinity & wait\n")
    script.chmod(0o755)
    shim = start_shim(str(script), "8", grace_ms=200)
    wait_for(lambda: (folder / "pids").exists() and len((folder / "pids").read_text().split()) == 9)
    shim.say("cancel")
    shim.end()
    assert not [pid for pid in (folder / "pids").read_text().split() if is_alive(int(pid))]


def test_a_fork_bomb_within_its_limit(start_shim, folder):
    script = ("trap '' TERM\n"
              "f() { sleep 0.1 # lasts\n"
              f"echo >>{folder}/made; if [ $(wc -l <{folder}/made) -lt 150 ]; then f & f & fi; wait; sleep infinity; }}; f")
    shim = start_shim("/bin/bash", "-c", script, grace_ms=200)
    wait_for(lambda: len(shim.alive()) > 20)
    shim.say("cancel")
    shim.end(timeout=90)


BOMB = """
#include <signal.h>
#include <unistd.h>
int main(void)
{
        signal(SIGTERM, SIG_IGN);
        for (;;)
                if (fork() == 0)
                        setsid();
}
"""


def processes_of(user):
    wanted = f"\nUid:\t{user}\t"
    found = []
    for process in all_processes():
        try:
            if wanted in pathlib.Path(f"/proc/{process.pid}/status").read_text():
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@root_is_anybody
@pytest.mark.parametrize("command, reason", [("cancel", "cancelled"), ("kill", "killed")])
def test_a_fork_bomb_at_its_limit_loses(start_shim, folder, command, reason):
    """J-3: every process of it forks as fast as it can, heeds no SIGTERM and is a session of its own. It has no more processes
    than its user may have; what is killed of it makes room for more, and yet the kill wins."""
    (folder / "bomb.c").write_text(BOMB)
    subprocess.run(["cc", "-O2", "-o", folder / "bomb", folder / "bomb.c"], check=True, timeout=120)
    folder.chmod(0o755)
    bomber = own_user()
    shim = start_shim("setpriv", f"--reuid={bomber}", f"--regid={bomber}", "--clear-groups",
                      str(folder / "bomb"), grace_ms=200, max_processes=200)
    wait_for(lambda: len(shim.alive()) > 150, what="it is at its limit")
    stays(lambda: len(shim.alive()) <= 200, 0.3, "it is not beyond it")
    shim.say(command)
    status = shim.end(timeout=60)
    assert (status["stop_reason"], status["survivors"]) == (reason, "0")
    assert not processes_of(bomber)


def test_many_children_that_end_at_once(start_shim):
    status = start_shim(*sh("i=0; while [ $i -lt 200 ]; do (setsid true &); i=$((i+1)); done; exit 5")).end()
    assert status["code"] == "5"


@pytest.mark.parametrize("command, outcome", [(None, ("exited", "3", "0")), ("cancel", ("stopped", "", "15"))])
def test_an_agent_that_closes_its_output(start_shim, folder, command, outcome):
    """The end of its output is not its end: it works on, is stopped as any other, and the shim waits without turning."""
    go = folder / "go"
    os.mkfifo(go)
    shim = start_shim(*sh(f"echo one; exec >&- 2>&-; read line <{go}; exit 3"))
    shim.agent()
    wait_for(lambda: shim.log() == b"one\n")
    ticks = cpu_ticks(shim.process.pid)
    stays(shim.alive, 0.5)
    assert cpu_ticks(shim.process.pid) - ticks < 20
    if command:
        shim.say(command)
    else:
        go.write_text("line\n")
    status = shim.end()
    assert (status["outcome"], status["signal"]) == (outcome[0], outcome[2])
    assert command or status["code"] == outcome[1]
    assert shim.log() == b"one\n"


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def test_output_held_open_by_nobody_we_know(start_shim, folder):
    """A process that is not the agent's has the agent's output open: the shim does not wait for it."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    shim = start_shim(*sh(f"echo one; exec 9>{fifo}; sleep infinity"))
    reader = os.open(fifo, os.O_RDONLY)
    agent = shim.agent()
    out = os.open(f"/proc/{agent}/fd/1", os.O_WRONLY)
    os.kill(agent, signal.SIGKILL)
    assert shim.end()["signal"] == "9"
    os.close(out)
    os.close(reader)
    assert shim.log() == b"one\n"


# --- what the agent is given ---------------------------------------------------------------------------------


def test_environment_exactly_as_given(start_shim):
    given = {"HOME": "/somewhere", "EMPTY": "", "WEIRD": "a=b\nc", "ORCH_ROLE": "developer"}
    shim = start_shim("/usr/bin/env", "-0", env=given)
    shim.end()
    seen = dict(entry.split("=", 1) for entry in shim.log().decode().rstrip("\0").split("\0"))
    for name in [n for n in seen if "SAN" in n]:  # the sanitizers' own options, for the shim
        del seen[name]
    for name in ("PWD", "SHLVL", "_", "OLDPWD"):  # of the shell that starts the shim here
        seen.pop(name, None)
    assert seen == {**AGENT_ENV, **given}


def test_descriptors_signals_session_and_folder(start_shim):
    script = """
import os, signal
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
print(len([f for f in fds if f > 2]), os.getsid(0) == os.getpid() == os.getpgrp(), os.getcwd())
print(os.readlink("/proc/self/fd/0"))
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn")): print(line.split()[1])
"""
    shim = start_shim("/usr/bin/python3", "-S", "-E", "-c", script)
    shim.end()
    lines = shim.log().decode().splitlines()
    # one descriptor of its own: the listing of the folder
    assert lines[0] == f"1 True {shim.run_dir}" and lines[1] == str(shim.run_dir / "task.md")
    assert int(lines[2], 16) == 0
    assert int(lines[3], 16) & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0  # python ignores these two


def test_the_agent_is_modest(start_shim):
    shim = start_shim(*sh("cat /proc/self/oom_score_adj; nice; ulimit -c"))
    shim.end()
    assert shim.log().split()[0] == b"500" and shim.log().split()[2] == b"0"
