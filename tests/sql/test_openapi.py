"""orch.openapi(): made of the acts and the pages, and whole (O-2)."""

import pathlib
import re

import pytest

from support import openapi

ROUTES = pathlib.Path(__file__).resolve().parents[2] / "web" / "routes.c"


@pytest.fixture
def document(database):
    return database.value("select orch.openapi()")


def test_the_document_is_openapi(document):
    """O-2: the structure that the specification demands."""
    openapi.check(document)


def test_every_act_is_documented_and_nothing_else(database, document):
    """O-2: an operation for each act and each page; an act that is added is there without more."""
    acts = {(row["method"], row["path"]): row["key"] for row in database.query("select * from orch.act")}
    pages = {("GET", row["path"]): row["key"] for row in database.query("select * from orch.page")}
    assert {(method, path): o["operationId"] for method, path, o in openapi.operations(document)} == {**acts, **pages}
    for method, path, operation in openapi.operations(document):
        if (method, path) in pages:
            continue
        wanted = database.value("select parameters from orch.act where method = %s and path = %s", method, path)
        assert [(p["name"], p["in"], p["schema"]["type"]) for p in operation.get("parameters", [])] == \
            [(p["name"], p["in"], ["object", "array"] if p["type"] == "object" else p["type"]) for p in wanted]
        body = operation.get("requestBody", {"content": {"application/json": {"schema": {"properties": {}}}}})
        properties = body["content"]["application/json"]["schema"]["properties"]
        assert set(properties) == {p["name"] for p in wanted if method == "POST" and p["in"] == "query"}


def test_the_pages_are_those_that_the_port_serves(database):
    """O-1: the routes of the program and the pages of the document are the same."""
    served = re.findall(r'\{ROUTE_OPERATOR, READ, "([^"]+)"', ROUTES.read_text())
    assert served and sorted(served) == sorted(database.column("select path from orch.page"))


def test_every_problem_is_documented(database, document):
    """O-2: what can go wrong is said, by status."""
    problems = database.query("select * from orch.problem")
    assert set(document["components"]["responses"]) == {str(row["status"]) for row in problems}
    for row in problems:
        assert row["title"] in document["components"]["responses"][str(row["status"])]["description"]
    assert sorted(document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]) == \
        sorted("/problems/" + row["key"] for row in problems)


def test_the_programs_own_problems_are_in_the_list(database):
    """O-2: what the operator port finds itself has the type, status and title of the list."""
    header = (ROUTES.parents[1] / "operatord" / "problem.h").read_text()
    own = re.findall(r'X\([A-Z]+, (\d+), "([a-z-]+)", "([^"]+)"\)', header)
    assert len(own) == 7
    for status, key, title in own:
        assert database.row("select status, title from orch.problem where key = %s", key) == {"status": int(status), "title": title}
