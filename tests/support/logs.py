"""Reads the suite's log: one logfmt line per event (common/log.h)."""

import re

from .wait import DEFAULT_TIMEOUT, wait_for

PAIR = re.compile(r'([A-Za-z0-9_.]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')
ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|x[0-9a-f]{2}|.)")
SHORT = {"n": "\n", "r": "\r", "t": "\t"}


def unquote(value):
    if not value.startswith('"'):
        return value

    def char(match):
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) > 1 else SHORT.get(code, code)

    return ESCAPE.sub(char, value[1:-1])


def parse_line(line):
    """Fields of one line, all as text; {} for a line that is not ours (a sanitizer's report, say)."""
    if not line.startswith("ts="):
        return {}
    return {key: unquote(value) for key, value in PAIR.findall(line)}


class LogReader:
    """Positions are bytes of the file: mark() before an act, then wait(since=mark) for what the act must cause."""

    def __init__(self, path):
        self.path = path

    def mark(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def lines(self, since=0):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(since)
            data = file.read()
        complete = data[:data.rfind(b"\n") + 1]
        return complete.decode(errors="replace").splitlines()

    def records(self, event=None, since=0, **fields):
        wanted = {key: str(value) for key, value in fields.items()}
        if event is not None:
            wanted["event"] = event
        parsed = (parse_line(line) for line in self.lines(since))
        return [record for record in parsed if record and wanted.items() <= record.items()]

    def wait(self, event, since=0, timeout=DEFAULT_TIMEOUT, **fields):
        """The first record of that event with those fields."""
        found = wait_for(lambda: self.records(event, since, **fields), timeout,
                         f"event={event} {fields or ''} in the log", self.tail)
        return found[0]

    def tail(self, lines=60):
        return f"--- end of {self.path} ---\n" + "\n".join(self.lines()[-lines:])
