"""The operator port (O-2): acts and looks over HTTP, what it answers when something is wrong, and what it never does."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess

import pytest

from support import openapi
from support.operatord import TOKENS
from support.swallower import Swallower, socket_folder
from support.wait import wait_for
from support.webhookd import NO_DATABASE

OPERATIONS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
PROJECT = {"name": "demo", "repo": "demo", "location": "/nowhere", "prefix": "DEMO", "test_command": "true"}


@pytest.fixture
def port(operatord):
    return operatord.port


@pytest.fixture
def item(port):
    """A work item that only the local tracker knows."""
    assert port.ask("POST", "/projects", PROJECT).status == 200
    return port.ask("POST", "/tasks", {"project": "demo", "title": "A thing"}).json()["work_item"]


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json", answer
    body = answer.json()
    assert body["status"] == answer.status and body["title"]
    return body.get("type", "about:blank").removeprefix("/problems/")


# --- acts and looks --------------------------------------------------------------------------------------------------

def test_an_act_answers_with_the_resulting_state(database, port, item):
    """O-2: in the body, in the query, percent-encoded or as a form writes it; the audit names the token's holder."""
    moved = port.ask("POST", f"/tasks/{item}/move", {"state": "stop", "comment": "gr\u00fc\u00dfe; drop table \"x\""})
    assert moved.status == 200 and moved.json()["state"] == "stop" and moved.headers["content-type"] == "application/json"
    again = port.ask("POST", f"/tasks/{item}/move?state=stop&comment=once+more%20%C3%BC")
    assert again.status == 200 and again.json() == moved.json()
    rows = database.query("select actor, arguments from orch.audit where act = 'item_move' order by id")
    assert [row["actor"] for row in rows] == ["alice", "alice"]
    assert [row["arguments"]["comment"] for row in rows] == ["gr\u00fc\u00dfe; drop table \"x\"", "once more \u00fc"]


def test_half_in_the_query_and_half_in_the_body(port, item):
    """O-2: as long as no name is in both."""
    assert port.ask("POST", f"/tasks/{item}/move?comment=a", {"state": "stop"}).status == 200
    twice = port.ask("POST", f"/tasks/{item}/move?state=stop", {"state": "stop"})
    assert problem(twice) == "parameter" and '"state" is in the query and in the body' in twice.json()["detail"]


def handle_events(database):
    """What workerd does with events of the local tracker."""
    for event, body in [(row["event_id"], json.loads(bytes(row["body"]))) for row in
                        database.query("select * from orch.event_unrouted(10)", user="orch_workerd")]:
        database.query("select orch.event_route(%s, %s, 'tracker.item', %s, %s, %s)", event, "item:" + body["work_item"], body["project"],
                       body["work_item"], json.dumps(body), user="orch_workerd")
    database.query("select * from orch.event_handle(10)", user="orch_workerd")


def task(database, port):
    """A task that waits for its analyst, as PROJECT's DEMO-1."""
    port.ask("POST", "/projects", PROJECT)
    port.ask("POST", "/tasks", {"project": "demo", "title": "A thing"})
    handle_events(database)


@pytest.mark.parametrize("method, path, body, status, kind", [
    ("POST", "/serial-gate/freeze?repo=nowhere&reason=x", None, 404, "not-found"),
    ("POST", "/serial-gate/freeze?repo=demo", None, 400, "parameter"),
    ("POST", "/serial-gate/freeze", {"repo": "demo'; drop table orch.repo; --", "reason": "x"}, 404, "not-found"),
    ("POST", "/serial-gate/pause?work_item=NOPE-1", None, 404, "not-found"),
    ("POST", "/tasks/DEMO-1/priority?priority=-1", None, 422, "value"),
    ("POST", "/tasks/DEMO-1/priority", {"priority": 5}, 422, "value"),
    ("POST", "/tasks/DEMO-1/priority?priority=high", None, 422, "value"),
    ("POST", "/dependencies/add?work_item=DEMO-1&waits_for=DEMO-1", None, 422, "value"),
    ("POST", "/dependencies/add?work_item=DEMO-1&waits_for=NOPE-1", None, 404, "not-found"),
    ("POST", "/limits/set?scope=global&slots=-1", None, 422, "value"),
    ("POST", "/limits/set?scope=galaxy&slots=1", None, 422, "value"),
    ("POST", "/limits/set?scope=repo&name=nowhere&slots=1", None, 404, "not-found"),
    ("POST", "/dead-letters/effect-7/retry", None, 404, "not-found"),
    ("GET", "/asof?at=yesterday-ish", None, 422, "value"),
])
def test_acts_that_are_refused(database, port, method, path, body, status, kind):
    """O-5: unknown things, and values out of range: a problem that says which, and nothing has changed."""
    task(database, port)
    before = [database.query(f"select * from orch.{table} order by 1") for table in ("task", "history", "audit", "repo_freeze", "capacity_limit")]
    answer = port.ask(method, path, body)
    assert (answer.status, problem(answer)) == (status, kind), answer
    assert answer.json()["detail"] and before == \
        [database.query(f"select * from orch.{table} order by 1") for table in ("task", "history", "audit", "repo_freeze", "capacity_limit")]


