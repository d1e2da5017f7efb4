"""The acts as the operator port calls them: orch.act, orch.http_act() (O-2, O-5)."""

import json
import re

import psycopg2
import psycopg2.extras
import pytest


def http(world, method, path, arguments=None, actor="alice", scope="operator"):
    return world.call("http_act", method, path, arguments or {}, actor, scope, user="orch_operatord")[0]["http_act"]


def problem(answer):
    """Type and detail of a problem, which must be a whole one."""
    body = answer["body"]
    assert body["status"] == answer["status"] and body["title"] and "instance" in body
    return body["type"].removeprefix("/problems/"), body["detail"]


def test_acts_and_functions_are_the_same(database):
    """O-2: each act is a function that the operator may call, and says of each argument what it is; no name is overloaded."""
    bad = database.column("""
        select a.key || ' is no function, or several' from orch.act a
        where (select count(*) from pg_proc p where p.pronamespace = 'orch'::regnamespace and p.proname = a.key) <> 1
        union all
        select a.key || ' may not be called' from orch.act a join pg_proc p on p.pronamespace = 'orch'::regnamespace and p.proname = a.key
        where not has_function_privilege('orch_operator', p.oid, 'execute')
           or has_function_privilege('orch_readonly', p.oid, 'execute') <> (a.scope = 'read')
        union all
        select a.key || ' has undocumented arguments' from orch.act a join pg_proc p on p.pronamespace = 'orch'::regnamespace and p.proname = a.key
        where p.pronargs <> jsonb_array_length(a.parameters)
        union all
        select a.key || ' has a path with another parameter' from orch.act a, regexp_matches(a.path, '\\{([^}]*)\\}', 'g') m
        where not exists (select from orch.act_parameter p where p.act = a.key and p.name = m[1] and p.required)""")
    assert bad == []
    assert database.value("select count(*) = count(distinct (method, path)) from orch.act")


# /status and /queue are the status port's; the last two are what only orchctl doctor and onboarding read, beside what they see on the host
NOT_ACTS = {"schema_version", "schema_oldest", "status_snapshot", "queue_snapshot", "openapi", "doctor", "states_report"}


def test_every_operator_function_is_an_act(database):
    """O-2: nothing that an operator may call is missing from the list."""
    pure = database.column("""select proname from pg_proc where pronamespace = 'orch'::regnamespace and not prosecdef""")
    may = database.column("select proname from pg_proc where pronamespace = 'orch'::regnamespace and has_function_privilege('orch_operator', oid, 'execute')")
    assert set(may) - set(pure) - NOT_ACTS == set(database.column("select key from orch.act"))


def test_an_act_over_http(world):
    """O-2: answers with the resulting state, and leaves an audit row with the name of the token."""
    a = world.item()
    world.succeed(world.claim())
    answer = http(world, "POST", f"/tasks/{a}/approve", {"comment": "fine"})
    assert answer["status"] == 200 and answer["body"]["stage"] == "architecture"
    assert world.db.row("select actor, object from orch.audit where act = 'approve'") == {"actor": "alice", "object": a}
    assert world.db.value("select actor from orch.decision") == "alice"
    assert world.db.column("select distinct actor from orch.history where kind = 'decision'") == ["alice"]
    again = http(world, "POST", f"/tasks/{a}/approve", {"comment": "fine"})
    assert again["status"] == 200 and "already" in again["body"]["message"]


def test_the_name_of_the_token_follows_through_the_inbox(world):
    """O-2, O-4: also what comes of an act later names who asked for it."""
    name = http(world, "POST", "/tasks", {"project": "demo", "title": "By http", "priority": 1})["body"]["work_item"]
    world.handle_events()
    assert world.db.value("select created_by from orch.local_item where work_item = %s", name) == "alice"
    assert world.db.value("select actor from orch.history where kind = 'intake'") == "alice"


