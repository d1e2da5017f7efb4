"""Fixtures of the failover tests: their database is a pair of servers on hosts of their own."""

import pytest


@pytest.fixture
def sync():
    """synchronous_commit of the pair; a test that wants another one is parametrized with it."""
    return "on"


@pytest.fixture
def pair(make_pair, sync):
    """A primary whose commits wait for its standby."""
    return make_pair(sync=sync)


@pytest.fixture
def database(pair):
    return pair.database
