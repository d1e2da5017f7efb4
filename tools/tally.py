#!/usr/bin/python3
"""Counts tests for tests/run.

    tally.py junit SUITE RUNNER FILE STATUS   prints a line per test of a JUnit file, for the tally
    tally.py sum TALLY                        prints what failed and what was skipped, then the one closing line

A line of the tally: status (passed, failed, skipped), suite, test, reason, separated by tabs.
"""

import sys
import xml.etree.ElementTree as ElementTree

OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def outcome_of(case):
    for child in case:
        if child.tag in OUTCOMES:
            text = child.get("message") or child.text or ""
            return OUTCOMES[child.tag], text.strip().split("\n")[0][:300]
    return "passed", ""


def cases_of(path):
    """(status, name, reason) of each test. A test that failed and then failed in its teardown too is one failure."""
    found = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
        status, reason = outcome_of(case)
        if found.get(name, ("passed",))[0] != "failed":
            found[name] = (status, reason)
    return [(status, name, reason) for name, (status, reason) in found.items()]


def junit(suite, runner, path, exit_status):
    try:
        cases = cases_of(path)
    except (OSError, ElementTree.ParseError) as error:
        cases = [("failed", runner, f"no report: {error}")]
    failed = any(status == "failed" for status, _, _ in cases)
    if not cases:
        cases = [("failed", runner, "ran no test")]
    elif int(exit_status) != 0 and not failed:
        cases.append(("failed", runner, f"ended with {exit_status}"))
    for status, name, reason in cases:
        print(status, suite, name, " ".join(reason.split()), sep="\t")
    return 0


def total(path):
    """0 when something passed and nothing failed."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for status, suite, name, reason in rows:
        count[status] += 1
        if status != "passed":
            print(f"{status}: {suite}: {name}" + (f": {reason}" if reason else ""))
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 0 if count["passed"] and not count["failed"] else 1


def main(args):
    if len(args) == 5 and args[0] == "junit":
        return junit(*args[1:])
    if len(args) == 2 and args[0] == "sum":
        return total(args[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
