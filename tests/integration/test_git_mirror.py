"""Our mirror of a remote: made, kept, found broken, made anew; alone and by several at once."""

import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from support.paths import program_env
from support.pieces import Answer
from support.project import git
from support.wait import wait_for


def test_mirror_is_made_once_and_follows_the_remote(host, project):
    assert host.must("mirror").made_anew == "1"
    sha = project.commit({"b.txt": "b\n"}, "More", branch="side")
    assert host.must("mirror").made_anew == "0"
    assert git("--git-dir", host.mirror, "rev-parse", "side") == sha
    project.git("update-ref", "-d", "refs/heads/side")
    host.must("mirror")
    assert git("--git-dir", host.mirror, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_mirror_takes_nothing_but_branches(host, project):
    project.git("tag", "v1", "main")
    project.git("update-ref", "refs/pull/1/head", "main")
    host.must("mirror")
    assert git("--git-dir", host.mirror, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_mirror_half_made_is_made_anew(host):
    making = host.mirror.parent / "demo.git.making"
    (making / "objects").mkdir(parents=True)
    (making / "HEAD").write_text("ref: refs/heads/main\n")
    assert host.must("mirror").made_anew == "1"
    assert not making.exists()


@pytest.mark.parametrize("round", range(6))
def test_mirror_killed_in_the_middle(host, project, round):
    """Killed at some moment, the next update makes it whole."""
    process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.DEVNULL)
    moments = ["mirrors", "mirrors/demo.git.lock", "mirrors/demo.git.making", "mirrors/demo.git.making/HEAD",
               "mirrors/demo.git.making/objects/pack", "mirrors/demo.git"]
    wait_for(lambda: (host.state / moments[round]).exists() or process.poll() is not None)
    process.kill()
    process.wait()
    host.must("mirror")
    assert git("--git-dir", host.mirror, "rev-parse", "main") == project.head()


def test_mirror_without_its_parts_is_made_anew(host, project):
    host.must("mirror")
    (host.mirror / "HEAD").unlink()
    assert host.must("mirror").made_anew == "1"
    assert not (host.mirror.parent / "demo.git.broken").exists() or host.must("mirror").made_anew == "0"


def test_mirror_with_lost_objects_is_found_out_and_made_anew(host, project):
    """The fetch sees nothing new and succeeds; the clone fails, and marks the mirror."""
    host.must("mirror")
    for path in (host.mirror / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    host.do("mirror")
    answer = host.do("prepare", epoch=1)
    if answer.outcome == "failed":
        assert (host.mirror / "orch-suspect").exists()
    assert host.must("mirror").outcome == "ok"
    assert host.must("prepare", epoch=2).start_sha == project.head()


def test_mirror_of_a_remote_that_is_away(host, project):
    """Nothing is thrown away because of it, and it is no failure of the mirror."""
    host.must("mirror")
    project.bare.rename(f"{project.bare}.away")
    assert host.do("mirror").outcome == "unavailable"
    assert (host.mirror / "HEAD").exists()
    pathlib.Path(f"{project.bare}.away").rename(project.bare)
    assert host.must("mirror").made_anew == "0"


def test_mirror_waits_for_its_lock(host):
    host.must("mirror")
    with open(f"{host.mirror}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        fcntl.flock(lock, fcntl.LOCK_UN)
        out, _ = process.communicate(timeout=60)
    assert Answer(out).outcome == "ok"


def test_mirror_by_several_at_once(host):
    processes = [subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.PIPE, text=True)
                 for _ in range(4)]
    answers = [Answer(p.communicate(timeout=120)[0]) for p in processes]
    assert [a.outcome for a in answers] == ["ok"] * 4
    assert sum(a.made_anew == "1" for a in answers) == 1


def test_a_git_that_takes_too_long_is_killed(host, folder):
    """A remote that never answers: a FIFO in place of its HEAD."""
    slow = folder / "slow.git"
    git("init", "--quiet", "--bare", slow)
    (slow / "HEAD").unlink()
    os.mkfifo(slow / "HEAD")
    answer = host.do("mirror", url=slow, timeout_ms=3000)
    assert answer.outcome == "unavailable" and "too long" in answer.error


def test_a_killed_git_leaves_no_lock(host):
    """The mirror's lock is held by git itself too: it lasts until git has ended, and no longer."""
    host.must("mirror")
    process = subprocess.Popen(host.args("mirror"), env=program_env(), stdout=subprocess.DEVNULL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert host.must("mirror").outcome == "ok"
