"""tests/integration/db_probe as an object: one db at the end of a pipe. See db_probe.c for commands and events."""

import queue
import subprocess
import threading
import time

from .paths import program, program_env

CHANNEL = "orch test\"channel"  # has to be quoted


class Probe:
    def __init__(self, dsn):
        self.events = queue.Queue()
        self.seen = []
        self.process = subprocess.Popen([program("tests/integration/db_probe"), dsn, CHANNEL], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=program_env())
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(line.rstrip("\n"))
        self.events.put("end")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, *starts, timeout=30):
        """The next event that starts with each of these, in turn; others in between are only remembered."""
        deadline = time.monotonic() + timeout
        for start in starts:
            line = ""
            while not line.startswith(start):
                assert line != "end", f"the probe ended without {start!r}; seen: {self.seen}"
                try:
                    line = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
                except queue.Empty:
                    raise AssertionError(f"no {start!r} within {timeout} s; seen: {self.seen}") from None
                self.seen.append(line)
        return line

    def value(self, sql):
        tag = f"v{len(self.seen)}_{time.monotonic_ns()}"
        self.say(f"query {tag} 20000 {sql}")
        return self.expect(f"result {tag} ok ").split(" ", 3)[3]

    def finish(self):
        """Ends it in order. Leaks and findings of the sanitizers show in the exit status and on stderr."""
        self.process.stdin.close()
        self.reader.join(30)
        errors = self.process.stderr.read()
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()
        assert (code, errors) == (0, "")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.reader.join()
