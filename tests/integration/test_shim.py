"""orch-shim against real processes: how a run ends, what is left on disk, what is left running."""

import ctypes
import os
import pathlib
import random
import re
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

from support.paths import program, program_env, source
from support.processes import all_processes, descendants, is_alive
from support.wait import stays, wait_for

# What an agent of these tests finds in its environment, beside what a test adds.
AGENT_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


class Shim:
    """One shim with its run folder; the test plays workerd at the other end of the control socket."""

    def __init__(self, folder, *command, lock="lock", env=None, control=True, stdin="the task\n", binary=None, **options):
        self.run_dir = pathlib.Path(folder)
        self.run_dir.mkdir(exist_ok=True)
        (self.run_dir / "task.md").write_text(stdin)
        self.lock = self.run_dir.parent / lock
        given = {"run-dir": self.run_dir, "lock": self.lock, "stdin": self.run_dir / "task.md", "cwd": self.run_dir,
                 "grace-ms": 5000, **{k.replace("_", "-"): v for k, v in options.items()}}
        args = [str(binary or program("orch-shim"))]
        for key, value in given.items():
            args += [f"--{key}", str(value)]
        ours, theirs = socket.socketpair()
        self.control = ours
        # Descriptor 3 by way of the shell, whose own descriptors end with it.
        env = {**AGENT_ENV, **(env or {}), **({k: v for k, v in program_env().items() if "SAN" in k})}
        redirect = f"exec 3<&{theirs.fileno()} {theirs.fileno()}<&-" if control else "exec 3<&-"
        self.process = subprocess.Popen(["/bin/bash", "-c", f'{redirect}; exec "$@"', "bash", *args, "--", *command],
                                        env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        theirs.close()
        self.said = ""

    def hear(self, text, timeout=30):
        """Waits until the shim has said `text`; returns all it has said."""
        deadline = time.monotonic() + timeout
        while text not in self.said:
            ready, _, _ = select.select([self.control], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"not heard within {timeout} s: {text!r}; heard {self.said!r}"
            data = self.control.recv(4096)
            assert data, f"control socket closed before {text!r}; heard {self.said!r}; {self.process.communicate()}"
            self.said += data.decode()
        return self.said

    def agent(self):
        """Pid of the agent."""
        return int(re.search(r"started (\d+)\n", self.hear("started ")).group(1))

    def say(self, byte):
        self.control.send(byte)

    def hang_up(self):
        self.control.close()

    def wait(self, timeout=60):
        """The exit code, when it is the expected one; the message goes into the failure."""
        _, err = self.process.communicate(timeout=timeout)
        assert self.process.returncode in (0, 75), f"exit {self.process.returncode}: {err}"
        return self.process.returncode

    def end(self, timeout=60):
        """Waits for a good end; the status as a dict."""
        assert self.wait(timeout) == 0
        return self.status()

    def status(self):
        lines = (self.run_dir / "status").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def log(self):
        try:
            return (self.run_dir / "log").read_bytes()
        except FileNotFoundError:
            return b""  # not started yet

    def alive(self):
        """Everything below the shim."""
        return descendants(self.process.pid)


@pytest.fixture
def start(folder, no_leaks):
    """Starts shims in folders of their own; kills what a failed test leaves."""
    shims = []

    def start(*command, name=None, **options):
        shims.append(Shim(folder / (name or f"run-{len(shims)}"), *command, **options))
        return shims[-1]

    yield start
    for shim in shims:
        if shim.process.poll() is None:
            shim.process.kill()
        shim.process.communicate()
        shim.control.close()


def sh(script):
    return "/bin/sh", "-c", script


# --- how it ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code(start, code):
    status = start(*sh(f"echo hello; echo world >&2; exit {code}")).end()
    assert (status["outcome"], status["code"], status["signal"], status["stop_reason"]) == \
        ("exited", str(code), "0", "")
    assert 0 <= int(status["ended_ms"]) - int(status["started_ms"]) < 60000
    assert abs(int(status["ended_ms"]) - time.time() * 1000) < 60000


def test_output_is_the_log(start):
    shim = start(*sh("cat; echo out; echo err >&2"), stdin="from the task file\n")
    assert shim.end()["log_bytes"] == str(len("from the task file\nout\nerr\n"))
    assert shim.log() == b"from the task file\nout\nerr\n"


@pytest.mark.parametrize("signo", [signal.SIGSEGV, signal.SIGTERM])
def test_death_by_a_signal(start, signo):
    status = start(*sh(f"kill -{signo} $$")).end()
    assert (status["outcome"], status["code"], status["signal"]) == ("signaled", "-1", str(int(signo)))


def test_kill_9_of_the_agent(start):
    shim = start("/bin/sleep", "1000")
    os.kill(shim.agent(), signal.SIGKILL)
    status = shim.end()
    assert (status["outcome"], status["signal"]) == ("signaled", "9")


def test_wall_clock(start):
    """J-3"""
    shim = start("/bin/sleep", "1000", wall_ms=300)
    status = shim.end()
    assert (status["outcome"], status["signal"], status["stop_reason"]) == ("timeout", "15", "")


def test_sigterm_ignored_is_sigkill_after_the_grace(start):
    """J-3: also its children, also when they would go on for ever."""
    shim = start(*sh("trap '' TERM; sleep 1000 & sleep 1000 & while :; do sleep 1; done"), wall_ms=300, grace_ms=400)
    began = time.monotonic()
    status = shim.end()
    assert (status["outcome"], status["signal"]) == ("timeout", "9")
    assert 0.6 < time.monotonic() - began < 15


def test_sigterm_may_be_answered_within_the_grace(start):
    shim = start(*sh("trap 'echo cleaning; exit 7' TERM; echo ready; while :; do sleep 0.05; done"))
    wait_for(lambda: b"ready" in shim.log())
    shim.say(b"C")
    status = shim.end()
    assert (status["outcome"], status["code"], status["stop_reason"]) == ("stopped", "7", "cancelled")
    assert b"cleaning" in shim.log()


def test_a_stopped_agent_can_answer_sigterm(start):
    shim = start(*sh("trap 'exit 7' TERM; echo ready; kill -STOP $$; sleep 1000"))
    wait_for(lambda: b"ready" in shim.log())
    wait_for(lambda: "T" in [p.state for p in all_processes() if p.pid == shim.agent()])
    shim.say(b"S")
    status = shim.end()
    assert (status["outcome"], status["stop_reason"]) == ("stopped", "shutdown")
    assert status["signal"] != "9"


@pytest.mark.parametrize("byte, reason", [(b"C", "cancelled"), (b"S", "shutdown"), (b"?!C", "cancelled"),
                                          (b"CS", "cancelled")])
def test_commands(start, byte, reason):
    """C-3, J-3: bytes of a later release mean nothing; the first reason stands."""
    shim = start("/bin/sleep", "1000")
    shim.agent()
    shim.say(byte)
    status = shim.end()
    assert (status["outcome"], status["stop_reason"], status["signal"]) == ("stopped", reason, "15")
    assert shim.hear("ended\n").endswith("ended\n")


def test_end_of_the_control_socket(start):
    shim = start("/bin/sleep", "1000")
    agent = shim.agent()
    shim.hang_up()
    assert (shim.end()["stop_reason"], is_alive(agent)) == ("orphaned", False)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_shim_itself_is_told_to_end(start, signo):
    shim = start("/bin/sleep", "1000")
    shim.agent()
    shim.process.send_signal(signo)
    assert shim.end()["stop_reason"] == "signal"


def test_without_a_control_socket(start):
    assert start(*sh("exit 4"), control=False).end()["code"] == "4"


@pytest.mark.parametrize("command, why", [
    (["no-such-command"], "No such file or directory"), (["/etc/passwd"], "Permission denied"), (["/"], "denied"),
])
def test_start_failure(start, command, why):
    status = start(*command).end()
    assert (status["outcome"], status["code"]) == ("start-failed", "-1") and why in status["error"]


def test_start_failure_of_the_working_folder(start, folder):
    assert start("true", cwd=folder / "none").end()["error"] == "No such file or directory"


# --- what is left running ------------------------------------------------------------------------------------

DAEMON = """
import os, sys, time, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {prelude}
        open({mark!r}, "w").write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
os.wait()
{rest}
"""


def daemon(mark, prelude="pass", rest=""):
    """An agent that leaves a daemon behind: a double fork in a session of its own."""
    return "/usr/bin/python3", "-c", DAEMON.format(mark=str(mark), prelude=prelude, rest=rest)


@pytest.mark.parametrize("prelude", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
@pytest.mark.parametrize("rest", ["time.sleep(1000)", "while not os.path.exists({mark!r}): time.sleep(0.01)"])
def test_a_daemon_that_escaped_is_gone(start, folder, prelude, rest):
    """J-3: killed with the agent, and also after the agent itself has ended well."""
    mark = folder / "mark"
    shim = start(*daemon(mark, prelude, rest.format(mark=str(mark))), grace_ms=300)
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    if "1000" in rest:
        shim.agent()
        shim.say(b"C")
    status = shim.end()
    assert not is_alive(escaped)
    assert status["outcome"] == ("stopped" if "1000" in rest else "exited") and status["survivors"] == "0"


def test_a_chain_of_sessions_is_gone(start, folder):
    """Each in a session of its own, each ignoring SIGTERM."""
    script = folder / "chain.sh"
    script.write_text("#!/bin/bash\ntrap '' TERM\nif [ $1 -gt 0 ]; then setsid $0 $(($1 - 1)) & fi\n"
                      f"echo $$ >>{folder}/pids\nsleep 1000 & wait\n")
    script.chmod(0o755)
    shim = start(str(script), "8", grace_ms=200)
    wait_for(lambda: (folder / "pids").exists() and len((folder / "pids").read_text().split()) == 9)
    shim.say(b"C")
    shim.end()
    assert not [pid for pid in (folder / "pids").read_text().split() if is_alive(int(pid))]


def test_a_fork_bomb_within_its_limit(start):
    script = "trap '' TERM; f() { sleep 0.1; if [ $(ls -d /proc/[0-9]* | wc -l) -lt 300 ]; then f & fi; f & wait; }; f"
    shim = start("/bin/bash", "-c", script, grace_ms=200)
    wait_for(lambda: len(shim.alive()) > 20)
    shim.say(b"C")
    shim.end(timeout=90)


def test_many_children_that_end_at_once(start):
    status = start(*sh("i=0; while [ $i -lt 200 ]; do (setsid true &); i=$((i+1)); done; exit 5")).end()
    assert status["code"] == "5"


def test_output_held_open_by_nobody_we_know(start, folder):
    """A process that is not the agent's has the agent's output open: the shim does not wait for it."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    shim = start(*sh(f"echo one; exec 9>{fifo}; sleep 1000"))
    reader = os.open(fifo, os.O_RDONLY)
    agent = shim.agent()
    out = os.open(f"/proc/{agent}/fd/1", os.O_WRONLY)
    os.kill(agent, signal.SIGKILL)
    assert shim.end()["signal"] == "9"
    os.close(out)
    os.close(reader)
    assert shim.log() == b"one\n"


# --- what the agent is given ---------------------------------------------------------------------------------


def test_environment_exactly_as_given(start):
    given = {"HOME": "/somewhere", "EMPTY": "", "WEIRD": "a=b\nc", "ORCH_ROLE": "developer"}
    shim = start("/usr/bin/env", "-0", env=given)
    shim.end()
    seen = dict(entry.split("=", 1) for entry in shim.log().decode().rstrip("\0").split("\0"))
    for name in [n for n in seen if "SAN" in n]:  # the sanitizers' own options, for the shim
        del seen[name]
    for name in ("PWD", "SHLVL", "_", "OLDPWD"):  # of the shell that starts the shim here
        seen.pop(name, None)
    assert seen == {**AGENT_ENV, **given}


def test_descriptors_signals_session_and_folder(start):
    script = """
import os, signal
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
print(len([f for f in fds if f > 2]), os.getsid(0) == os.getpid() == os.getpgrp(), os.getcwd())
print(os.readlink("/proc/self/fd/0"))
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn")): print(line.split()[1])
"""
    shim = start("/usr/bin/python3", "-S", "-E", "-c", script)
    shim.end()
    lines = shim.log().decode().splitlines()
    # one descriptor of its own: the listing of the folder
    assert lines[0] == f"1 True {shim.run_dir}" and lines[1] == str(shim.run_dir / "task.md")
    assert int(lines[2], 16) == 0
    assert int(lines[3], 16) & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0  # python ignores these two


def test_the_agent_is_modest(start):
    shim = start(*sh("cat /proc/self/oom_score_adj; nice; ulimit -c"))
    shim.end()
    assert shim.log().split()[0] == b"500" and shim.log().split()[2] == b"0"


# --- the log -------------------------------------------------------------------------------------------------


def lines(first, beyond):
    return f"for i in range({first}, {beyond}): sys.stdout.write('line %09d\\n' % i)"


def numbered(count):
    return f"import sys\n{lines(0, count)}"


def test_log_that_just_fits_is_whole(start):
    shim = start("/usr/bin/python3", "-c", numbered(1000), log_max=15128)
    assert shim.end()["log_bytes"] == "15000"
    assert shim.log() == "".join(f"line {i:09}\n" for i in range(1000)).encode()


def test_log_beyond_its_bound_keeps_head_and_tail(start):
    """J-9"""
    shim = start("/usr/bin/python3", "-c", numbered(100000), log_max=20000)
    assert shim.end()["log_bytes"] == str(100000 * 15)
    log = shim.log()
    assert len(log) <= 20000
    head, missing, tail = re.fullmatch(rb"(.*)\n\[orch-shim: (\d+) bytes left out here\]\n(.*)", log, re.S).groups()
    assert head.startswith(b"line 000000000\nline 000000001\n") and len(head) == (20000 - 128) // 2
    assert tail.endswith(b"line 000099999\n") and tail.startswith(b"line ")
    assert len(head) + int(missing) + len(tail) == 100000 * 15
    assert len(tail) > (20000 - 128) // 2 - 100
    assert sorted(p.name for p in shim.run_dir.iterdir()) == ["log", "status", "task.md"]


def test_one_gigabyte_stays_bounded(start):
    """J-9: on disk never more than twice the bound, and the agent is never held up."""
    bound = 1 << 20
    shim = start(*sh("head -c 1073741824 /dev/zero | tr '\\0' x; echo; echo the end"), log_max=bound)
    largest = 0
    while shim.process.poll() is None:
        sizes = []
        for name in ("log", "log.tail", "log.tail.1"):
            try:
                sizes.append((shim.run_dir / name).stat().st_size)
            except FileNotFoundError:
                pass
        largest = max(largest, sum(sizes))
        select.select((), (), (), 0.01)
    assert shim.end()["log_bytes"] == str((1 << 30) + len("\nthe end\n"))
    assert bound // 2 < largest <= 2 * bound
    assert len(shim.log()) <= bound and shim.log().endswith(b"\nthe end\n")


def test_log_is_readable_while_it_grows(start, folder):
    """The head as it comes; later the tail files, in order, without a gap between them."""
    go = [folder / "go-1", folder / "go-2"]
    pause = ["sys.stdout.flush()\nwhile not os.path.exists(%r): time.sleep(0.01)" % str(path) for path in go]
    script = f"import os, sys, time\n{lines(0, 400)}\n{pause[0]}\n{lines(400, 2000)}\n{pause[1]}"
    shim = start("/usr/bin/python3", "-c", script, log_max=20000)
    wait_for(lambda: len(shim.log()) == 6000)
    go[0].touch()
    tail = shim.run_dir / "log.tail"
    wait_for(lambda: tail.exists() and tail.read_bytes().endswith(b"line 000001999\n"))
    both = (shim.run_dir / "log.tail.1").read_bytes() + tail.read_bytes()
    numbers = [int(n) for n in re.findall(rb"line (\d{9})\n", both)]
    assert numbers == list(range(numbers[0], 2000))
    go[1].touch()
    shim.end()


def test_a_symbolic_link_under_a_name_of_ours_is_not_followed(start, folder):
    """An agent prepares the place of the tail, of the status, and of the status to be."""
    victim = folder / "victim"
    victim.write_text("precious")
    script = f"for n in log.tail log.tail.1 status status.new; do ln -s {victim} $n; done; head -c 100000 /dev/zero"
    shim = start(*sh(script), log_max=4096)
    assert shim.end()["outcome"] == "exited"
    assert victim.read_text() == "precious" and not (shim.run_dir / "status").is_symlink()


def test_a_run_folder_is_used_once(start):
    first = start(*sh("exit 0"), name="run")
    first.end()
    second = start(*sh("exit 1"), name="run")
    assert "File exists" in second.process.communicate(timeout=30)[1] and second.process.returncode == 1
    assert first.status()["code"] == "0"


def test_a_full_disk_loses_log_but_not_the_run(folder):
    """What cannot be written is dropped; the agent runs on. A limit of file sizes plays the full disk."""
    shim = [program("orch-shim"), "--run-dir", folder, "--lock", folder / "lock", "--stdin", "/dev/null", "--cwd", "/",
            "--", *sh("head -c 100000 /dev/zero; exit 6")]
    done = subprocess.run(["/bin/bash", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "bash", *shim],
                          env=program_env(), stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    status = (folder / "status").read_text()
    assert (folder / "log").stat().st_size == 8192
    assert "code=6\n" in status and "log_bytes=100000\n" in status


# --- the lock ------------------------------------------------------------------------------------------------


def test_a_second_shim_of_the_job_is_locked_out(start):
    """J-1: one agent per job on a host."""
    first = start("/bin/sleep", "1000")
    first.agent()
    began = time.monotonic()
    second = start(*sh("exit 0"), lock_wait_ms=300)
    assert second.hear("locked-out\n") == "locked-out\n" and second.wait() == 75
    assert 0.25 < time.monotonic() - began < 20
    assert not (second.run_dir / "status").exists() and not (second.run_dir / "log").exists()
    first.say(b"S")
    first.end()


def test_a_second_shim_waits_for_the_first(start):
    first = start("/bin/sleep", "1000")
    first.agent()
    second = start(*sh("exit 3"), lock_wait_ms=30000)
    stays(lambda: not (second.run_dir / "log").exists(), 0.3)
    first.say(b"S")
    first.end()
    assert second.end()["code"] == "3"


def marked(folder, name):
    return {"ORCH_TASK_FILE": f"{folder}/{name}/task.md"}


def test_what_a_killed_shim_left_is_killed_by_the_next(start, folder):
    """kill -9 of the shim: the agent dies with it; what it had started goes when the job is started again here."""
    mark = folder / "mark"
    first = start(*daemon(mark, rest="time.sleep(1000)"), name="run-1", env=marked(folder, "run-1"))
    other = start("/bin/sleep", "1000", name="run-11", lock="other", env=marked(folder, "run-11"))
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    agent, bystander = first.agent(), other.agent()
    first.process.kill()
    first.process.wait()
    wait_for(lambda: not is_alive(agent))
    assert is_alive(escaped) and not (first.run_dir / "status").exists()
    second = start(*sh(f"test ! -d /proc/{escaped}/cwd/"), name="run-2",
                   env=marked(folder, "run-2"))
    assert second.end()["code"] == "0"
    assert not is_alive(escaped) and is_alive(bystander)
    other.say(b"S")
    other.end()


def test_clean_kills_what_a_killed_shim_left(start, folder):
    mark = folder / "mark"
    first = start(*daemon(mark, "signal.signal(signal.SIGTERM, signal.SIG_IGN)", "time.sleep(1000)"), name="run-1",
                  env=marked(folder, "run-1"))
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    clean = [program("orch-shim"), "--clean", "--lock", first.lock]
    assert subprocess.run(clean, env=program_env()).returncode == 75
    first.process.kill()
    first.process.wait()
    assert subprocess.run(clean, env=program_env()).returncode == 0
    assert not is_alive(escaped) and first.lock.read_bytes() == b""


def test_a_lock_after_a_good_end_is_clean(start):
    shim = start(*sh("exit 0"))
    shim.end()
    assert shim.lock.read_bytes() == b""


# --- the status file -----------------------------------------------------------------------------------------


def test_status_is_complete_or_absent_whenever_the_shim_is_killed(start, folder):
    """J-8: kill -9 at 60 moments around the agent's end."""
    complete = absent = 0
    chance = random.Random(7)
    for i in range(60):
        shim = start(*sh("sleep 0.02; echo x; exit 9"), name=f"run-{i}", lock=f"lock-{i}", control=False)
        try:
            shim.process.wait(timeout=chance.uniform(0, 0.12))
        except subprocess.TimeoutExpired:
            shim.process.kill()
            shim.process.wait()
        if (shim.run_dir / "status").exists():
            assert shim.status()["code"] == "9" and shim.status()["survivors"] == "0"
            complete += 1
        else:
            absent += 1
    assert complete and absent, (complete, absent)


IN_CREATE, IN_MOVED_TO = 0x100, 0x80


def test_status_comes_by_rename_only(start):
    """So that no reader, at no moment, sees half of it."""
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    shim = start(*sh("sleep 0.3; exit 2"))
    assert libc.inotify_add_watch(watch, bytes(shim.run_dir), IN_CREATE | IN_MOVED_TO) >= 0
    shim.end()
    events, seen = os.read(watch, 65536), []
    os.close(watch)
    while events:
        _, mask, _, length = struct.unpack_from("iIII", events)
        seen.append((mask, events[16:16 + length].rstrip(b"\0").decode()))
        events = events[16 + length:]
    assert (IN_MOVED_TO, "status") in seen and (IN_CREATE, "status") not in seen


# --- its own size --------------------------------------------------------------------------------------------


RELEASE = ("-O2 -D_GNU_SOURCE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection "
           "-fcf-protection -fPIE -pie -Wl,-z,relro -Wl,-z,now").split()


def test_pss_is_below_one_megabyte(start, folder, record_property):
    """After a good deal of output, with an agent running. Built here as a release is: a sanitizer's memory is none."""
    binary = folder / "orch-shim"
    sources = sorted(source("shim").glob("*.c"))
    subprocess.run(["cc", *RELEASE, "-I", source("."), "-o", binary, *sources], check=True, timeout=120)
    shim = start(*sh("head -c 3000000 /dev/zero; echo done; sleep 1000"), log_max=1 << 20, binary=binary)
    shim.agent()
    wait_for(lambda: (shim.run_dir / "log.tail.1").exists())
    rollup = pathlib.Path(f"/proc/{shim.process.pid}/smaps_rollup").read_text()
    pss = int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1))
    record_property("pss_kib", pss)
    print(f"PSS of one orch-shim: {pss} KiB")
    shim.say(b"S")
    shim.end()
    assert pss < 1024
