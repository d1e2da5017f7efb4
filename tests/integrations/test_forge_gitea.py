"""A project whose forge is a Gitea server goes through the whole pipeline: whole daemons, a simulated server, real git over HTTP."""

import os
import pathlib
import subprocess

import pytest

from sim.bare import ENVIRONMENT
from sim.gitea import Gitea
from support.pipeline import STAGES, Pipeline
from support.project import Project
from support.wait import wait_for

TOKEN = "a1b2c3d4-token-of-the-forge"


class GiteaProject(Project):
    """A Project whose repository is one of the simulated server."""

    def __init__(self, folder, gitea, **options):
        self.forge = gitea
        self.repo = gitea.add_repo("acme", "demo")
        super().__init__(folder, **options)
        subprocess.run(["git", "-C", str(self.work), "push", "-q", str(self.repo.bare.path), "main"], check=True, env=ENVIRONMENT)
        subprocess.run(["git", "-C", str(self.work), "remote", "set-url", "origin", str(self.repo.bare.path)], check=True, env=ENVIRONMENT)
        self.bare = self.repo.bare.path

    def pulls(self):
        return list(self.repo.pulls.values())

    def merges(self):
        return [entry for entry in self.forge.journal.since(0) if entry["kind"] == "merge"]

    def faults(self, *rules):
        self.forge.faults.set(list(rules))


@pytest.fixture
def forge(folder):
    gitea = Gitea(folder / "gitea").start()
    gitea.add_token(TOKEN)
    yield gitea
    gitea.stop()


@pytest.fixture
def token(folder):
    path = folder / "forge.token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def project(folder, forge):
    return GiteaProject(folder / "work", forge)


@pytest.fixture
def suite(forge, make_suite):
    return make_suite(http_plain_hosts=f"127.0.0.1:{forge.port}").start()


@pytest.fixture
def line(suite, project, forge, token):
    line = Pipeline(suite, project, job_backoff_s=0, endpoint_backoff_s=1, effect_backoff_s=1)
    line.db.query("select orch.endpoint_set('forge', 'gitea', %s, %s)", forge.url, str(token), user="orch_operator")
    line.db.query("select orch.project_connect(%s, 'forge', 'forge', 'acme/demo')", project.name, user="orch_operator")
    return line


def to_confirm(line, item):
    line.approve_analysis(item)
    line.wait_shown(item, "awaiting_deploy", 120)


def test_an_item_becomes_one_pull_request_and_one_merge(line, project, suite):
    """I-1, M-4, P-7: fetched, pushed, shown and merged at the server, once each."""
    item = line.item()
    line.pass_human_gates(item)
    assert line.stages(item) == STAGES
    assert [(pull["merged"], pull["base"], pull["head"]) for pull in project.pulls()] == [(True, "main", line.task(item)["branch"])]
    merge, = project.merges()
    assert merge["sha"] == project.head() and f"src/{item}.txt" in project.files()
    line.check_commits(item)
    assert line.db.value("select count(*) from orch.effect where kind = 'ensure_pull' and status = 'done'") == 1