def test_a_request_that_is_repeated_makes_one_item(world):
    """O-2: its answer was lost; the key finds what it has made. Another project's key is another."""
    world.add_project("other", "OTH")
    made = [http(world, "POST", "/tasks", {"project": p, "title": "By http", "key": "k 1"})["body"]["work_item"] for p in ("demo", "demo", "other")]
    assert made[0] == made[1] != made[2] and world.db.value("select count(*) from orch.event") == 2
    assert problem(http(world, "POST", "/tasks", {"project": "demo", "title": "t", "key": "x" * 201}))[0] == "value"


@pytest.mark.parametrize("user", ["orch_operator", "orch"])
def test_nobody_else_can_borrow_a_name(world, user):
    """O-2: the setting that names the actor means something on the operator port only."""
    a = world.item()
    world.db.query("set orch.actor = 'mallory'", user=user)
    world.db.query("select orch.cancel(%s)", a, user=user)
    assert world.db.column("select actor from orch.audit where act = 'cancel'") == [user]


def test_the_operator_port_reaches_acts_by_this_door_only(world):
    """B-8: its role has no right on the acts themselves, so that every act names a person."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        world.db.query("select orch.cancel('DEMO-1')", user="orch_operatord")


def test_looks_return_what_they_show(world):
    """O-1, O-3: every look answers; a function that returns a table is wrapped."""
    a = world.item()
    for path in world.db.column("select path from orch.act where method = 'GET'"):
        answer = http(world, "GET", path.replace("{work_item}", a).replace("{name}", "demo"), scope="read")
        assert answer["status"] == 200 and isinstance(answer["body"], dict), path
    assert http(world, "GET", f"/tasks/{a}/why", scope="read")["body"]["why"][0]["axis"] == "slot"
    assert http(world, "GET", "/settings", {"key": "task_deps_enabled"})["body"]["settings"][0]["value"] == "on"
    assert world.db.value("select count(*) from orch.audit where act not in ('item_create', 'project_add')") == 0


def test_a_reading_token_cannot_act(world):
    """O-2: forbidden before anything is looked at; nothing changes."""
    a = world.item()
    for method, path in [(row["method"], row["path"]) for row in world.db.query("select method, path from orch.act where scope = 'operator'")]:
        path = re.sub(r"\{\w+\}", a, path)
        assert problem(http(world, method, path, scope="read"))[0] == "forbidden", path
    assert not world.task(a)["terminal"]


@pytest.mark.parametrize("method, path, arguments, status, kind, detail", [
    ("GET", "/nothing", {}, 404, "no-route", "/nothing"),
    ("GET", "", {}, 404, "no-route", ""),
    ("POST", "/tasks/", {}, 404, "no-route", ""),
    ("POST", "/tasks//cancel", {}, 404, "no-route", ""),
    ("POST", "/tasks/DEMO-1/cancel/", {}, 404, "no-route", ""),
    ("POST", "/tasks/%zz/cancel", {}, 404, "no-route", ""),
    ("POST", "/tasks/%00/cancel", {}, 404, "no-route", ""),
    ("POST", "/tasks/%ff/cancel", {}, 404, "no-route", ""),
    ("GET", "/tasks/DEMO-1/cancel", {}, 405, "method", "takes POST"),
    ("DELETE", "/tasks", {}, 405, "method", "takes"),
    ("POST", "/tasks/DEMO-1/cancel", {"force": "yes"}, 400, "parameter", 'no parameter "force"'),
    ("POST", "/tasks/DEMO-1/cancel", {"work_item": "DEMO-2"}, 400, "parameter", "part of the path"),
    ("POST", "/tasks/DEMO-1/reject", {}, 400, "parameter", '"comment" is missing'),
    ("POST", "/tasks/DEMO-1/reject", {"comment": None}, 400, "parameter", '"comment" is missing'),
    ("POST", "/tasks/DEMO-1/reject", {"comment": ["a"]}, 422, "value", "comment must be one value"),
    ("POST", "/tasks", {"project": "demo", "title": "t", "priority": "high"}, 422, "value", "whole number"),
    ("POST", "/tasks", {"project": "demo", "title": "t", "priority": "99999999999"}, 422, "value", "out of range"),
    ("POST", "/tasks", {"project": "demo", "title": "t", "priority": 1.5}, 422, "value", "whole number"),
    ("POST", "/tasks", {"project": "demo", "title": "t", "priority": -1}, 422, "value", "out of range"),
    ("POST", "/tasks/NOPE-1/cancel", {}, 404, "not-found", "NOPE-1"),
    ("POST", "/tasks/DEMO-1%27%3B%20drop/cancel", {}, 404, "not-found", "DEMO-1'; drop"),
    ("POST", "/tasks/DEMO-1/approve", {}, 409, "refused", "does not wait for a person"),
    ("POST", "/settings/nope", {"value": "on"}, 404, "not-found", "nope"),
    ("POST", "/settings/task_deps_enabled", {"value": "maybe"}, 422, "value", "maybe"),
])
def test_what_a_client_does_wrong_is_a_problem(world, method, path, arguments, status, kind, detail):
    """O-2, O-5: RFC 9457, with a stable type, and nothing has changed."""
    world.item()
    tables = ["task", "job", "local_item", "setting_row", "history", "audit", "event", "effect"]
    before = [world.db.query(f"select * from orch.{t} order by 1") for t in tables]
    answer = http(world, method, path, arguments)
    assert (answer["status"], problem(answer)[0]) == (status, kind)
    assert detail in problem(answer)[1] and answer["body"]["instance"] == path
    assert before == [world.db.query(f"select * from orch.{t} order by 1") for t in tables]


def test_405_names_the_methods(world):
    assert http(world, "DELETE", "/tasks")["headers"] == {"Allow": "GET, POST"}


def test_a_path_is_decoded_once(world):
    """O-2: what is encoded in a segment is part of the name, slash and percent sign included."""
    assert "x/y%41" in problem(http(world, "GET", "/tasks/x%2Fy%2541"))[1]
    assert "ü" in problem(http(world, "GET", "/tasks/%C3%BC"))[1]


def test_a_defect_is_an_answer(world):
    """O-5: a broken function of ours is 500 and has changed nothing."""
    world.item()
    world.db.query("create or replace function orch.cancel_task(p_task bigint, p_actor text) returns text language plpgsql as $$ begin "
                   "update orch.task set title = 'half done'; raise 'boom'; end $$")
    answer = http(world, "POST", "/tasks/DEMO-1/cancel")
    assert (answer["status"], problem(answer)) == (500, ("internal", "boom"))
    assert world.task("DEMO-1")["title"] == "A thing"


def test_a_lock_that_does_not_come_is_busy(world):
    """O-5: who waits in vain is told to come again."""
    world.item()
    with world.db.connect() as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("select from orch.repo for no key update")
        answer = http(world, "POST", "/tasks/DEMO-1/cancel")
        other.rollback()
    assert (answer["status"], problem(answer)[0]) == (503, "busy") and answer["headers"] == {"Retry-After": "1"}
    assert http(world, "POST", "/tasks/DEMO-1/cancel")["status"] == 200


@pytest.mark.parametrize("actor, scope", [(None, "operator"), ("", "operator"), ("a b", "operator"), ("x" * 65, "read"), ("alice", None), ("alice", "admin")])
def test_the_port_must_say_who_asks(world, actor, scope):
    """O-2: a caller that was not named is the port's own defect, and no answer."""
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        http(world, "GET", "/tasks", actor=actor, scope=scope)


def test_problems_are_json_that_http_can_send(world):
    """O-2: the list has a text for each, and statuses of HTTP."""
    for row in world.db.query("select key, status, title, about from orch.problem"):
        assert 400 <= row["status"] < 600 and row["title"] and row["about"]
        body = world.db.value("select orch.problem_json(%s, 'd', '', '/x')", row["key"])
        assert json.loads(json.dumps(body)) == {"type": "/problems/" + row["key"], "title": row["title"], "status": row["status"],
                                                "detail": "d", "instance": "/x"}
