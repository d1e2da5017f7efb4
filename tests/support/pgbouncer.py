"""PgBouncer in transaction mode between a suite and a PostgreSQL, on the loopback interface of the suite's host."""

import pathlib
import subprocess

from .cluster import PORT, SUPERUSER
from .replica import AS_POSTGRES, DATABASE
from .wait import wait_for

LISTEN_PORT = 6432
ROLES = ("orch_webhookd", "orch_workerd", "orch_reaperd", "orch_reconcilerd", "orch_operatord", "orch_operator", "orch_readonly")

CONFIG = """\
[databases]
{database} = host={address} port={server_port} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 3
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/log
pidfile = {folder}/pid
"""


class PgBouncer:
    """Few server connections per role, so that the statements of one client are seldom on one and the same."""

    def __init__(self, host, server, folder):
        self.host, self.folder = host, pathlib.Path(folder)
        self.folder.mkdir()
        self.folder.chmod(0o777)
        (self.folder / "users").write_text("".join(f'"{role}" ""\n' for role in (SUPERUSER, *ROLES)))
        self.config = self.folder / "pgbouncer.ini"
        self.config.write_text(CONFIG.format(database=DATABASE, address=server.host.address, server_port=PORT,
                                             port=LISTEN_PORT, folder=self.folder))
        self.process = None

    def start(self):
        self.process = self.host.popen([*AS_POSTGRES, "/usr/sbin/pgbouncer", "--quiet", self.config],
                                       stdin=subprocess.DEVNULL, cwd="/")
        wait_for(self._answers, what="pgbouncer listens")
        return self

    def _answers(self):
        assert self.process.poll() is None, f"pgbouncer ended\n{self.log()}"
        try:
            self.host.client(LISTEN_PORT).connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def dsn(self):
        return f"host=127.0.0.1 port={LISTEN_PORT} dbname={DATABASE}"

    def stop(self):
        self.process.kill()
        self.process.wait()
