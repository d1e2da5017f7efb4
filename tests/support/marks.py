"""Marks for tests that not every machine or user can run; each skip says why, and tests/run counts it."""

import os

import pytest

root_looks_in = pytest.mark.skipif(os.geteuid() != 0, reason="a daemon lets nobody but root look into it (not dumpable)")
root_is_anybody = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run an agent as another user")
