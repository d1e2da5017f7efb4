"""A database within one transaction that is never committed, acted on as world.py of the SQL tests acts."""

import contextlib

import psycopg2
import psycopg2.extras

from support.cluster import SUPERUSER
from world import World


class Transaction:
    """query() and its like of support.cluster.Database, all in one transaction."""

    def __init__(self, database):
        self.connection = psycopg2.connect(database.dsn(SUPERUSER), options="-c statement_timeout=60s")  # a claim that never ends is a failure
        self.cursor = self.connection.cursor()

    def query(self, statement, *args, user=None):  # the user is another's business: rights are tested in tests/sql
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement, args or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def row(self, statement, *args, user=None):
        (row,) = self.query(statement, *args)
        return row

    def value(self, statement, *args, user=None):
        (value,) = self.row(statement, *args).values()
        return value

    def column(self, statement, *args, user=None):
        return [next(iter(row.values())) for row in self.query(statement, *args)]

    def rollback(self):
        self.connection.rollback()

    @contextlib.contextmanager
    def unless_refused(self):
        """An act that is refused, with its own code, has done nothing."""
        self.cursor.execute("savepoint act")
        try:
            yield
        except psycopg2.Error as e:
            if not (e.pgcode or "").startswith("OR"):
                raise
            self.cursor.execute("rollback to savepoint act")
        self.cursor.execute("release savepoint act")

    def close(self):
        self.connection.close()


class Scheduler(World):
    """The functions that daemons and people call, on worlds that are made of cases."""

    def __init__(self, transaction, processes):
        self.db = transaction
        self.processes = processes  # several workers that are registered, and live
        self.turn = 0
        self.running = []

    def begin(self):
        self.turn, self.running = 0, []

    def next_process(self):
        self.turn += 1
        return self.processes[self.turn % len(self.processes)]

    def claim_many(self, limit):
        """Ids of the jobs claimed, in order."""
        rows = self.call("job_claim", *self.next_process(), limit)
        self.running += rows
        return [row["job_id"] for row in rows]

    def end(self, outcome):
        """Ends the oldest running job that was claimed here."""
        if self.running:
            job = self.running.pop(0)
            self.succeed(job) if outcome == "success" else self.finish(job, outcome, reason="so it was decided")