def test_gates_over_http(database, port):
    """O-2, S-8, S-16: pause, freeze and back; each may be repeated; who did it is in the history. With the switch off it is refused."""
    task(database, port)
    for path in ("/serial-gate/pause?work_item=DEMO-1", "/serial-gate/freeze?repo=demo&reason=main+is+red"):
        assert [port.ask("POST", path).status for _ in range(2)] == [200, 200], path
    assert {row["axis"] for row in port.ask("GET", "/tasks/DEMO-1/why").json()["why"]} >= {"pause", "freeze"}
    assert port.ask("GET", "/serial-gate/freezes", token=TOKENS["bob"][1]).json()["freezes"][0]["reason"] == "main is red"
    for path in ("/serial-gate/resume?work_item=DEMO-1", "/serial-gate/unfreeze?repo=demo"):
        assert [port.ask("POST", path).status for _ in range(2)] == [200, 200], path
    assert not {row["axis"] for row in port.ask("GET", "/tasks/DEMO-1/why").json()["why"]} & {"pause", "freeze"}
    kinds = database.column("select kind from orch.history where actor = 'alice'")
    assert {"pause", "resume", "freeze", "unfreeze"} <= set(kinds)
    for setting, path in (("serial_gate_freeze_enabled", "/serial-gate/freeze?repo=demo&reason=x"),
                          ("serial_gate_pause_enabled", "/serial-gate/pause?work_item=DEMO-1")):
        assert port.ask("POST", f"/settings/{setting}?value=off").status == 200
        refused = port.ask("POST", path)
        assert (refused.status, problem(refused)) == (409, "refused") and refused.json()["hint"], refused


def test_setting_with_quotes_and_semicolons(database, port):
    """S-12: what is no repo name is dropped and told; nothing runs that was only to be stored."""
    value = "demo; drop table orch.task; -- 'x' \"y\" site"
    answer = port.ask("POST", "/settings/serial_gate_repos", {"value": value})
    assert answer.status == 200 and answer.json()["value"] == value and answer.json()["dropped"]
    assert database.value("select count(*) from orch.task") == 0


def test_looks(port, item):
    """O-1, O-3: with a token that may only look."""
    bob = TOKENS["bob"][1]
    for path in ("/tasks", f"/tasks/{item}", "/settings", "/projects", "/acts"):
        assert port.ask("GET", path, token=bob).status == 200, path
    assert port.ask("GET", "/settings?key=task_deps_enabled", token=bob).json()["settings"][0]["value"] == "on"
    head = port.ask("HEAD", "/settings", token=bob)
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 100


def test_pages(port):
    """O-1: those of the status port are here, too."""
    bob = TOKENS["bob"][1]
    assert port.ask("GET", "/health", token=bob).json()["database"] == "up"
    assert port.ask("GET", "/queue", token=bob).json()["counts"] == {"queued": 0, "running": 0}
    assert port.ask("GET", "/status", token=bob).json()["tasks"] == []
    assert port.ask("GET", "/readyz?verbose", token=bob).json()["checks"]["schema"] is True
    port.ask("POST", "/tasks/NOPE-1/cancel")
    metrics = port.ask("GET", "/metrics", token=bob).text
    assert re.search(r'^orch_operator_requests_total\{daemon="operatord",route="act",class="4xx"\} 1$', metrics, re.M), metrics
    assert "orch_queue_jobs" in metrics


def test_the_examples_of_the_documents_work(database, port, item):
    """O-2: what docs/operations.md tells operators to type, as it stands there."""
    handle_events(database)
    examples = re.findall(r"^curl .*$", OPERATIONS.read_text(), re.M)
    assert len(examples) > 5 and item == "DEMO-1"
    for example in examples:
        done = subprocess.run(["sh", "-c", f"{example} -w '\\n%{{http_code}}'"], env={**os.environ, "TOKEN": TOKENS["alice"][1],
                              "PORT": f"127.0.0.1:{port.port}"}, capture_output=True, text=True, timeout=60)
        body, status = done.stdout.rsplit("\n", 1)
        assert status == "200" and json.loads(body), (example, done)
    assert database.value("select state from orch.local_item") == "stop"
    assert database.value("select value from orch.setting_row where key = 'serial_gate_enabled'") == "off"


