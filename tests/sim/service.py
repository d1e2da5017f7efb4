"""What the three simulators share: a real HTTP server, routes, a journal of what was asked, and faults.

A simulator is a Service: methods marked with @route answer requests. The state of each is plain Python under one lock, so
one request is one step, as one transaction is in the real service. Besides its own routes each has these, for tests and
for people who try things:

    GET  /_sim/journal?since=N       the requests and deliveries so far, oldest first
    GET  /_sim/faults                the rules in force
    PUT  /_sim/faults                a list of rules (see faults.py); [] ends them all
    GET  /_sim/state                 what the service knows
"""

import http.server
import json
import re
import socket
import socketserver
import threading
import time
import urllib.parse

from .faults import Faults

BODY_MAX = 64 << 20


def route(method, pattern):
    """Marks a method as the answer to METHOD PATH, where PATH is a regular expression with named groups."""
    def mark(function):
        function.sim_routes = [*getattr(function, "sim_routes", []), (method, re.compile(pattern + r"\Z"))]
        return function
    return mark


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        parts = urllib.parse.urlsplit(target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.target = target

    def json(self):
        """The body as an object; {} when there is none. Raises Refused(400) for anything else."""
        if not self.body:
            return {}
        try:
            value = json.loads(self.body)
        except ValueError:
            raise Refused(400, {"message": "the body is not JSON"}) from None
        if not isinstance(value, dict):
            raise Refused(400, {"message": "the body is not an object"})
        return value

    def number(self, name, default):
        value = self.query.get(name, "")
        return int(value) if value.isdigit() else default


class Reply:
    def __init__(self, status, body=None, headers=None):
        self.status, self.headers = status, dict(headers or {})
        if body is None:
            self.body = b""
        elif isinstance(body, bytes):
            self.body = body
        elif isinstance(body, str):
            self.body = body.encode()
            self.headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        else:
            self.body = json.dumps(body).encode()
            self.headers.setdefault("Content-Type", "application/json")


class Refused(Exception):
    """Ends a route with this reply."""

    def __init__(self, status, body=None, headers=None):
        super().__init__(f"{status} {body}")
        self.reply = Reply(status, body, headers)


class Journal:
    """What happened, in order. Each entry is a dict with a number and a time."""

    def __init__(self):
        self.entries, self.changed = [], threading.Condition()

    def add(self, kind, **facts):
        with self.changed:
            entry = {"n": len(self.entries) + 1, "at": time.time(), "kind": kind, **facts}
            self.entries.append(entry)
            self.changed.notify_all()
            return entry

    def since(self, number):
        with self.changed:
            return list(self.entries[number:])

    def wait(self, wanted, timeout=30.0, since=0):
        """The first entry for which wanted(entry) is true, awaited. TimeoutError with the last entries when none comes."""
        deadline = time.monotonic() + timeout
        with self.changed:
            seen = since
            while True:
                for entry in self.entries[seen:]:
                    if wanted(entry):
                        return entry
                seen = len(self.entries)
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise TimeoutError(f"no such entry; the last ones are {self.entries[-5:]}")


class Service:
    """One simulated service on 127.0.0.1:port (0: any that is free)."""

    name = "service"

    def __init__(self, port=0, seed=0):
        self.lock = threading.RLock()
        self.journal = Journal()
        self.faults = Faults(seed)
        self.routes = [(method, pattern, getattr(self, attribute)) for attribute in dir(type(self))
                       for method, pattern in getattr(getattr(type(self), attribute), "sim_routes", [])]
        self.server = Server(("127.0.0.1", port), self)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
        self.server.server_close()

    def shown(self, target):
        """A target without secrets, for the journal and the rules of faults."""
        return target

    def state(self):
        """For /_sim/state."""
        return {}

    def answer(self, request):
        """The reply of the service proper; faults come before and after."""
        allowed = []
        for method, pattern, function in self.routes:
            match = pattern.match(request.path)
            if match and method == request.method:
                try:
                    return function(request, **{key: urllib.parse.unquote(value) for key, value in match.groupdict().items()})
                except Refused as refused:
                    return refused.reply
            if match:
                allowed.append(method)
        return self.no_route(request, allowed)

    def answer_by_hand(self, request):
        """Of /_sim/: who types there is told what is wrong with it."""
        try:
            return self.answer(request)
        except KeyError as error:
            return Reply(400, {"error": f"{error.args[0]} is missing"})
        except (ValueError, TypeError, AttributeError) as error:
            return Reply(400, {"error": f"that cannot be read: {error}"})

    def no_route(self, request, allowed):
        return Reply(405 if allowed else 404, {"message": "not here"})

    @route("GET", "/_sim/journal")
    def sim_journal(self, request):
        return Reply(200, self.journal.since(request.number("since", 0)))

    @route("GET", "/_sim/faults")
    def sim_faults(self, request):
        return Reply(200, self.faults.rules())

    @route("PUT", "/_sim/faults")
    def sim_set_faults(self, request):
        try:
            self.faults.set(json.loads(request.body or b"[]"))
        except (ValueError, TypeError, KeyError) as error:
            return Reply(400, {"message": f"no rules: {error}"})
        return Reply(200, self.faults.rules())

    @route("GET", "/_sim/state")
    def sim_state(self, request):
        with self.lock:
            return Reply(200, self.state())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def __init__(self, address, service):
        self.service = service
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        pass  # a client that hung up; what mattered is in the journal


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 60

    def log_message(self, *args):
        pass

    def read_request(self):
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self.read_chunks()
        elif length.isdigit() and int(length) <= BODY_MAX:
            body = self.rfile.read(int(length))
        else:
            raise ConnectionError("a body that cannot be read")
        return Request(self.command, self.path, self.headers, body)

    def read_chunks(self):
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b"".join(parts)

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def reply(self, reply):
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def serve(self):
        service, request = self.server.service, self.read_request()
        if request.path.startswith("/_sim/"):
            self.reply(service.answer_by_hand(request))
            return
        fault = service.faults.draw(f"{request.method} {service.shown(request.target)}")
        reply = fault.before(self) if fault else None
        done = reply is None and not (fault and fault.hung_up)
        if done:
            reply = service.answer(request)
        service.journal.add("request", method=request.method, path=service.shown(request.path), query=request.query,
                            status=reply.status if reply else None, fault=fault.kind if fault else None, done=done)
        if fault and done:
            reply = fault.after(self, reply)
        if reply is not None:
            self.reply(reply)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = serve
