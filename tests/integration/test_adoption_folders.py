"""What an heir finds in the folders of runs need not be what a shim has left there: nothing of it is believed, nothing
outside is touched, and the work goes on."""

import os
import signal

import pytest

from support.pipeline import AUTHORS, Pipeline
from support.processes import is_alive

STATUS = "outcome=exited\ncode=0\nsignal=0\nstop_reason=\nerror=\nstarted_ms=1\nended_ms=2\nlog_bytes=0\nsurvivors=0\n"
NOBODY = 65534


def half_written(folder, _outside):
    (folder / "status").write_text(STATUS[:40])


def garbage(folder, _outside):
    (folder / "status").write_bytes(bytes(range(256)) * 64)


def fifo(folder, _outside):
    os.mkfifo(folder / "status")


def link(folder, outside):
    (outside / "status").write_text(STATUS)
    (folder / "status").symlink_to(outside / "status")


def of_another_user(folder, _outside):
    if os.geteuid() != 0:
        pytest.skip("files of another user need root")
    (folder / "status").write_text(STATUS)
    os.chown(folder / "status", NOBODY, NOBODY)


def log_elsewhere(folder, outside):
    (outside / "log").write_text("a secret of somebody else\n")
    (folder / "status").write_text("nonsense")
    (folder / "log").unlink()
    (folder / "log").symlink_to(outside / "log")


def owner_elsewhere(folder, outside):
    (outside / "owner").write_text("1 1 somebody\n")
    (folder / "status").write_text("nonsense")
    (folder / "owner").unlink()
    (folder / "owner").symlink_to(outside / "owner")


def owner_fifo(folder, _outside):
    (folder / "status").write_text("nonsense")
    (folder / "owner").unlink()
    os.mkfifo(folder / "owner")


@pytest.fixture
def outside(folder):
    path = folder / "outside"
    path.mkdir()
    return path


def contents(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_text() for path in sorted(folder.rglob("*"))}


def stop_all(suite):
    """kill -9 of all but the agents: nobody is told."""
    pids = suite.pids("workerd") + [shim.pid for shim in suite.shims()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # or a worker would leave in order, because its supervisor is gone
    suite.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("spoil", [half_written, garbage, fifo, link, of_another_user, log_elsewhere, owner_elsewhere, owner_fifo])
def test_what_no_shim_has_left(make_suite, project, agents, gate, outside, spoil):
    """R-6, P-7: worker and shim are killed, and in the run's folder is something that no shim has left: the agent has not
    succeeded by that. The job runs again, and is done once."""
    gate.hold("analyst")
    suite = make_suite().start()
    line = Pipeline(suite, project, job_backoff_s=0)
    item = line.item()
    run = line.wait_running(item, "analyst")
    stop_all(suite)
    line.wait(lambda: not is_alive(run["pid"]), what="the agent has died with its shim")
    spoil(suite.folder / "state/runs" / f"{run['job_id']}-{run['epoch']}", outside)
    before = contents(outside)
    suite.start()
    line.wait(lambda: len(line.runs(item)) == 2 and line.runs(item)[1]["pid"], 60, "the second run")
    gate.open()
    line.wait_shown(item, "in_review")
    first, second = line.runs(item)
    assert (first["outcome"], second["outcome"]) == ("transient", "success")
    ended = suite.log.records("job.ended", job=run["job_id"], outcome="transient")
    assert len(ended) == 1 and ended[0]["reason"].startswith("what orch-shim left is no status: could not read run status")
    assert contents(outside) == before and "secret" not in str(first)
    line.check_no_overlap(agents)
    line.check_commits(item, line.task(item)["branch"], AUTHORS[:1])


def test_a_foreign_folder_among_the_runs(make_suite, outside):
    """What has the name of a run, and is none of ours, is left alone, whatever its owner is said to be; a folder beside it
    whose owner is dead is swept."""
    suite = make_suite()
    runs = suite.folder / "state/runs"
    ours = runs / "7-2"
    for folder in (outside, ours):
        (folder / "tree").mkdir(parents=True)
        (folder / "tree/work").write_text("of somebody\n")
        (folder / "owner").write_text("1 1 an-earlier-boot\n")
    (runs / "7-1").symlink_to(outside)
    (runs / "notes").mkdir()
    foreign = None
    if os.geteuid() == 0:
        foreign = runs / "7-3"
        (foreign / "tree").mkdir(parents=True)
        (foreign / "owner").write_text("1 1 an-earlier-boot\n")
        os.chown(foreign, NOBODY, NOBODY)
    before = contents(outside)
    suite.start()
    suite.log.wait("leftover.removed", path=ours)
    mark = suite.log.mark()
    suite.wait_for(lambda: not (ours / "owner").exists() and len(suite.log.records("leftover.foreign")) >= 1 + (foreign is not None),
                   what="what is not ours is named")
    assert contents(outside) == before and (runs / "notes").exists() and (foreign is None or (foreign / "tree").exists())
    assert not suite.log.records("leftover.removed", since=mark)
