import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "sql")]

import worlds  # noqa: E402
from transaction import Scheduler, Transaction  # noqa: E402
from world import World  # noqa: E402

FIRST_FREE_ID = 100_000  # smaller ones are given by the worlds


@pytest.fixture
def world(database):
    return World(database)


@pytest.fixture
def scheduler(database):
    """A database with three live workers, and a transaction in it for one world after the other."""
    processes = []
    for n in range(3):
        row = database.row("select * from orch.process_start('testhost', 'boot-1', 'workerd', %s, 1, 'test')", n + 1)
        processes.append((row["process_id"], row["epoch"]))
    for table in ("repo", "project", "task", "job"):
        database.query(f"alter table orch.{table} alter column id restart with {FIRST_FREE_ID}")
    transaction = Transaction(database)
    worlds.prepare(transaction.cursor)
    transaction.connection.commit()
    yield Scheduler(transaction, processes)
    transaction.close()