# --- the document and the routes -------------------------------------------------------------------------------------

def test_every_documented_operation_answers(database, port):
    """O-2: none is answered with 404 for its path, or 405; a work item or setting may well be missing."""
    document = port.ask("GET", "/openapi.json", token=TOKENS["bob"][1]).json()
    openapi.check(document)
    for method, path, operation in openapi.operations(document):
        answer = port.ask(method, re.sub(r"\{\w+\}", "1", path))
        assert str(answer.status) in operation["responses"], (method, path, answer)
        assert answer.status != 405 and (answer.status != 404 or problem(answer) == "not-found"), (method, path, answer)
    acts = {(row["method"], row["path"]) for row in database.query("select method, path from orch.act")}
    assert acts <= {(method, path) for method, path, _ in openapi.operations(document)}


@pytest.mark.parametrize("path", ["/", "/nothing", "/webhook/gitea", "/webhook/plane", "/tasks/", "/Tasks", "/openapi", "/openapi.json/",
                                  "/queue/", "/tasks/../queue", "//queue", "/tasks/x/y/z", "/%74asks", "/problems/refused"])
def test_what_is_not_documented_is_not_there(port, path):
    """O-2: one spelling of a path, and no more paths than the document has."""
    for method, body in (("GET", None), ("POST", b"{}")):
        answer = port.ask(method, path, body)
        assert answer.status == 404 and problem(answer) == "no-route", (method, answer)


def test_methods_that_a_path_does_not_take(port):
    """O-2: the answer says which it does."""
    for method, path, allow in (("DELETE", "/tasks", "GET, POST"), ("PUT", "/settings/x", "POST"), ("POST", "/queue", "GET, HEAD"),
                                ("OPTIONS", "/queue", "GET, HEAD"), ("GET", "/tasks/x/cancel", "POST")):
        answer = port.ask(method, path)
        assert (answer.status, answer.headers["allow"]) == (405, allow), (method, path, answer)


# --- the other ports -------------------------------------------------------------------------------------------------

def test_no_operator_path_on_the_other_ports_and_the_reverse(database, port, webhookd):
    """O-2: never reachable on the public port; also not with a good token."""
    token = {"Authorization": f"Bearer {TOKENS['alice'][1]}"}
    document = port.ask("GET", "/openapi.json").json()
    pages = set(database.column("select path from orch.page"))
    for method, path, _ in openapi.operations(document):
        path = re.sub(r"\{\w+\}", "1", path)
        body = b"{}" if method == "POST" else None
        headers = {**token, "Content-Type": "application/json"}
        assert webhookd.public.request(method, path, body, headers).status == 404, path
        if path not in pages - {"/openapi.json"}:
            assert webhookd.status.request(method, path, body, headers).status == 404, path
    delivery = webhookd.public.request("POST", "/webhook/gitea", b"{}", {**token, "Content-Type": "application/json"})
    assert delivery.status == 401  # a token is no signature
    assert port.ask("POST", "/webhook/gitea", b"{}").status == 404


def test_the_public_process_cannot_act(database):
    """O-2, B-8: neither the role of the public port nor that of any other daemon may call what the operator port calls."""
    assert database.column("""select rolname from pg_roles where has_function_privilege(rolname, 'orch.http_act(text, text, jsonb, text, text)', 'execute')
                              and rolname like 'orch\\_%%' and not rolsuper and rolname <> 'orch_owner'""") == ["orch_operatord"]


