"""A disk that is full, or nearly: nothing is claimed, people are told, caches are pruned (R-9, S-7, S-14)."""

import fcntl
import json
import os
import pathlib
import subprocess

import pytest

from support.paths import program, program_env
from support.pipeline import Pipeline
from support.wait import stays

MIB = 1 << 20


@pytest.fixture
def small_disk(folder):
    """A disk of 256 MiB and 4000 files, and what fills it."""
    path = pathlib.Path(folder) / "small"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m,nr_inodes=4000", "orch-test", path], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def leave(path, mib):
    """Fills the disk so that so many MiB are free."""
    st = os.statvfs(path)
    with open(path / "filler", "ab") as filler:
        size = filler.tell() + st.f_bavail * st.f_frsize - mib * MIB
        filler.truncate(size)  # what is there stays, so that there is never more room meanwhile
        os.posix_fallocate(filler.fileno(), 0, size)


def alerts(line, host="testhost"):
    return line.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and payload ->> 'text' like %s order by id", f"host {host}:%")


def test_nothing_is_claimed_without_room_and_why_says_so(make_suite, project):
    """R-9, S-14: no attempt is burnt on a full disk; `why` names host and option; a reload is enough."""
    suite = make_suite(disk_min_free="1024GiB").start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait(lambda: "disk_min_free" in suite.orchctl("why", item).stdout, 30, "why says so")
    stays(lambda: not line.runs(item), 1.5)
    suite.log.wait("preflight.failed")
    suite.write_config(disk_min_free="0B")
    suite.reload()
    line.wait_shown(item, "in_review")
    assert [(j["attempts"], j["status"]) for j in line.jobs(item)] == [(1, "done")]


def test_a_disk_fills_and_empties(make_suite, project, small_disk):
    """R-9: admission and watch, each with its line and its quarter more; an alert each way; the metric."""
    suite = make_suite(state_dir=small_disk, disk_min_free="64MiB", watch_min_free="128MiB", watch_interval="200ms").start()
    line = Pipeline(suite, project)
    low = lambda: line.db.value("select value from orch.metric where name = 'orch_disk_low'")
    leave(small_disk, 100)
    line.wait(lambda: low() == 1, 30, "the watch sees it")
    first = line.item()
    line.wait_shown(first, "in_review")  # 100 MiB are little, and enough for a job
    line.cancel(first)
    line.wait_stage(first, "cancelled")
    leave(small_disk, 40)
    item = line.item()
    line.wait(lambda: "too little room" in suite.orchctl("why", item).stdout, 30, "why says so")
    leave(small_disk, 70)
    stays(lambda: not line.runs(item), 2.0)
    leave(small_disk, 90)
    line.wait_shown(item, "in_review")
    stays(lambda: low() == 1, 0.5)
    (small_disk / "filler").unlink()
    line.wait(lambda: low() == 0, 30, "there is room again")
    line.wait(lambda: len(alerts(line)) == 2, 30, "two alerts")
    assert [("only" in a) for a in alerts(line)] == [True, False]
    suite.log.wait("disk.low", path=str(small_disk))
    suite.log.wait("disk.room-again", path=str(small_disk))
    assert [r["path"] for r in json.loads(suite.orchctl("retention", "--json").stdout)["room"]] == [str(small_disk)]
    suite.stop()


def test_a_disk_without_files_left_is_full(make_suite, project, small_disk):
    """R-9: inodes count as bytes do."""
    suite = make_suite(state_dir=small_disk, disk_min_inodes=3000).start()
    line = Pipeline(suite, project)
    crowd = small_disk / "crowd"
    crowd.mkdir()
    for n in range(1500):
        (crowd / str(n)).touch()
    suite.log.wait("preflight.failed")
    item = line.item()
    line.wait(lambda: "disk_min_inodes" in suite.orchctl("why", item).stdout, 30, "why says so")
    assert not line.runs(item)
    subprocess.run(["rm", "-r", crowd], check=True)
    line.wait_shown(item, "in_review")
    suite.stop()


# --- the cache pruner -------------------------------------------------------------------------------------------


