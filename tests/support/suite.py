"""The whole suite on free ports: the supervisor and its daemons, with a configuration and a state folder of their own."""

import collections
import json
import pathlib
import random
import signal
import socket
import subprocess

from .http import Client, gitea_headers, plane_headers
from .logs import LogReader
from .paths import BUILD, program, program_env
from .processes import Process, all_processes, descendants, is_alive, own_programs, send_signal, stop_all
from .wait import DEFAULT_TIMEOUT, wait_for

SECRETS = {"gitea": "gitea-secret-of-the-tests", "plane": "plane-secret-of-the-tests"}


# The ports that were given away last: other test processes of the machine pass them over, as an abstract socket of that name exists.
reserved = collections.deque()
RESERVED_MAX = 100


def reserve(port):
    """False: another test has it."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(f"\0orch-test-port-{port}")
    except OSError:
        sock.close()
        return False
    reserved.append(sock)
    while len(reserved) > RESERVED_MAX:
        reserved.popleft().close()
    return True


def free_port():
    """A port nobody listens on, and no other test will, below those that the kernel gives to outgoing connections: it stays
    free while a suite is down, so that a test can start it again on the same port."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        if reserve(port):
            return port


class Here:
    """The machine itself; support/hosts.py has others."""

    name = "testhost"
    client = staticmethod(Client)

    @staticmethod
    def command(*args):
        return list(args)


