"""The operator port under the supervisor (O-2): who gets its socket, and that nobody is refused while daemons come and go."""

import os
import pathlib
import signal
import threading

import pytest

from support.marks import root_looks_in
from support.operatord import TOKENS, PathPort, Port, token_line
from support.suite import free_port
from support.wait import wait_for


def environment(pid):
    raw = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(line.split("=", 1) for line in raw.split("\0") if line)


def sockets(pid):
    links = (os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return {link for link in links if link.startswith("socket:")}


def operator_socket(host):
    pid = host.pids("operatord")[0]
    return os.readlink(f"/proc/{pid}/fd/{environment(pid)['ORCH_LISTEN_OPERATOR_FD']}")


@pytest.fixture
def host(make):
    """A supervisor with stand-ins, one of them for the daemon of the operator port; not started."""
    host = make(listen_operator=f"127.0.0.1:{free_port()}", operator_tokens_file="/nonexistent", upgrade_timeout="20s")
    host.install("operatord")
    host.install_supervisor()
    return host


@root_looks_in
def test_its_socket_is_its_daemons_alone(host):
    """O-2: neither the process that reads what strangers send nor any other holds the socket; and the reverse."""
    host.start()
    operatord, webhookd, workerd = (host.pids(name)[0] for name in ("operatord", "webhookd", "workerd"))
    assert not {"ORCH_LISTEN_PUBLIC_FD", "ORCH_LISTEN_STATUS_FD"} & set(environment(operatord))
    assert "ORCH_LISTEN_OPERATOR_FD" not in environment(webhookd) and "ORCH_LISTEN_OPERATOR_FD" not in environment(workerd)
    assert not sockets(operatord) & (sockets(webhookd) | sockets(workerd))
    assert operator_socket(host) in sockets(host.process.pid)


@root_looks_in
def test_an_upgrade_keeps_its_socket(host):
    """O-2: as the other two; and it cannot be changed by one."""
    host.start()
    before, old = operator_socket(host), host.pids("operatord")
    assert host.orchctl("upgrade").returncode == 0
    assert operator_socket(host) == before and host.pids("operatord") != old
    host.write_config(listen_operator=f"127.0.0.1:{free_port()}")
    refused = host.orchctl("upgrade")
    assert refused.returncode != 0 and "listen_operator" in refused.stderr


def test_without_the_option_there_is_no_such_daemon(make):
    """O-2: no port, no process."""
    host = make().start()
    assert host.pids("operatord") == [] and "operatord" not in "\n".join(host.log.lines())


@pytest.mark.parametrize("options, why", [
    ({"listen_operator": "127.0.0.1:8482"}, "operator_tokens_file"), ({"listen_operator": "nowhere", "operator_tokens_file": "/x"}, "is not an address"),
    ({"listen_status": "/run/status.sock"}, "only listen_operator may be"),
])
def test_what_cannot_be_is_refused(make, options, why):
    """A clear error, at the start."""
    host = make(**options).start(wait=False)
    assert host.wait_exit() != 0
    assert why in "\n".join(host.log.lines())


class Caller:
    """Sets a setting again and again, by way of the operator port; `bad` has every answer but 200."""

    def __init__(self, port):
        self.port, self.over, self.good, self.bad = port, threading.Event(), 0, []
        self.thread = threading.Thread(target=self._call)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _call(self):
        while not self.over.wait(0.01):
            try:
                answer = self.port.ask("POST", "/settings/qg0_title_max", {"value": "200"})
            except OSError as error:
                answer = error
            if getattr(answer, "status", None) == 200:
                self.good += 1
            else:
                self.bad.append(answer)


def test_sighup_to_the_supervisor_takes_new_tokens(make_suite, folder):
    """O-2: what an operator does to let somebody in, and to shut somebody out."""
    tokens, number, new = folder / "tokens", free_port(), "orch_carol-0123456789abcdef0123456789abc"
    tokens.write_text(token_line("alice", *TOKENS["alice"]) + "\n")
    tokens.chmod(0o600)
    suite = make_suite(listen_operator=f"127.0.0.1:{number}", operator_tokens_file=tokens).start()
    suite.log.wait("supervisor.ready")
    port = Port(number)
    assert [port.ask("GET", "/queue", token=token).status for token in (port.token, new)] == [200, 401]
    tokens.write_text(token_line("carol", "read", new) + "\n")
    mark = suite.log.mark()
    suite.reload()
    suite.log.wait("operator.tokens", since=mark, good="1")
    assert [port.ask("GET", "/queue", token=token).status for token in (port.token, new)] == [401, 200]


@pytest.mark.parametrize("through", ["port", "file"])
def test_no_act_is_refused_in_an_upgrade_and_the_daemon_comes_back(make_suite, folder, through):
    """O-2: a stream of acts through upgrades; then the daemon is killed, and who connects meanwhile waits for the next."""
    tokens, path = folder / "tokens", folder / "operator.sock"
    tokens.write_text("".join(token_line(name, *rest) + "\n" for name, rest in TOKENS.items()))
    tokens.chmod(0o600)
    number = free_port()
    port = Port(number) if through == "port" else PathPort(path)
    suite = make_suite(listen_operator=f"127.0.0.1:{number}" if through == "port" else path, operator_tokens_file=tokens).start()
    suite.log.wait("supervisor.ready")
    with Caller(port) as caller:
        for _ in range(2):
            suite.orchctl("upgrade")
        count = caller.good
        wait_for(lambda: caller.good > count + 5 or caller.bad)
    assert not caller.bad and caller.good > 10
    os.kill(suite.pids("operatord")[0], signal.SIGKILL)
    assert port.ask("POST", "/settings/qg0_title_max", {"value": "201"}).json()["value"] == "201"
    assert suite.database.column("select distinct actor from orch.audit where act = 'setting_set'") == ["alice"]
    suite.stop()
    assert not path.exists()
