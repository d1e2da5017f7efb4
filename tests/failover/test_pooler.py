"""A suite behind PgBouncer in transaction mode: no statement can rely on what an earlier one has left in the session, and no
notification arrives."""

import time

import pytest

from support.pgbouncer import PgBouncer
from support.pipeline import Pipeline


@pytest.fixture
def pair(make_pair):
    return make_pair(standby=False)


@pytest.fixture
def pooler(network, pair, folder):
    folder.chmod(0o711)  # it runs as another user
    pooler = PgBouncer(network.host("one"), pair.a, folder / "pooler").start()
    yield pooler
    pooler.stop()


def test_an_item_is_done_through_a_pooler(network, pooler, database, make_suite, project, agents):
    """I-3, P-1: only slower, since polling replaces the hints."""
    suite = make_suite(host=network.host("one"), webhookd_count=2, workerd_count=2)
    suite.write_config(database=pooler.dsn())
    suite.start()
    line = Pipeline(suite, project)
    begun = time.monotonic()
    item = line.item()
    line.pass_human_gates(item)
    print(f"done after {time.monotonic() - begun:.1f} s through the pooler")
    line.check_commits(item)
    line.check_no_overlap(agents)
    print(pooler.log())
    suite.stop()
