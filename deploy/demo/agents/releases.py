"""Releases in a folder: releases/SHA, and a link `current` to one of them, which is switched by rename(2): a reader sees the
old release or the new one, never half of one. A release that does not do what the plan asks is switched back.
"""

import io
import os
import pathlib
import shutil
import subprocess
import tarfile

import demo_agent as agent


def install(folder, sha):
    """releases/SHA, complete or not there at all."""
    release = folder / "releases" / sha
    if release.exists():
        return release
    unpacked = folder / "releases" / f".{sha}.{os.getpid()}"
    unpacked.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", sha, "units"], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(unpacked)
    try:
        unpacked.rename(release)
    except OSError:  # a run of the same head that was cut off has left it
        shutil.rmtree(unpacked)
    return release


def switch(folder, release):
    link = folder / f".current.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(release.relative_to(folder))
    link.replace(folder / "current")


def check(folder):
    """The plan's cases against the installed package, from a folder that has none of its own."""
    plan = agent.test_plan(agent.read_docs("04-test-plan.yaml"))
    installed = folder / "current"
    where = agent.run(["python3", "-c", "import units; print(units.__file__)"], cwd="/", env={"PYTHONPATH": str(installed)})
    if pathlib.Path(where.stdout.strip()) != installed / "units/__init__.py":
        return [({"expression": "import units", "relation": "gives", "expected": str(installed)}, False, where.stdout.strip())]
    return list(agent.judge(plan, cwd="/", env={"PYTHONPATH": str(installed)}))


def current(folder):
    link = folder / "current"
    return link.resolve() if link.is_symlink() else None


def release(folder, sha):
    """Installs a commit and looks whether it does what the plan asks: (good, the release before, results)."""
    before = current(folder)
    new = install(folder, sha)
    switch(folder, new)
    results = check(folder)
    good = all(ok for _, ok, _ in results)
    if not good and before not in (None, new) and before.exists():
        switch(folder, before)
    return good, before, results
