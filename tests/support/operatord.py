"""orch-operatord by itself, on a listener of the test, without a supervisor."""

import hashlib
import json
import pathlib
import signal
import socket
import subprocess

from .http import DEFAULT_PATIENCE, Client
from .logs import LogReader
from .paths import program, program_env
from .wait import DEFAULT_TIMEOUT, wait_for
from .webhookd import listener

TOKENS = {"alice": ("operator", "orch_alice-may-act-0123456789abcdef0123"), "bob": ("read", "orch_bob-may-look-0123456789abcdef0123")}


def token_line(name, scope, token, expires=None):
    line = f"{name} {scope} {hashlib.sha256(token.encode()).hexdigest()}"
    return line + (f" expires={expires}" if expires else "")


class Port(Client):
    """Asks with a token: that of alice, who may act, unless another is named. `None`: without."""

    token = TOKENS["alice"][1]

    def ask(self, method, path, body=None, token="", **headers):
        token = self.token if token == "" else token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        return self.request(method, path, body, headers)


class PathPort(Port):
    """The same through a Unix socket."""

    def __init__(self, path, timeout=DEFAULT_PATIENCE):
        super().__init__(None, timeout)
        self.path = path

    def connect(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self.timeout)
        sock.connect(str(self.path))
        return sock


class Operatord:
    """`dsn` names no user: the daemon connects as its own role."""

    def __init__(self, dsn, folder, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config, self.tokens = self.folder / "orchestrator.conf", self.folder / "tokens"
        self.log = LogReader(self.folder / "operatord.log")
        self.listener = listener()
        self.port = Port(self.listener.getsockname()[1])
        self.process, self.inherits = None, True
        self.write_tokens(*(token_line(name, *rest) for name, rest in TOKENS.items()))
        self.options = {"database": dsn, "state_dir": self.folder, "host_name": "testhost", "log_level": "debug",
                        "listen_operator": f"127.0.0.1:{self.port.port}", "operator_tokens_file": self.tokens, **options}
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in self.options.items()))

    def write_tokens(self, *lines, mode=0o600):
        self.tokens.write_text("".join(line + "\n" for line in lines))
        self.tokens.chmod(mode)

    def listen_on(self, path):
        """It opens the socket that its configuration names, as when started by hand."""
        self.port, self.inherits = PathPort(path), False

    def start(self, wait=True):
        env = program_env(ORCH_LISTEN_OPERATOR_FD=str(self.listener.fileno())) if self.inherits else program_env()
        with open(self.log.path, "ab") as log:
            self.process = subprocess.Popen([program("orch-operatord"), "--config", self.config], env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=[self.listener.fileno()])
        if wait:
            wait_for(self.is_alive, DEFAULT_TIMEOUT, "operatord answers /livez", self.log.tail)
        return self

    def is_alive(self):
        assert self.process.poll() is None, f"operatord ended with {self.process.returncode}\n{self.log.tail()}"
        try:
            return self.port.ask("GET", "/livez").status == 200
        except (TimeoutError, FileNotFoundError, ConnectionRefusedError):  # nobody has accepted yet
            return False

    def wait_database(self):
        wait_for(lambda: self.port.ask("GET", "/readyz").status == 200, DEFAULT_TIMEOUT, "readyz says yes", self.log.tail)
        return self

    def reload(self, event):
        mark = self.log.mark()
        self.process.send_signal(signal.SIGHUP)
        return self.log.wait(event, since=mark)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEFAULT_TIMEOUT)
        self.process = None
        assert code == 0, f"operatord ended with {code}\n{self.log.tail()}"
        reports = [line for line in self.log.lines() if "Sanitizer" in line or "runtime error:" in line]
        assert not reports, "\n".join(reports) + "\n" + self.log.tail(200)

    def destroy(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.listener.close()
