"""tools/check-docs: each check finds what it is for, and lets pass what is right."""

import importlib.machinery
import importlib.util

import pytest

from support.paths import source

loader = importlib.machinery.SourceFileLoader("check_docs", str(source("tools/check-docs")))
check_docs = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_docs", loader))
loader.exec_module(check_docs)

OPTION = 'OPT_INT(a, 1, 1, 2, OPTION_RELOAD, {})\n'
METRIC = 'METRIC(A, {}, "{}", "", {})\n'

CASES = [
    ("length", "a.c", "x\n" * 501, "x\n" * 500),
    ("unfinished", "a.c", "/* TO" "DO */", "/* done */"),
    ("machine", "a.py", "/fa" "rm/x", "/var/x"),
    ("machine", "a.sh", "deb.deb" "ian.org", "debian"),
    ("sleeps", "tests/a.py", "time.sle" "ep(1)", "wait_for(x)"),
    ("sleeps", "tests/a.py", "sle" "ep 1", "sle" "ep 1 # lasts"),
    ("opening", "a.c", "int x;", "/* a.c - x */"),
    ("opening", "a.sql", "select 1;", "-- Purpose: x"),
    ("options", "common/options.def", OPTION.format('""'), OPTION.format('"What it is, and for whom"')),
    ("options", "common/options.def", 2 * OPTION.format('"What it is for"'), OPTION.format('"What it is for"')),
    ("metrics", "common/metrics.def", METRIC.format("COUNTER", "orch_a", '"Help"'),
     METRIC.format("COUNTER", "orch_a_total", '"Help"')),
    ("metrics", "common/metrics.def", METRIC.format("GAUGE", "orch_a", '""'), METRIC.format("GAUGE", "orch_a", '"Help"')),
    ("events", "a.c", 'log_info(EV("a.b"))', ""),
    ("events", "docs/log-events.md", "| `a.b` | x |", ""),
    ("links", "deploy/a.md", "[x](nowhere.md)", "[x](../meson.build)"),
    ("commands", "README.md", "run tests/nothing", "run tests/run"),
]


@pytest.mark.parametrize("check, name, bad, good", CASES)
def test_finding(check, name, bad, good):
    run = getattr(check_docs, f"check_{check}")
    assert list(run([(name, bad)]))
    assert not list(run([(name, good)]))


def test_terminal_stages_in_two_files():
    """P-2"""
    text = "stage in ('done', 'can" "celled')"
    assert not list(check_docs.check_terminal([("a.sql", text)]))
    assert list(check_docs.check_terminal([("a.sql", text), ("b.c", text)]))
