"""PostgreSQL on hosts of support/hosts.py: a primary, and a standby that streams from it. The suites reach them by TCP,
the test by their Unix sockets, which no partition touches."""

import pathlib
import subprocess
import time

import psycopg2

from .cluster import PORT, SUPERUSER, Cluster, Database, migrate, socket_dsn
from .paths import source
from .wait import wait_for

DATABASE = "orch"
TRUSTED = "10.77.0.0/16"  # addresses that exist in the namespaces of one test only
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


def make_seed():
    """A stopped cluster with a migrated database: each server begins as a copy of it. Made once per pytest worker."""
    seed = Cluster()
    seed.start()
    seed.execute(f"create database {DATABASE}")
    migrate(seed.dsn(DATABASE, SUPERUSER))
    seed.stop()
    return seed


class Server:
    """One PostgreSQL on a host of its own, which runs nothing else."""

    def __init__(self, network, name, seed, state):
        self.name, self.network, self.host = name, network, network.host(name)
        self.state = pathlib.Path(state)
        self.folder = self.state / name
        self.data = self.folder / "data"
        subprocess.run(["cp", "--archive", seed.folder, self.folder], check=True)
        (self.folder / "hba.conf").write_text(
            f"local all all peer map=orchestrator\nhost all,replication all {TRUSTED} trust\n")

    def __repr__(self):
        return f"server {self.name}"

    # --- life -----------------------------------------------------------------------------------------------

    def _pgcluster(self, *args, **options):
        return self.host.run([source("deploy/pgcluster"), "--state", self.state, *args], **options)

    def start(self):
        self._pgcluster("start", self.folder, check=True)

    def stop(self, mode="fast"):
        self._pgcluster("stop", self.folder, mode, check=True)

    def restart(self, mode="fast"):
        self._pgcluster("restart", self.folder, mode, check=True)

    def is_running(self):
        return self._pgcluster("status", self.folder, stdout=subprocess.DEVNULL).returncode == 0

    def kill(self):
        """kill -9 of all its processes at one moment. Its host still answers: connections are reset."""
        self.host.kill()

    def power_off(self):
        """The host is gone: silence."""
        self.network.partition(self.host)
        self.kill()

    def power_on(self):
        self.network.heal(self.host)
        self.start()

    # --- settings -------------------------------------------------------------------------------------------

    def configure(self, **settings):
        """What is set beyond deploy/pgcluster's settings; the caller starts or reloads. What sessions share is in memory that goes
        with the server: one that is killed would leave it in /dev/shm, mapped by nobody."""
        settings = {"min_dynamic_shared_memory": "8MB", "listen_addresses": self.host.address, "hba_file": self.folder / "hba.conf",
                    "wal_keep_size": "256MB", "wal_retrieve_retry_interval": "200ms", "cluster_name": self.name, **settings}
        (self.folder / "local.conf").write_text("".join(f"{key} = '{value}'\n" for key, value in settings.items()))

    def be_primary(self, sync=None, standby=None):
        """With `sync`, a commit waits for the standby; its value is that of synchronous_commit."""
        self.configure(**({"synchronous_commit": sync, "synchronous_standby_names": standby.name} if sync else {}))

    def be_standby(self, primary):
        (self.data / "standby.signal").touch()
        self.configure(primary_conninfo=self._conninfo(primary))

    def _conninfo(self, primary):
        return f"host={primary.host.address} port={PORT} user={SUPERUSER} application_name={self.name} connect_timeout=5"

    def copy(self, primary):
        """Throws its data away, and the lock of its socket if it was killed, and takes the data of the primary."""
        subprocess.run(["find", self.data, self.folder / "socket", "-mindepth", "1", "-delete"], check=True)
        self.host.run([*AS_POSTGRES, "pg_basebackup", "--dbname", self._conninfo(primary), "--pgdata", self.data,
                       "--checkpoint=fast", "--no-sync"], check=True, cwd="/")

    # --- questions ------------------------------------------------------------------------------------------

    def dsn(self, name, user=None):
        return socket_dsn(self.folder, name, user)

    def query(self, statement, *args):
        """All rows, as tuples, by a connection made for it."""
        connection = psycopg2.connect(self.dsn(DATABASE, SUPERUSER))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, args or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, statement, *args):
        return self.query(statement, *args)[0][0]


class PairDatabase(Database):
    """Programs find the primary by themselves; the test asks the one that is primary now."""

    def __init__(self, pair):
        super().__init__(pair, DATABASE)

    def dsn(self, user=None):
        hosts = ",".join(server.host.address for server in self.cluster.servers)
        dsn = f"host='{hosts}' port={PORT} dbname={DATABASE} target_session_attrs=read-write sslmode=disable"
        return f"{dsn} user='{user}'" if user else dsn


class Pair:
    """A primary and its standby, running. `sync`: a commit waits for the standby, by this value of synchronous_commit."""

    def __init__(self, network, seed, folder, sync=None, standby=True):
        self.sync = sync
        self.a = self.primary = Server(network, "pga", seed, folder)
        self.b = self.standby = Server(network, "pgb", seed, folder) if standby else None
        self.servers = [server for server in (self.a, self.b) if server]
        self.database = PairDatabase(self)

    def start(self):
        self.a.be_primary(self.sync, self.b)
        self.a.start()
        if self.b:
            self.b.be_standby(self.a)
            self.b.start()
            self.wait_streaming()
        return self

    def dsn(self, name, user=None):
        """For the test's own questions, as Cluster.dsn()."""
        return self.primary.dsn(name, user)

    def wait_streaming(self):
        """The standby streams; if commits are to wait for it, they do."""
        wait_for(lambda: self.primary.query("select 1 from pg_stat_replication where application_name = %s and"
                                            " state = 'streaming' and sync_state = any(%s)", self.standby.name,
                                            ["sync", "quorum"] if self.sync else ["async"]), what="the standby streams")

    def wait_caught_up(self, timeout=30):
        written = self.primary.value("select pg_current_wal_lsn()::text")
        wait_for(lambda: self.standby.value("select pg_last_wal_replay_lsn() >= %s::pg_lsn", written), timeout,
                 "the standby has replayed what the primary has written")

    def promote(self):
        """The standby becomes the primary, alone; returns it when it takes writes, and how long that took."""
        begun = time.monotonic()
        assert self.standby.value("select pg_promote(true, 30)")
        self.primary, self.standby = self.standby, None
        self.database.forget_connections()
        return self.primary, time.monotonic() - begun

    def follow(self, server):
        """A former primary, stopped or killed, comes back as the standby of the present one."""
        server.copy(self.primary)
        self.standby = server
        self.primary.be_primary(self.sync, server)
        server.be_standby(self.primary)
        server.start()
        self.primary.query("select pg_reload_conf()")
        self.wait_streaming()

    def remove(self):
        """Servers die with their hosts; their folders go with the test's."""
        self.database.forget_connections()
