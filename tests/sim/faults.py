"""Faults of a simulated service, by rule.

A rule is a dict: `fault` (a name below), and optionally `match` (a regular expression searched in "METHOD /path?query";
everything when absent), `probability` (1.0), `times` (how often it happens at most; no limit when absent), `skip` (how many
matching requests pass first), and what the fault wants to know (`status`, `seconds` or, of a test, the event `until`, `location`,
`retry_after`). The first rule that strikes is the fault of the request; chance comes from a seed, so a run can be repeated.

    before the effect   error-before (status 503), drop-before, limited (429, retry_after), redirect (location), slow (seconds)
    after the effect    error-after (status 500), drop-after, slow-after (seconds), garbage (no JSON), cut (half an answer),
                        endless (an answer that never ends)
"""

import random
import re
import threading

BEFORE = {"error-before", "drop-before", "limited", "redirect", "slow"}
AFTER = {"error-after", "drop-after", "slow-after", "garbage", "cut", "endless"}
KNOWN = {"fault", "match", "probability", "times", "skip", "status", "seconds", "location", "retry_after", "until"}


class Faults:
    def __init__(self, seed=0):
        self.random, self.lock, self.list = random.Random(seed), threading.Lock(), []

    def set(self, rules):
        for rule in rules:
            unknown = set(rule) - KNOWN
            if rule["fault"] not in BEFORE | AFTER or unknown:
                raise ValueError(f"no such fault, or unknown keys: {rule}")
            re.compile(rule.get("match", ""))
        with self.lock:
            self.list = [{**rule, "struck": 0, "passed": 0} for rule in rules]

    def rules(self):
        with self.lock:
            return [dict(rule) for rule in self.list]

    def draw(self, line):
        with self.lock:
            for rule in self.list:
                if rule["struck"] >= rule.get("times", float("inf")) or not re.search(rule.get("match", ""), line):
                    continue
                if rule["passed"] < rule.get("skip", 0):
                    rule["passed"] += 1
                elif self.random.random() < rule.get("probability", 1.0):
                    rule["struck"] += 1
                    return Fault(rule)
        return None


class Fault:
    """One that strikes one request."""

    def __init__(self, rule):
        self.rule, self.kind, self.hung_up = rule, rule["fault"], False

    def wait(self):
        if "until" in self.rule:
            self.rule["until"].wait()
        else:
            threading.Event().wait(self.rule.get("seconds", 5))

    def before(self, handler):
        """The reply instead of the service's, or None: it answers itself, unless we have hung up."""
        from .service import Reply
        if self.kind == "error-before":
            return Reply(self.rule.get("status", 503), "upstream is away")
        if self.kind == "limited":
            return Reply(429, {"error_code": 429, "description": "too many requests"}, {"Retry-After": str(self.rule.get("retry_after", 1))})
        if self.kind == "redirect":
            return Reply(302, "", {"Location": self.rule["location"]})
        if self.kind == "drop-before":
            self.hung_up = True
            handler.hang_up()
        elif self.kind == "slow":
            self.wait()
        return None

    def after(self, handler, reply):
        """The reply to send; None when there is nothing more to say."""
        from .service import Reply
        if self.kind == "error-after":
            return Reply(self.rule.get("status", 500), "")
        if self.kind == "garbage":
            return Reply(reply.status, b'{"id": 1, "state": [[[')
        if self.kind == "slow-after":
            self.wait()
        elif self.kind == "drop-after":
            handler.hang_up()
            return None
        elif self.kind == "cut":
            handler.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (reply.status, len(reply.body) + 100) + reply.body[:10])
            handler.hang_up()
            return None
        elif self.kind == "endless":
            handler.close_connection = True
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
            while True:  # until the client has had enough
                handler.wfile.write(b'{"filler": "' + b"x" * 4096 + b'"},')
        return reply
