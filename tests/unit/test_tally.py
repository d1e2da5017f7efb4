"""tools/tally.py: what counts as passed, and what never does."""

import subprocess

import pytest

from support.paths import source

TALLY = source("tools/tally.py")
REPORT = '<testsuites><testsuite>{}</testsuite></testsuites>'
PASSED = '<testcase classname="c" name="a"/>'
FAILED = '<testcase classname="c" name="b"><failure message="expected 1\nbut 2"/></testcase>'
ERROR = '<testcase classname="c" name="a"><error message="left a process"/></testcase>'
SKIPPED = '<testcase classname="c" name="d"><skipped message="no cgroup"/></testcase>'


def junit(folder, cases, status):
    path = folder / "report.xml"
    if cases is not None:
        path.write_text(REPORT.format("".join(cases)))
    done = subprocess.run([TALLY, "junit", "suite", "runner", path, str(status)], stdout=subprocess.PIPE, text=True,
                          check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("cases, status, statuses, reason", [
    ([PASSED, SKIPPED], 0, ["passed", "skipped"], "no cgroup"),
    ([PASSED, FAILED], 1, ["passed", "failed"], "expected 1 but 2"),
    ([PASSED, ERROR], 1, ["failed"], "left a process"),
    ([PASSED], 1, ["passed", "failed"], "ended with 1"),
    ([], 0, ["failed"], "ran no test"),
    (None, 0, ["failed"], "no report"),
    (["<broken"], 0, ["failed"], "no report"),
])
def test_junit(folder, cases, status, statuses, reason):
    rows = junit(folder, cases, status)
    assert [row[0] for row in rows] == statuses
    assert rows[-1][1] == "suite" and rows[-1][3].startswith(reason)


@pytest.mark.parametrize("rows, status, closing", [
    (["passed\ts\ta\t"], 0, "1 passed, 0 failed"),
    (["passed\ts\ta\t", "skipped\ts\tb\twhy"], 0, "1 passed, 0 failed, 1 skipped"),
    (["passed\ts\ta\t", "failed\ts\tb\twhy"], 1, "1 passed, 1 failed"),
    ([], 1, "0 passed, 0 failed"),
])
def test_closing_line(folder, rows, status, closing):
    path = folder / "tally"
    path.write_text("".join(row + "\n" for row in rows))
    done = subprocess.run([TALLY, "sum", path], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (status, closing)
    assert ("skipped: s: b: why" in lines) == ("skipped" in closing)
