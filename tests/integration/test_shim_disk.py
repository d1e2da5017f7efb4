"""What orch-shim leaves on disk: log, lock and status; and how large it is itself."""

import ctypes
import os
import pathlib
import random
import re
import select
import struct
import subprocess
import time

from support.paths import program, program_env, source
from support.processes import is_alive
from support.shim import FOREVER, STAY, daemon, sh
from support.wait import stays, wait_for

# --- the log -------------------------------------------------------------------------------------------------


def lines(first, beyond):
    return f"for i in range({first}, {beyond}): sys.stdout.write('line %09d\\n' % i)"


def numbered(count):
    return f"import sys\n{lines(0, count)}"


def test_log_that_just_fits_is_whole(start_shim):
    shim = start_shim("/usr/bin/python3", "-c", numbered(1000), log_max=15128)
    assert shim.end()["log_bytes"] == "15000"
    assert shim.log() == "".join(f"line {i:09}\n" for i in range(1000)).encode()


def test_log_beyond_its_bound_keeps_head_and_tail(start_shim):
    """J-9"""
    shim = start_shim("/usr/bin/python3", "-c", numbered(100000), log_max=20000)
    assert shim.end()["log_bytes"] == str(100000 * 15)
    log = shim.log()
    assert len(log) <= 20000
    head, missing, tail = re.fullmatch(rb"(.*)\n\[orch-shim: (\d+) bytes left out here\]\n(.*)", log, re.S).groups()
    assert head.startswith(b"line 000000000\nline 000000001\n") and len(head) == (20000 - 128) // 2
    assert tail.endswith(b"line 000099999\n") and tail.startswith(b"line ")
    assert len(head) + int(missing) + len(tail) == 100000 * 15
    assert len(tail) > (20000 - 128) // 2 - 100
    assert sorted(p.name for p in shim.run_dir.iterdir()) == ["log", "status", "task.md"]