# --- bad input -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path, body, status, kind", [
    ("POST", "/tasks/NOPE-1/cancel", None, 404, "not-found"),
    ("GET", "/tasks/NOPE-1", None, 404, "not-found"),
    ("POST", "/settings/nope", {"value": "on"}, 404, "not-found"),
    ("POST", "/settings/qg0_title_max", {"value": "-1"}, 422, "value"),
    ("POST", "/settings/qg0_title_max?value=-1", None, 422, "value"),
    ("POST", "/settings/qg0_title_max", {}, 400, "parameter"),
    ("POST", "/settings/qg0_title_max", {"value": "1", "more": "2"}, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value=1&value=2", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value=1&", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?=1", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value=%00", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value=%ff", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?value=%c0%80", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max?Value=1", None, 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b"", 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b"[]", 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b"null", 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":"1"}x', 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":"1","value":"2"}', 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":"\\u0000"}', 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":"\xff"}', 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":1e400}', 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"a":' * 9 + b"1" + b"}" * 9, 400, "parameter"),
    ("POST", "/settings/qg0_title_max", b'{"value":"' + b"x" * 65536 + b'"}', 413, "about:blank"),
    ("GET", "/settings", b"{}", 413, "about:blank"),
    ("POST", "/settings/qg0_title_max?value=%zz", None, 400, "about:blank"),
    ("GET", "/settings?key=" + "x" * 2100, None, 414, "about:blank"),
])
def test_bad_input_is_a_problem_and_changes_nothing(database, port, method, path, body, status, kind):
    """O-5: a clear error, and nothing has changed."""
    answer = port.ask(method, path, body)
    assert (answer.status, problem(answer)) == (status, kind), answer
    assert database.value("select count(*) from orch.audit") == 0


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
                                     {"Content-Type": "application/json", "Content-Encoding": "gzip"}])
def test_bodies_that_are_not_json(port, headers):
    answer = port.ask("POST", "/settings/qg0_title_max", b"value=1", **headers)
    assert answer.status == 415


# --- the database --------------------------------------------------------------------------------------------------

def waiting_acts(database):
    return database.column("select pid from pg_stat_activity where query like '%orch.http_act($1%' and state = 'active' and wait_event_type = 'Lock' "
                           "and datname = current_database()")


def test_an_answer_that_was_lost_is_unknown_and_the_act_can_be_repeated(database, make_operatord, folder):
    """O-2: committed, and only that it was is lost. The client is told that it may repeat, and then all is done once."""
    swallower = Swallower(folder, socket_folder(database) / ".s.PGSQL.5480")
    port = make_operatord(f"host={folder} port=5480 dbname={database.name}").start().wait_database().port
    swallower.lose("http_act($1")
    lost = port.ask("POST", "/settings/qg0_title_max", {"value": "150"})
    assert (lost.status, problem(lost)) == (503, "unknown") and "repeat" in lost.json()["hint"] and lost.headers["retry-after"]
    assert database.value("select value from orch.setting_row where key = 'qg0_title_max'") == "150"
    done = wait_for(lambda: next((a for a in [port.ask("POST", "/settings/qg0_title_max", {"value": "150"})] if a.status == 200), None))
    assert done.json()["value"] == "150"
    assert database.value("select count(*) from orch.history where kind = 'setting'") == 1
    swallower.close()


def test_a_statement_that_was_ended_is_known_not_to_be_done(database, port):
    """O-2: by the server, which said so."""
    holder = database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("select from orch.setting_row where key = 'qg0_title_max' for update")
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(port.ask, "POST", "/settings/qg0_title_max", {"value": "150"})
            pid = wait_for(lambda: waiting_acts(database))[0]
            database.query("select pg_terminate_backend(%s)", pid)
            ended = answer.result()
            assert (ended.status, problem(ended)) == (503, "unavailable") and "Nothing was done" in ended.json()["detail"]
            answer = pool.submit(port.ask, "POST", "/settings/qg0_title_max", {"value": "150"})
            pid = wait_for(lambda: waiting_acts(database))[0]
            database.query("select pg_cancel_backend(%s)", pid)
            ended = answer.result()
            assert (ended.status, problem(ended)) == (503, "busy") and "Nothing was done" in ended.json()["detail"]
    finally:
        holder.close()
    assert database.value("select count(*) from orch.audit") == 0


def test_without_a_database(make_operatord):
    """O-2: known not to be done; the process's own pages answer."""
    operatord = make_operatord(NO_DATABASE).start()
    assert operatord.port.ask("GET", "/health").json()["database"] == "down"
    for method, path in (("GET", "/queue"), ("GET", "/openapi.json")):
        assert operatord.port.ask(method, path).status == 503


def test_a_client_that_leaves_is_no_trouble(database, operatord):
    """An act whose client has gone is done, or not; the port goes on."""
    holder = database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("select from orch.setting_row where key = 'qg0_title_max' for update")
    port = operatord.port
    body = json.dumps({"value": "150"})
    with port.connect() as sock:
        sock.sendall((f"POST /settings/qg0_title_max HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {port.token}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        wait_for(lambda: waiting_acts(database))
    holder.close()
    wait_for(lambda: database.value("select value from orch.setting_row where key = 'qg0_title_max'") == "150")
    assert port.ask("GET", "/settings").status == 200
