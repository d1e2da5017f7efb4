"""An HTTP client that sends exactly the bytes it is told to, and the signatures of the two webhook senders."""

import hashlib
import hmac
import json
import socket
import uuid


DEFAULT_PATIENCE = 60.0  # seconds in which something must be heard


class Response:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status_line.split(" ", 2)[1])
        self.headers = {}
        for line in lines:
            key, _, value = line.partition(":")
            self.headers[key.strip().lower()] = value.strip()

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Client:
    """Speaks to 127.0.0.1:port, one connection per request."""

    def __init__(self, port, timeout=DEFAULT_PATIENCE):
        self.port, self.timeout = port, timeout

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), self.timeout)

    def raw(self, data):
        """Sends bytes, reads until the peer closes. A Response, or None when it closed without an answer."""
        with self.connect() as sock:
            try:
                sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the answer may be there already: it was refused before all of it was sent
            return read_response(sock)

    def get(self, path, **headers):
        return self.request("GET", path, None, headers)

    def post(self, path, body, **headers):
        return self.request("POST", path, body, headers)

    def request(self, method, path, body, headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: test", "Connection: close"]
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))


def read_response(sock):
    """Reads one answer: to its end by Content-Length, or until the peer closes."""
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            piece = b""
        data += piece
        if not piece or is_complete(data):
            break
    return Response(data) if data else None


def is_complete(data):
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def sign(body, secret):
    """Lowercase hex HMAC-SHA256, as Gitea and Plane send it."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def gitea_headers(body, secret, event="status", delivery=None, event_type=None):
    return {"Content-Type": "application/json", "X-Gitea-Delivery": delivery or str(uuid.uuid4()),
            "X-Gitea-Event": event, "X-Gitea-Event-Type": event_type or event, "X-Gitea-Signature": sign(body, secret)}


def plane_headers(body, secret, event="issue", delivery=None):
    return {"Content-Type": "application/json", "X-Plane-Delivery": delivery or str(uuid.uuid4()),
            "X-Plane-Event": event, "X-Plane-Signature": sign(body, secret)}
