import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from world import World  # noqa: E402


@pytest.fixture
def world(database):
    return World(database)
