"""orch-webhookd by itself: one process or several on shared listeners, without a supervisor."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess

from .http import Client, gitea_headers, plane_headers
from .logs import LogReader
from .paths import program, program_env
from .wait import DEFAULT_TIMEOUT, wait_for

SECRETS = {"gitea": "gitea-secret-of-the-tests", "plane": "plane-secret-of-the-tests"}

# A connection string that fails at once.
NO_DATABASE = "host='/nonexistent' dbname='none'"


@contextlib.contextmanager
def contract_signals_blocked():
    """What is started here has its signals blocked, as the supervisor starts daemons: none ends it before it can hear."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listener(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, 0))
    sock.listen(512)
    sock.setblocking(False)
    return sock


class Webhookd:
    """`dsn` names no user: the daemon connects as its own role. Options as in the configuration file."""

    def __init__(self, dsn, folder, processes=1, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "orchestrator.conf"
        self.log = LogReader(self.folder / "webhookd.log")
        self.listeners = [listener(), listener()]
        self.public, self.status = (Client(sock.getsockname()[1]) for sock in self.listeners)
        self.count, self.processes = processes, []
        self.options = {"database": dsn, "state_dir": self.folder, "host_name": "testhost", "log_level": "debug",
                        "beat_interval": "500ms"}
        for source, secret in SECRETS.items():
            self.write_secret(source, secret + "\n")
            self.options[f"{source}_secret_file"] = self.secret_file(source)
        self.write_config(**options)

    def secret_file(self, source):
        return self.folder / f"{source}.secret"

    def write_secret(self, source, text):
        self.secret_file(source).write_text(text)
        self.secret_file(source).chmod(0o600)

    def write_config(self, **changes):
        self.options.update(changes)
        lines = [f"{key} = {value}\n" for key, value in self.options.items() if value is not None]
        self.config.write_text("".join(lines))

    # --- life -----------------------------------------------------------------------------------------------

    def spawn(self, **env):
        """One more process on the shared listeners."""
        fds = [sock.fileno() for sock in self.listeners]
        more = {"ORCH_LISTEN_PUBLIC_FD": str(fds[0]), "ORCH_LISTEN_STATUS_FD": str(fds[1]), **env}
        with open(self.log.path, "ab") as log:
            with contract_signals_blocked():
                process = subprocess.Popen([program("orch-webhookd"), "--config", self.config], env=program_env(**more),
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds)
        self.processes.append(process)
        return process

    def start(self, **env):
        for _ in range(self.count):
            self.spawn(**env)
        wait_for(self.is_alive, DEFAULT_TIMEOUT, "webhookd answers /livez", self.log.tail)
        return self

    def is_alive(self):
        for process in self.processes:
            assert process.poll() is None, f"webhookd ended with {process.returncode}\n{self.log.tail()}"
        try:
            return Client(self.status.port, timeout=2).get("/livez").status == 200
        except TimeoutError:  # nobody has accepted yet
            return False

    def wait_database(self, up=True):
        wait_for(lambda: (self.status.get("/readyz").status == 200) == up, DEFAULT_TIMEOUT,
                 f"readyz says that the database is {'up' if up else 'down'}", self.log.tail)
        return self

    def reload(self):
        """SIGHUP to all. The caller waits for what it must cause."""
        for process in self.processes:
            process.send_signal(signal.SIGHUP)

    def stop(self, signo=signal.SIGTERM, timeout=DEFAULT_TIMEOUT):
        """Drains all processes; each must leave with 0 and without a finding of a sanitizer."""
        for process in self.processes:
            process.send_signal(signo)
        codes = [process.wait(timeout) for process in self.processes]
        self.processes = []
        assert not any(codes), f"webhookd ended with {codes}\n{self.log.tail()}"
        self.check_sanitizers()

    def destroy(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for sock in self.listeners:
            sock.close()

    def check_sanitizers(self):
        reports = [line for line in self.log.lines() if "Sanitizer" in line or "runtime error:" in line]
        assert not reports, "\n".join(reports) + "\n" + self.log.tail(200)

    def resident_bytes(self):
        statm = pathlib.Path(f"/proc/{self.processes[0].pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self):
        """The most that was ever resident."""
        status = pathlib.Path(f"/proc/{self.processes[0].pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.processes[0].pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- deliveries -----------------------------------------------------------------------------------------

    def post(self, source, body, secret=None, delivery=None, event=None, event_type=None):
        """A signed delivery; None when the connection was closed without an answer."""
        secret = secret or SECRETS[source]
        if source == "gitea":
            headers = gitea_headers(body, secret, event or "status", delivery, event_type)
        else:
            headers = plane_headers(body, secret, event or "issue", delivery)
        return self.public.request("POST", f"/webhook/{source}", body, headers)

    def post_file(self, delivery):
        """A delivery of support/deliveries.py."""
        return self.post(delivery.source, delivery.body, event=delivery.event, event_type=delivery.event_type)
