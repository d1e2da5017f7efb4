#!/usr/bin/python3
"""Adds up for tests/coverage which lines the tests have come by.

    coverage.py BUILD SEEN            the table: area, lines, covered, percent; exit status 1 when one is below the least
    coverage.py BUILD SEEN --files    each file in it
    coverage.py BUILD SEEN --missing [FILE...]   each line that no test has come by

BUILD is a build with -Db_coverage=true whose programs have run; SEEN is the folder in which tests/support/coverage.py
has left what it has seen of SQL. What is counted says tests/coverage.areas.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
AREAS = ROOT / "tests/coverage.areas"
LEAST = 90.0
FUNCTION = re.compile(r"^create (?:or replace )?function orch\.(\w+)\(", re.MULTILINE)


def die(message):
    sys.exit(f"coverage: {message}")


def sources():
    """(area, path, functions) of each line of the table; functions is empty for the rest of a file."""
    for line in AREAS.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        paths = sorted(ROOT.glob(words[1]))
        if not paths:
            die(f"{AREAS.name} names {words[1]}, which does not exist")
        for path in paths:
            yield words[0], path.relative_to(ROOT), words[2:]


# --- C: gcov says how often each line has run ------------------------------------------------------------------


def c_lines(build, path):
    """Line -> whether it has run, over all objects that were made of a file."""
    notes = [note for note in build.rglob("*.gcno") if re.fullmatch(rf"(.*_)?{re.escape(path.name)}\.gcno", note.name)]
    lines = {}
    for note in notes:
        said = subprocess.run(["gcov", "--json-format", "--stdout", note.relative_to(build)], cwd=build, check=True,
                              capture_output=True, text=True).stdout
        for document in said.splitlines():
            for file in json.loads(document)["files"]:
                if (build / file["file"]).resolve() == ROOT / path:
                    for line in file["lines"]:
                        number = line["line_number"]
                        lines[number] = lines.get(number, False) or line["count"] > 0
    if not lines:
        die(f"{path} is not in {build}")
    return lines


# --- SQL -------------------------------------------------------------------------------------------------------


def seen_by_tests(folder):
    """Body of a plpgsql function -> (lines with a statement, those that have run); and the SQL functions that were called."""
    bodies, called = {}, set()
    for path in folder.glob("sql-*.json"):
        part = json.loads(path.read_text())
        called.update(part["called"])
        for body, row in part["bodies"].items():
            lines, covered = bodies.setdefault(body, (set(), set()))
            lines.update(row["lines"])
            covered.update(row["covered"])
    return bodies, called


def functions_in(text):
    """(name, line, language, body, line of the body) of each function of a file."""
    starts = list(FUNCTION.finditer(text))
    for start, end in zip(starts, [s.start() for s in starts[1:]] + [len(text)]):
        chunk = text[start.start():end]
        parts = chunk.split("$$")
        plpgsql = re.search(r"\blanguage plpgsql\b", parts[0])
        yield (start.group(1), text.count("\n", 0, start.start()) + 1, "plpgsql" if plpgsql else "sql",
               parts[1] if len(parts) > 1 else "", text.count("\n", 0, start.start() + len(parts[0])) + 1)


def sql_lines(path, chosen, others, seen):
    """Line -> whether it has run. A function in SQL is one line. One in plpgsql that nobody has called is all its lines."""
    bodies, called = seen
    lines = {}
    names = set()
    for name, line, language, body, body_line in functions_in((ROOT / path).read_text()):
        names.add(name)
        if name in others or (chosen and name not in chosen):
            continue
        if language == "sql":
            lines[line] = name in called
        elif body in bodies:
            # The profiler's first line is the one with the quotes.
            lines.update({body_line + n - 1: n in bodies[body][1] for n in bodies[body][0]})
        else:
            lines.update({body_line + n: False for n, text in enumerate(body.splitlines()) if text.strip()})
    if strangers := set(chosen) - names:
        die(f"{AREAS.name} names functions that {path} does not have: {', '.join(sorted(strangers))}")
    return lines


# --- the table -------------------------------------------------------------------------------------------------


def counted(build, seen):
    """[(area, path, {line: covered})]"""
    rows = list(sources())
    result = []
    for area, path, functions in rows:
        if path.suffix == ".c":
            lines = c_lines(build, path)
        else:
            others = set() if functions else {name for _, p, named in rows if p == path for name in named}
            lines = sql_lines(path, functions, others, seen)
        result.append((area, path, lines))
    return result


def percent(lines, covered):
    return 100.0 * covered / lines if lines else 100.0


def print_row(name, lines, covered, width):
    print(f"{name:<{width}} {lines:>7} {covered:>8} {percent(lines, covered):>7.1f} %")


def sums(rows, key):
    found = {}
    for row in rows:
        lines, covered = found.get(key(row), (0, 0))
        found[key(row)] = (lines + len(row[2]), covered + sum(row[2].values()))
    return found


def table(rows, with_files):
    """Prints it; whether all is well covered."""
    width = max(len(str(path)) for _, path, _ in rows) + 2 if with_files else 10
    print(f"{'area':<{width}} {'lines':>7} {'covered':>8} {'percent':>9}")
    total = (0, 0)
    low = []
    for area, (lines, covered) in sums(rows, lambda row: row[0]).items():
        if with_files:
            for path, figures in sums([row for row in rows if row[0] == area], lambda row: row[1]).items():
                print_row(f"  {path}", *figures, width)
        for kind, suffix in (("C", ".c"), ("SQL", ".sql")):
            figures = sums([row for row in rows if row[0] == area and row[1].suffix == suffix], lambda row: row[0])
            if figures:
                print_row(f"{area} {kind}", *figures[area], width)
        print_row(area, lines, covered, width)
        total = (total[0] + lines, total[1] + covered)
        if percent(lines, covered) < LEAST:
            low.append(area)
    print_row("total", *total, width)
    if percent(*total) < LEAST:
        low.append("the total")
    if low:
        print(f"coverage: below {LEAST:.0f} %: {', '.join(low)}")
    return not low


def missing(rows, names):
    for _, path, lines in rows:
        if names and str(path) not in names:
            continue
        text = (ROOT / path).read_text().splitlines()
        for number in sorted(n for n, covered in lines.items() if not covered):
            print(f"{path}:{number}: {text[number - 1].strip()}")


def main(build, seen, *options):
    rows = counted(pathlib.Path(build).resolve(), seen_by_tests(pathlib.Path(seen)))
    if options[:1] == ("--missing",):
        missing(rows, options[1:])
        return 0
    return 0 if table(rows, options == ("--files",)) else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