class Suite:
    def __init__(self, database, folder, host=None, **options):
        self.database, self.folder, self.host = database, pathlib.Path(folder), host or Here
        self.folder.mkdir(parents=True, exist_ok=True)
        self.public, self.status = self.host.client(free_port()), self.host.client(free_port())
        self.config = self.folder / "orchestrator.conf"
        self.log = LogReader(self.folder / "suite.log")
        self.process = None
        self.env = program_env()
        self.options = {
            "database": database.dsn(),
            "state_dir": self.folder / "state",
            "bin_dir": BUILD,
            "host_name": self.host.name,
            "log_level": "debug",
            "listen_public": f"127.0.0.1:{self.public.port}",
            "listen_status": f"127.0.0.1:{self.status.port}",
            "webhookd_count": 1,
            "workerd_count": 1,
            "beat_interval": "500ms",
            "reaper_interval": "500ms",
            "reconcile_interval": "1s",
            "agent_timeout": "60s",
            "agent_kill_grace_seconds": 1,
            "drain_timeout": "10s",
            "disk_min_free": "0B",
            "disk_min_inodes": 0,
            "watch_min_free": "0B",
            "watch_min_inodes": 0,
            **{f"{source}_secret_file": self._secret_file(source) for source in SECRETS},
            **options,
        }
        (self.folder / "state").mkdir(exist_ok=True)
        self.write_config()

    def _secret_file(self, source):
        path = self.folder / f"{source}.secret"
        path.write_text(SECRETS[source] + "\n")
        path.chmod(0o600)
        return path

    def write_config(self, **changes):
        """Changes options; takes effect at the next start, or after reload()."""
        self.options.update(changes)
        lines = [f"{key} = {value}\n" for key, value in self.options.items() if value is not None]
        self.config.write_text("".join(lines))

    # --- life -----------------------------------------------------------------------------------------------

    def start(self, wait=True):
        """Returns when it is ready and each daemon has its row; at once without `wait`."""
        assert self.process is None, "the suite runs already"
        mark = self.log.mark()
        with open(self.log.path, "ab") as log:
            self.process = subprocess.Popen(
                self.host.command(program("orch-supervisor"), "--config", self.config), env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        if wait:
            self.wait_ready()
            for daemon, count in self.counts().items():
                self.wait_for(lambda: len(self.log.records("process.registered", since=mark, daemon=daemon)) >= count,
                              what=f"each {daemon} is registered")
        return self

    def counts(self):
        """How many of each daemon there are."""
        return {"webhookd": int(self.options["webhookd_count"]), "workerd": int(self.options["workerd_count"]), "reaperd": 1,
                "reconcilerd": 1}

    def wait_ready(self, timeout=DEFAULT_TIMEOUT):
        wait_for(self.is_ready, timeout, "the suite is ready (GET /readyz)", self.log.tail)

    def is_ready(self):
        if self.process is not None:
            assert self.process.poll() is None, f"the supervisor ended with {self.process.returncode}\n{self.log.tail()}"
        try:
            response = self.status.get("/readyz")
        except OSError:
            return False
        return response is not None and response.status == 200

    def send(self, signo):
        self.process.send_signal(signo)

    def reload(self):
        self.send(signal.SIGHUP)

    def stop(self, signo=signal.SIGTERM, timeout=DEFAULT_TIMEOUT):
        """Drains, and fails unless the supervisor says 0 and nobody has complained meanwhile. Runs go on: J-8."""
        if self.process is None:
            return
        below = descendants(self.process.pid)
        runs = self.run_pids()  # after it: what an agent has forked meanwhile is its own
        below = [p for p in below if p.pid not in runs]
        self.send(signo)
        code = self._wait_exit(timeout)
        assert code == 0, f"the supervisor ended with {code}\n{self.log.tail()}"
        # who was between fork and exec may be a shim by now
        wait_for(lambda: not {p.pid for p in below if is_alive(p.pid)} - self.run_pids(), what="all children left with it",
                 explain=self.log.tail)
        self.check_sanitizers()

    def _wait_exit(self, timeout):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the supervisor did not leave within {timeout} s\n{self.log.tail()}") from None
        self.process = None
        return code

    def kill(self):
        """kill -9 of the supervisor alone; its children notice by themselves."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def pause(self):
        """SIGSTOP of every process of the suite, agents too: the host stands still. Returns them for resume()."""
        return stop_all(lambda: [self.process.pid] + [p.pid for p in descendants(self.process.pid)])

    def resume(self, stopped):
        """Children before their parents: who goes on first finds them at work."""
        for pid in reversed(stopped):
            send_signal(pid, signal.SIGCONT)

    def power_off(self):
        """kill -9 of every process of the suite at one moment, agents too: nobody can do a last thing."""
        self.kill_all(self.pause())

    def kill_all(self, pids):
        """kill -9 of the supervisor and others; all of them are dead when it returns."""
        for pid in pids:
            send_signal(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not any(is_alive(pid) for pid in pids), what="what was killed is dead")
        self.process = None

    def destroy(self):
        """Ends everything at once, the runs too, for the end of a test."""
        pids = stop_all(lambda: self.run_pids() | {p.pid for p in self.below()})
        if self.process is not None:
            self.kill()
        for pid in pids:
            send_signal(pid, signal.SIGKILL)

    def check_sanitizers(self):
        reports = [line for line in self.log.lines() if "Sanitizer" in line or "runtime error:" in line]
        assert not reports, "\n".join(reports) + "\n" + self.log.tail(200)

    # --- processes ------------------------------------------------------------------------------------------

    def pids(self, name):
        """Living processes of one program of the suite ("workerd", "shim"), by age."""
        if self.process is None:
            return []
        if name == "supervisor":
            return [self.process.pid] if Process(self.process.pid).alive else []
        return [p.pid for p in sorted(own_programs(self.below()), key=lambda p: p.start) if p.program == f"orch-{name}"]

    def below(self):
        """All that runs below the supervisor."""
        return descendants(self.process.pid) if self.process is not None else []

    def shims(self):
        """Living shims of this suite, whoever is their parent by now."""
        ours = tuple(str(self.folder / "state" / what) for what in ("runs", "deploys"))
        found = [p for p in all_processes() if p.alive and p.program == "orch-shim" and any(a.startswith(ours) for a in p.args)]
        return own_programs(found)

    def run_pids(self):
        """Shims, and all that runs below them."""
        shims = self.shims()
        return {p.pid for shim in shims for p in [shim, *descendants(shim.pid)]}

    # --- doors ----------------------------------------------------------------------------------------------

    def orchctl(self, *args, check=True, input=None):
        """Runs orchctl; .stdout and .stderr are text."""
        done = subprocess.run(self.host.command(program("orchctl"), *map(str, args)),
                              env={**self.env, "ORCH_CONFIG": str(self.config)},
                              input=input, stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert not check or done.returncode == 0, \
            f"orchctl {' '.join(map(str, args))} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def orchctl_json(self, *args):
        return json.loads(self.orchctl(*args, "--json").stdout)

    def post_gitea(self, body, event="status", delivery=None, secret=SECRETS["gitea"], event_type=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._post("/webhook/gitea", data, gitea_headers(data, secret, event, delivery, event_type))

    def post_plane(self, body, event="issue", delivery=None, secret=SECRETS["plane"]):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._post("/webhook/plane", data, plane_headers(data, secret, event, delivery))

    def _post(self, path, data, headers):
        return self.public.request("POST", path, data, headers)

    def wait_for(self, fn, timeout=DEFAULT_TIMEOUT, what=""):
        """wait_for() whose failure shows the end of the log."""
        return wait_for(fn, timeout, what, self.log.tail)

    # --- domain ---------------------------------------------------------------------------------------------

    def add_project(self, project):
        return self.database.value("select orch.project_add(%s, %s, %s, %s, %s, %s, %s)", project.name, project.name,
                                   "local", str(project.bare), project.default_branch, project.prefix,
                                   project.test_command, user="orch_operator")
