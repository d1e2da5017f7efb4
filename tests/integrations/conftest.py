"""The simulated services, and the adapters that talk to them."""

import json
import subprocess

import pytest

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


@pytest.fixture
def ask_plane(plane, token_file):
    """ask_plane("item", item=UUID): one call of common/plane.c, with what it made of the answer."""
    def ask(call, **given):
        words = {"url": plane.url, "token": token_file, "workspace": plane.slug, "project": plane.shop.id, **given}
        done = subprocess.run([program("tests/integrations/port_probe"), "plane", call, *(f"{key}={value}" for key, value in words.items())],
                              env=program_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0 and TOKEN not in done.stdout + done.stderr, done.stderr
        return Answer(done.stdout)
    return ask
