"""tools/coverage.py: which lines are counted, and what is too little."""

import importlib.util
import json

import pytest

from support.paths import source

SQL = """-- a file
create function orch.one(p_a integer) returns integer
language plpgsql as $$
begin
        if p_a > 0 then
                return 1;
        end if;
        return 0;
end
$$;

create function orch.two() returns integer
language sql immutable
return 2;

create function orch.three() returns void
language plpgsql as $$
begin
        perform 3;
end
$$;
"""
BODY = SQL.split("$$")[1]


@pytest.fixture
def coverage(folder):
    """The tool, on a tree with one file of SQL."""
    spec = importlib.util.spec_from_file_location("coverage_tool", source("tools/coverage.py"))
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.ROOT, tool.AREAS = folder, folder / "areas"
    (folder / "code.sql").write_text(SQL)
    tool.AREAS.write_text("gate code.sql # all of it\n")
    return tool


def seen(folder, covered, called=()):
    row = {"function": "one", "lines": [2, 3, 4, 6], "covered": covered}
    (folder / f"sql-{len(list(folder.glob('sql-*')))}.json").write_text(json.dumps({"bodies": {BODY: row}, "called": list(called)}))


def missing(tool, folder, capsys):
    tool.main(folder, folder, "--missing")
    return capsys.readouterr().out.splitlines()


def test_lines_of_all_processes_are_added_up(coverage, folder, capsys):
    """A function that nobody has called counts with all its lines; one in SQL is a line."""
    seen(folder, [2, 3, 6], ["two"])
    seen(folder, [2, 3, 4])
    assert missing(coverage, folder, capsys) == ["code.sql:18: begin", "code.sql:19: perform 3;", "code.sql:20: end"]
    seen(folder, [], [])
    assert coverage.main(folder, folder) == 1
    assert "gate             8        5    62.5 %" in capsys.readouterr().out


def test_the_lines_are_those_of_the_file(coverage, folder, capsys):
    seen(folder, [2, 3, 6])
    assert missing(coverage, folder, capsys)[:2] == ["code.sql:6: return 1;", "code.sql:12: create function orch.two() returns integer"]


def test_functions_of_another_area(coverage, folder, capsys):
    coverage.AREAS.write_text("gate code.sql\nmerge code.sql two three\n")
    seen(folder, [2, 3, 4, 6])
    assert coverage.main(folder, folder, "--files") == 1
    out = capsys.readouterr().out
    assert "100.0 %" in out and "below 90 %: merge, the total" in out


@pytest.mark.parametrize("line", ["gate none.sql\n", "gate code.sql four\n"])
def test_what_does_not_exist_is_said(coverage, folder, line):
    coverage.AREAS.write_text(line)
    with pytest.raises(SystemExit, match="none.sql|four"):
        coverage.main(folder, folder)
