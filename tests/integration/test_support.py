"""The tests' own tools: a check that cannot fail proves nothing."""

import fcntl
import os
import socket
import subprocess
import threading

import pytest

from support.agents import ROLES
from support.http import Client, sign
from support.logs import LogReader, parse_line
from support.processes import LeakCheck, descendants, is_alive
from support.project import git
from support.suite import free_port
from support.wait import stays, wait_for


def test_wait_for_says_what_it_waited_for():
    with pytest.raises(AssertionError, match="the moon; last value: 0\nbecause"):
        wait_for(lambda: 0, 0.05, "the moon", lambda: "because")
    values = iter([0, None, "x"])
    assert wait_for(lambda: next(values)) == "x"
    with pytest.raises(AssertionError, match="did not stay so"):
        stays(lambda: False, 0.05)


def test_leak_check_finds_an_orphan_and_a_lock(folder):
    check = LeakCheck()
    orphan = subprocess.run(["sh", "-c", "setsid tail -f /dev/null >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True,
                            check=True)
    pid = int(orphan.stdout)
    assert pid in [p.pid for p in descendants(os.getpid())]
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(AssertionError) as failure:
            check.finish([folder], grace=0.1)
    assert "process left" in str(failure.value) and "tail -f" in str(failure.value)
    assert f"lock left: {folder / 'lock'}" in str(failure.value)
    wait_for(lambda: not is_alive(pid))
    check.finish([folder])


@pytest.mark.parametrize("line, fields", [
    ("ts=1 event=a.b pid=3", {"ts": "1", "event": "a.b", "pid": "3"}),
    (r'ts=1 error="a \"b\" c\nd" x=""', {"ts": "1", "error": 'a "b" c\nd', "x": ""}),
    (r'ts=1 e="\u0001\\" f=g', {"ts": "1", "e": "\x01\\", "f": "g"}),
    ("==12==ERROR: AddressSanitizer: x=1", {}),
])
def test_log_lines(line, fields):
    assert parse_line(line) == fields


def test_log_reader_waits_from_a_mark(folder):
    log = LogReader(folder / "log")
    log.path.write_text("ts=1 event=a n=1\n")
    mark = log.mark()
    with open(log.path, "a") as file:
        file.write("ts=2 event=a n=2\nts=3 event=a n=3")
    assert log.wait("a", since=mark)["n"] == "2"
    assert log.records("a", n=3) == []  # a line that is not complete yet
    with pytest.raises(AssertionError, match="end of"):
        log.wait("a", since=mark, n=9, timeout=0.05)


def test_signature_vector():
    """RFC 4231, case 2."""
    assert sign(b"what do ya want for nothing?", "Jefe") == \
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_http_client_sends_bytes_as_they_are():
    with socket.create_server(("127.0.0.1", 0)) as server:
        received = []

        def serve():
            peer, _ = server.accept()
            with peer:
                received.append(peer.recv(1000))
                peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        response = Client(server.getsockname()[1]).raw(b"GET\0\r\n\r\n")
        thread.join()
    assert received == [b"GET\0\r\n\r\n"]
    assert (response.status, response.headers["x-a"], response.body) == (202, "b", b"ok")


def test_free_ports_can_be_bound():
    ports = {free_port() for _ in range(20)}
    assert len(ports) > 10 and all(15000 <= port < 32000 for port in ports)


def run_agent(agents, role, tree, **env):
    base = {"PATH": "/usr/bin:/bin", "ORCH_ROLE": role, "ORCH_STAGE": "deploy", "ORCH_WORK_ITEM": "DEMO-7", "ORCH_TITLE": "t",
            "ORCH_DOCS_DIR": "docs/work-items/DEMO-7", "ORCH_ATTEMPT": "1"}
    return subprocess.Popen([agents.path(role)], cwd=tree, env={**base, **env})


def test_agents_leave_what_their_role_owes(agents, project):
    for role in ROLES:
        assert run_agent(agents, role, project.work).wait(60) == 0, role
    left = git("ls-files", "--others", cwd=project.work).split("\n")
    docs = ["01-brd.md", "02-trz.md", "03-acceptance-criteria.md", "04-test-plan.yaml", "06-adr/ADR-001-decision.md",
            "12-review.md", "13-test-report.md", "15-staging-log.md"]
    assert sorted(left) == sorted([f"docs/work-items/DEMO-7/{name}" for name in docs] + ["src/DEMO-7.txt"])
    assert len(agents.marks("start")) == len(agents.marks("end")) == 6
    assert agents.marks("overlap") == []


def test_agents_notice_a_second_one(agents, project):
    agents.set("tester", "read -r line <pipe || exit 1\n")
    os.mkfifo(project.work / "pipe")
    first = run_agent(agents, "tester", project.work)
    wait_for(lambda: agents.marks("start"))
    second = run_agent(agents, "tester", project.work)
    wait_for(lambda: len(agents.marks("start")) == 2)
    assert [mark.pid for mark in agents.marks("overlap")] == [second.pid]
    first.kill()
    second.kill()
    assert first.wait() and second.wait()


def test_project_tells_commits_and_trailers(project):
    base = project.head()
    project.commit({"a/b.txt": "x"}, "Add b\n\nOrch-Job: 7")
    assert project.trailers("Orch-Job") == [(project.head(), "7")]
    assert project.is_ancestor(base) and "a/b.txt" in project.files() and project.read("a/b.txt") == "x"
    project.commit({"c.txt": "y"}, "On a branch", branch="feature/x")
    assert sorted(project.branches()) == ["feature/x", "main"] and "c.txt" not in project.files()


def test_a_database_is_fresh_and_known_by_dictionaries(cluster):
    database = cluster.fresh("template1")
    database.query("create table t (a int, b text)")
    assert database.query("insert into t values (%s, %s) returning *", 1, "%x") == [{"a": 1, "b": "%x"}]
    assert database.row("select a from t where b like '%x'") == {"a": 1}
    assert (database.value("select count(*) from t"), database.column("select a from t")) == (1, [1])
    with pytest.raises(AssertionError, match="0 rows"):
        database.row("select a from t where a = 2")
    cluster.restart("immediate")
    with pytest.raises(Exception, match="terminat|closed|connection"):
        database.query("select 1 as x")
    assert database.value("select 1 as x") == 1
    database.drop()
