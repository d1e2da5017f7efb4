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


@pytest.fixture
def suite(network, pooler, make_suite):
    suite = make_suite(host=network.host("one"), webhookd_count=2, workerd_count=2)
    suite.write_config(database=pooler.dsn())
    return suite.start()


def test_an_item_is_done_by_polling_alone(suite, pooler, project, agents):
    """I-3, P-1: the workers know that nobody can wake them, and ask at each beat."""
    line = Pipeline(suite, project)
    begun = time.monotonic()
    item = line.item()
    line.pass_human_gates(item)
    print(f"done after {time.monotonic() - begun:.1f} s with a beat of {suite.options['beat_interval']}")
    line.check_commits(item)
    line.check_no_overlap(agents)
    assert {(r["listens"], r["pooled"]) for r in suite.log.records("db.up", daemon="workerd")} == {("none", "true")}
    assert "got packet 'A'" not in pooler.log(), "somebody listens through the pooler"


def test_a_migration_asks_for_the_server_itself(suite, pair):
    """A lock that belongs to a session would stay in the pool, and keep the next migration out."""
    done = suite.orchctl("migrate", "--user", "orch", check=False)
    assert done.returncode == 1 and "goes through a pooler" in done.stderr
    assert pair.a.value("select count(*) from pg_locks where locktype = 'advisory'"
                        " and (classid::bigint << 32 | objid::bigint) = x'6f7263686d6967'::bigint") == 0
