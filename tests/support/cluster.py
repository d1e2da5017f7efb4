"""A private PostgreSQL for the tests of one pytest worker, and fresh databases in it."""

import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import psycopg2.extras

from . import coverage
from .paths import program, program_env, source
from .wait import wait_for

# A sequence keeps with it how many of its next values are in the log already. A copy of the database has the number, but
# not those records: after a crash it would give the same values again.
FORGET_LOGGED_VALUES = """
do $$ declare s regclass; begin
        for s in select oid from pg_class where relkind = 'S' loop
                execute format('select setval(%L, last_value, is_called) from %s', s, s);
        end loop;
end $$"""
SUPERUSER = "orch"
TEMPLATE = "orch_template"
PORT = 5480  # pgcluster's
ROOM = 8 << 30  # for the clusters of some pytest workers: each a log of 256 MB, and a database of 15 MB for each test under way


def socket_dsn(folder, name, user=None):
    """Built here, as pgcluster's own dsn command says it, because tests ask often."""
    dsn = f"host='{folder}/socket' port={PORT} dbname='{name}'"
    return f"{dsn} user='{user}'" if user else dsn


def quick_folder():
    """Memory, where there is plenty: each test makes and drops some hundred files, which is dear on a disk. None: the usual place."""
    memory = "/dev/shm"
    with contextlib.suppress(OSError):
        stat = os.statvfs(memory)
        if stat.f_bavail * stat.f_frsize >= ROOM and os.access(memory, os.W_OK | os.X_OK):
            return memory
    return None


class Cluster:
    """deploy/pgcluster in a temporary folder, without fsync."""

    def __init__(self):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="orch-pg-", dir=quick_folder()))
        self.folder = self.state / "pg"
        self.numbers = itertools.count(1)
        self.has_template = False
        self._run("--state", self.state, "--volatile", "init", self.folder)
        coverage.configure(self.folder)

    def _run(self, *args):
        """pgcluster's messages go to the output of the test."""
        subprocess.run([source("deploy/pgcluster"), *map(str, args)], check=True, timeout=120)

    def start(self):
        self._run("start", self.folder)

    def stop(self, mode="fast"):
        self._run("stop", self.folder, mode)

    def restart(self, mode="fast"):
        self._run("restart", self.folder, mode)

    def postmaster_pid(self):
        return int((self.folder / "data/postmaster.pid").read_text().split("\n", 1)[0])

    def remove(self):
        coverage.store()
        self.stop("immediate")
        shutil.rmtree(self.state)

    def dsn(self, name, user=None):
        return socket_dsn(self.folder, name, user)

    def execute(self, statement, database="postgres"):
        """For statements that no transaction may hold: create and drop database. The server has little patience with sessions
        that are about to leave it."""
        connection = psycopg2.connect(self.dsn(database, SUPERUSER))
        try:
            connection.autocommit = True
            wait_for(lambda: is_done(connection, statement), what=statement)
        finally:
            connection.close()

    def migrated_template(self):
        """A database migrated once per worker; copies of it are cheap."""
        if not self.has_template:
            self.execute(f"drop database if exists {TEMPLATE}")  # of a migration that failed
            self.execute(f"create database {TEMPLATE}")
            migrate(self.dsn(TEMPLATE, SUPERUSER))
            self.execute(FORGET_LOGGED_VALUES, TEMPLATE)
            coverage.prepare(self, TEMPLATE)
            self.has_template = True
        return TEMPLATE

    def fresh(self, template=None):
        """A new database: a copy of the migrated template, or of the one named ("template1": empty)."""
        name = f"t{os.getpid()}_{next(self.numbers)}"
        self.execute(f"create database {name} template {template or self.migrated_template()} strategy file_copy")  # the quicker way for small ones
        return Database(self, name)


def is_done(connection, statement):
    """False: somebody is in the database still."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.errors.ObjectInUse:
            return False
    return True


def migrate(dsn):
    return subprocess.run([program("orchctl"), "migrate"], env=program_env(ORCH_DATABASE=dsn), check=True,
                          timeout=120)


class Database:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self._connections = {}

    def dsn(self, user=None):
        """For the programs under test."""
        return self.cluster.dsn(self.name, user)

    def connect(self, user=SUPERUSER):
        """A connection of its own, each statement a transaction. The caller closes it."""
        connection = psycopg2.connect(self.cluster.dsn(self.name, user))
        connection.autocommit = True
        return connection

    def _shared(self, user):
        """One connection per role, made anew after an error: the server may have gone away."""
        connection = self._connections.get(user)
        if connection is None or connection.closed:
            connection = self._connections[user] = self.connect(user)
        return connection

    def query(self, statement, *args, user=SUPERUSER):
        """All rows, as dictionaries; [] for a statement without any."""
        connection = self._shared(user)
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, args or None)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.Error:
            connection.close()
            raise

    def row(self, statement, *args, user=SUPERUSER):
        """The one row; anything but one fails."""
        rows = self.query(statement, *args, user=user)
        assert len(rows) == 1, f"{len(rows)} rows instead of one: {statement}"
        return rows[0]

    def value(self, statement, *args, user=SUPERUSER):
        """The one value of the one row."""
        values = list(self.row(statement, *args, user=user).values())
        assert len(values) == 1, f"{len(values)} columns instead of one: {statement}"
        return values[0]

    def column(self, statement, *args, user=SUPERUSER):
        """The first column of all rows."""
        return [next(iter(row.values())) for row in self.query(statement, *args, user=user)]

    def forget_connections(self):
        """After a restart of the server: the next query connects anew."""
        for connection in self._connections.values():
            connection.close()

    def drop(self):
        coverage.collect(self)
        self.forget_connections()
        self.cluster.execute(f"drop database if exists {self.name} with (force)")
