"""The simulated services, and the adapters that talk to them."""

import json
import subprocess

import pytest

from sim.bare import ENVIRONMENT
from sim.gitea import Gitea
from sim.people import PlaneForPeople
from support.paths import program, program_env

TOKEN = "sim-token"


class Answer:
    def __init__(self, text):
        first, self.why, data = text.split("\n", 2)
        self.outcome, retry = first.split()
        self.retry_after_s, self.json = int(retry), json.loads(data)

    def __repr__(self):
        return f"<{self.outcome} {self.why} {self.json}>"


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def plane():
    service = PlaneForPeople(retry_s=0.05).start()
    service.add_key(TOKEN)
    service.shop = service.add_project("SHOP", "Shop")
    service.base = f"/api/v1/workspaces/acme/projects/{service.shop.id}"
    yield service
    service.stop()


def probe(port, call, given):
    done = subprocess.run([program("tests/integrations/port_probe"), port, call, *(f"{key}={value}" for key, value in given.items())],
                          env=program_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and TOKEN not in done.stdout + done.stderr, done.stderr
    return Answer(done.stdout)


@pytest.fixture
def ask_plane(plane, token_file):
    """ask_plane("item", item=UUID): one call of common/plane.c, with what it made of the answer."""
    return lambda call, **given: probe("plane", call, {"url": plane.url, "token": token_file, "workspace": plane.slug,
                                                       "project": plane.shop.id, **given})


@pytest.fixture
def gitea(tmp_path):
    service = Gitea(tmp_path).start()
    service.add_token(TOKEN)
    yield service
    service.stop()


def git(*args):
    return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", *args], check=True, env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True).stdout.strip()


class Shop:
    """A repository of the simulated Gitea with one commit on main, and a working tree of it."""

    def __init__(self, gitea, folder):
        self.gitea, self.repo, self.tree = gitea, gitea.add_repo("acme", "shop"), folder
        git("init", "-q", "-b", "main", str(folder))
        self.commit("a.txt", "one\n")
        self.push_behind("main")

    def commit(self, name, text):
        (self.tree / name).write_text(text)
        git("-C", str(self.tree), "add", "-A")
        git("-C", str(self.tree), "commit", "-q", "-m", f"change {name}")
        return git("-C", str(self.tree), "rev-parse", "HEAD")

    def branch(self, name, file="b.txt", text="two\n", start="main"):
        """A new branch with one commit, pushed; the commit."""
        git("-C", str(self.tree), "checkout", "-q", "-B", name, start)
        sha = self.commit(file, text)
        assert self.push(name).returncode == 0
        return sha

    def push(self, spec):
        url = self.gitea.clone_url(self.repo).replace("://", f"://git:{TOKEN}@")
        return subprocess.run(["git", "-C", str(self.tree), "push", "-q", url, spec], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)

    def push_behind(self, spec):
        """Past the server: no rule, no webhook."""
        git("-C", str(self.tree), "push", "-q", "-f", str(self.repo.bare.path), spec)

    def move_main(self, file="m.txt", text="m\n"):
        git("-C", str(self.tree), "checkout", "-q", "main")
        self.commit(file, text)
        self.push_behind("main")


@pytest.fixture
def shop(gitea, tmp_path):
    return Shop(gitea, tmp_path / "tree")


@pytest.fixture
def ask_gitea(gitea, shop, token_file):
    """ask_gitea("branch", branch=NAME): one call of common/gitea.c, with what it made of the answer."""
    return lambda call, **given: probe("gitea", call, {"url": gitea.url, "token": token_file, "repo": "acme/shop", **given})