@pytest.fixture
def script(folder):
    """A pruner that notes what it was told, and whether another one was at it."""
    path = pathlib.Path(folder) / "prune"
    path.write_text(f"#!/bin/bash\ncd {folder}\nmkdir busy || echo overlap >>told\necho \"$*\" >>told\necho 'freed 3 things'\n"
                    f"[ ! -f slow ] || sleep 120 # lasts\nrmdir busy\n[ ! -f broken ] || {{ echo 'no daemon' >&2; exit 3; }}\n")
    path.chmod(0o755)
    return path


def told(folder):
    path = pathlib.Path(folder) / "told"
    return path.read_text().splitlines() if path.exists() else []


PRUNE = {"cache_prune_min_age": "2d", "cache_prune_interval": "1s"}


def test_the_pruner_runs_again_and_again_with_its_age_filter(make_suite, project, folder, script):
    """R-9: on an interval, one at a time, the age in it, its output in the log; a failure is one alert, and so is its end."""
    suite = make_suite(cache_prune_command=f"{script} --until {{min_age_h}}h", **PRUNE).start()
    line = Pipeline(suite, project)
    suite.wait_for(lambda: len(told(folder)) >= 3, 30, "three runs")
    assert set(told(folder)) == {"--until 48h"}
    assert "freed 3 things" in suite.log.wait("prune.ended")["output"]
    (pathlib.Path(folder) / "broken").touch()
    assert "no daemon" in suite.log.wait("prune.failed")["errors"]
    line.wait(lambda: len(suite.log.records("prune.failed")) >= 3, 30, "three failures")
    line.wait(lambda: len(alerts(line)) == 1, 30, "one alert")
    (pathlib.Path(folder) / "broken").unlink()
    line.wait(lambda: len(alerts(line)) == 2, 30, "it works again")


def test_a_pruner_that_never_ends_is_stopped(make_suite, project, folder, script):
    """R-9: bounded in time, with all that it has started."""
    (pathlib.Path(folder) / "slow").touch()
    suite = make_suite(cache_prune_command=f"{script} {{min_age_s}}", cache_prune_timeout="4s", **{**PRUNE, "cache_prune_interval": "1h"}).start()
    assert "cache_prune_timeout" in suite.log.wait("prune.failed")["reason"]
    assert told(folder) == ["172800"]
    line = Pipeline(suite, project)
    line.wait(lambda: len(alerts(line)) == 1, 30, "people are told")


def test_never_two_at_once_and_not_again_after_a_restart(make_suite, folder, script):
    """R-9, R-8: while another one has the lock of the host none is started; the interval counts over restarts."""
    suite = make_suite(cache_prune_command=f"{script} {{min_age_d}}", **PRUNE)
    locks = pathlib.Path(suite.options["state_dir"]) / "locks"
    locks.mkdir(parents=True)
    with open(locks / "cache-prune", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(locks / "cache-prune", (0, 0))
        suite.start()
        suite.log.wait("prune.waits")
        assert told(folder) == []
    suite.wait_for(lambda: told(folder), 30, "it runs once the lock is free")
    suite.stop()
    suite.write_config(cache_prune_interval="1h")
    n, mark = len(told(folder)), suite.log.mark()
    suite.start()
    stays(lambda: len(told(folder)) == n, 1.5)
    assert not suite.log.records("prune.started", since=mark)


@pytest.mark.parametrize("options, says", [
    ({"cache_prune_command": "find / -delete"}, "cache_prune_min_age"),
    ({"cache_prune_command": "find / -delete", "cache_prune_min_age": "7d"}, "has no age filter"),
    ({"cache_prune_command": "find / -mtime +{min_age_d} -delete", "cache_prune_min_age": "23h"}, "would filter nothing"),
    ({"cache_prune_command": "find '/ {min_age_d}", "cache_prune_min_age": "7d"}, "cache_prune_command"),
    ({"watch_paths": "'/data"}, "watch_paths"),
    ({"cache_prune_command": "find / -mtime +{min_age_d} -delete", "cache_prune_min_age": "7d", "watch_paths": "/ /tmp"}, None)])
def test_a_pruner_without_an_age_filter_is_no_configuration(folder, options, says):
    """R-9, O-5: what could delete what is in use is refused before anything starts."""
    config = pathlib.Path(folder) / "bad.conf"
    config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items()))
    done = subprocess.run([program("orch-reaperd"), "--config", config, "--check-config"], env=program_env(), capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (says is None) and (says or "") in done.stdout + done.stderr