def resident_kib(pid):
    """[VmRSS], or nothing for a process that has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(n) for n in re.findall(r"^VmRSS:\s+(\d+) kB", status, re.M)]


def test_one_gigabyte_stays_bounded(start_shim):
    """J-9: on disk never more than twice the bound, in memory never more than at the beginning, and the agent is never held up."""
    bound = 1 << 20
    shim = start_shim(*sh("head -c 1073741824 /dev/zero | tr '\\0' x; echo; echo the end"), log_max=bound)
    largest, resident = 0, []
    while shim.process.poll() is None:
        resident += resident_kib(shim.process.pid)
        sizes = []
        for name in ("log", "log.tail", "log.tail.1"):
            try:
                sizes.append((shim.run_dir / name).stat().st_size)
            except FileNotFoundError:
                pass
        largest = max(largest, sum(sizes))
        select.select((), (), (), 0.01)
    assert shim.end()["log_bytes"] == str((1 << 30) + len("\nthe end\n"))
    assert max(resident[1:]) - resident[1] < 4096, "the log goes through the shim, not into it"
    assert bound // 2 < largest <= 2 * bound
    assert len(shim.log()) <= bound and shim.log().endswith(b"\nthe end\n")


def test_log_is_readable_while_it_grows(start_shim, folder):
    """The head as it comes; later the tail files, in order, without a gap between them."""
    go = [folder / "go-1", folder / "go-2"]
    pause = ["sys.stdout.flush()\nwhile not os.path.exists(%r): time.sleep(0.01)" % str(path) for path in go]  # lasts
    script = f"import os, sys, time\n{lines(0, 400)}\n{pause[0]}\n{lines(400, 2000)}\n{pause[1]}"
    shim = start_shim("/usr/bin/python3", "-c", script, log_max=20000)
    wait_for(lambda: len(shim.log()) == 6000)
    go[0].touch()
    tail = shim.run_dir / "log.tail"
    wait_for(lambda: tail.exists() and tail.read_bytes().endswith(b"line 000001999\n"))
    both = (shim.run_dir / "log.tail.1").read_bytes() + tail.read_bytes()
    numbers = [int(n) for n in re.findall(rb"line (\d{9})\n", both)]
    assert numbers == list(range(numbers[0], 2000))
    go[1].touch()
    shim.end()


def test_a_symbolic_link_under_a_name_of_ours_is_not_followed(start_shim, folder):
    """An agent prepares the place of the tail, of the status, and of the status to be."""
    victim = folder / "victim"
    victim.write_text("precious")
    script = f"for n in log.tail log.tail.1 status status.new; do ln -s {victim} $n; done; head -c 100000 /dev/zero"
    shim = start_shim(*sh(script), log_max=4096)
    assert shim.end()["outcome"] == "exited"
    assert victim.read_text() == "precious" and not (shim.run_dir / "status").is_symlink()


def test_a_run_folder_is_used_once(start_shim):
    first = start_shim(*sh("exit 0"), name="run")
    first.end()
    second = start_shim(*sh("exit 1"), name="run")
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


def test_a_second_shim_of_the_job_is_locked_out(start_shim):
    """J-1: one agent per job on a host."""
    first = start_shim(*FOREVER)
    first.agent()
    began = time.monotonic()
    second = start_shim(*sh("exit 0"), lock_wait_ms=300)
    assert second.hear("locked-out\n") == "locked-out\n" and second.wait() == 75
    assert 0.25 < time.monotonic() - began < 20
    assert not (second.run_dir / "status").exists() and not (second.run_dir / "log").exists()
    first.say("shutdown")
    first.end()


def test_a_second_shim_waits_for_the_first(start_shim):
    first = start_shim(*FOREVER)
    first.agent()
    second = start_shim(*sh("exit 3"), lock_wait_ms=30000)
    stays(lambda: not (second.run_dir / "log").exists(), 0.3)
    first.say("shutdown")
    first.end()
    assert second.end()["code"] == "3"


def marked(folder, name):
    return {"ORCH_TASK_FILE": f"{folder}/{name}/task.md"}


def test_what_a_killed_shim_left_is_killed_by_the_next(start_shim, folder):
    """kill -9 of the shim: the agent dies with it; what it had started goes when the job is started again here."""
    mark = folder / "mark"
    first = start_shim(*daemon(mark, rest=STAY), name="run-1", env=marked(folder, "run-1"))
    other = start_shim(*FOREVER, name="run-11", lock="other", env=marked(folder, "run-11"))
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    agent, bystander = first.agent(), other.agent()
    first.process.kill()
    first.process.wait()
    wait_for(lambda: not is_alive(agent))
    assert is_alive(escaped) and not (first.run_dir / "status").exists()
    second = start_shim(*sh(f"test ! -d /proc/{escaped}/cwd/"), name="run-2",
                   env=marked(folder, "run-2"))
    assert second.end()["code"] == "0"
    assert not is_alive(escaped) and is_alive(bystander)
    other.say("shutdown")
    other.end()


def test_clean_kills_what_a_killed_shim_left(start_shim, folder):
    mark = folder / "mark"
    first = start_shim(*daemon(mark, "signal.signal(signal.SIGTERM, signal.SIG_IGN)", STAY), name="run-1",
                  env=marked(folder, "run-1"))
    escaped = int(wait_for(lambda: mark.exists() and mark.read_text()))
    clean = [program("orch-shim"), "--clean", "--lock", first.lock]
    assert subprocess.run(clean, env=program_env()).returncode == 75
    first.process.kill()
    first.process.wait()
    assert subprocess.run(clean, env=program_env()).returncode == 0
    assert not is_alive(escaped) and first.lock.read_bytes() == b""


def test_nothing_is_begun_for_a_starter_that_is_gone(start_shim, folder):
    """J-8, J-1: while it waited for the lock its starter died: its run may have been found to be lost, so it does not begin."""
    first = start_shim(*FOREVER)
    first.agent()
    second = start_shim(*sh(f"touch {folder}/begun"), lock_wait_ms=30000)
    second.hang_up()
    first.say("kill")
    first.end()
    assert second.wait() == 75
    assert not (folder / "begun").exists() and not (second.run_dir / "status").exists()
    assert second.lock.read_bytes() == b""


def test_a_lock_after_a_good_end_is_clean(start_shim):
    shim = start_shim(*sh("exit 0"))
    shim.end()
    assert shim.lock.read_bytes() == b""


# --- the status file -----------------------------------------------------------------------------------------


def test_status_is_complete_or_absent_whenever_the_shim_is_killed(start_shim, folder):
    """J-8: kill -9 at 60 moments or more around the agent's end, however long that takes here."""
    complete = absent = 0
    chance, longest = random.Random(7), 0.12
    for i in range(600):
        if i >= 60 and complete and absent:
            break
        agent = sh("sleep 0.02; echo x; exit 9")  # lasts
        shim = start_shim(*agent, name=f"run-{i}", lock=f"lock-{i}", started_with_peer=False)
        try:
            shim.process.wait(timeout=chance.uniform(0, longest))
            longest *= 0.95
        except subprocess.TimeoutExpired:
            longest *= 1.05
            shim.process.kill()
            shim.process.wait()
        if (shim.run_dir / "status").exists():
            assert shim.status()["code"] == "9" and shim.status()["survivors"] == "0"
            complete += 1
        else:
            absent += 1
    assert complete and absent, (complete, absent)


IN_CREATE, IN_MOVED_TO = 0x100, 0x80


def test_status_comes_by_rename_only(start_shim):
    """So that no reader, at no moment, sees half of it."""
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    shim = start_shim(*sh("trap 'exit 2' TERM; sleep infinity & wait"))
    assert libc.inotify_add_watch(watch, bytes(shim.run_dir), IN_CREATE | IN_MOVED_TO) >= 0
    shim.say("cancel")
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


def test_pss_is_below_one_megabyte(start_shim, folder, record_property):
    """After a good deal of output, with an agent running. Built here as a release is: a sanitizer's memory is none."""
    binary = folder / "orch-shim"
    sources = sorted(source("shim").glob("*.c"))
    subprocess.run(["cc", *RELEASE, "-I", source("."), "-o", binary, *sources], check=True, timeout=120)
    shim = start_shim(*sh("head -c 3000000 /dev/zero; echo done; sleep infinity"), log_max=1 << 20, binary=binary)
    shim.agent()
    wait_for(lambda: (shim.run_dir / "log.tail.1").exists())
    rollup = pathlib.Path(f"/proc/{shim.process.pid}/smaps_rollup").read_text()
    pss = int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1))
    record_property("pss_kib", pss)
    print(f"PSS of one orch-shim: {pss} KiB")
    shim.say("shutdown")
    shim.end()
    assert pss < 1024
