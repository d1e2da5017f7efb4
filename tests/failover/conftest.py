"""Fixtures of the failover tests: their database is a pair of servers on hosts of their own."""

import pytest


@pytest.fixture
def pair(make_pair):
    """A primary whose commits wait for its standby."""
    return make_pair(sync="on")


@pytest.fixture
def database(pair):
    return pair.database
