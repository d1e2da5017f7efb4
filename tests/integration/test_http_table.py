"""The public and the status port as a table: bytes in, status out, and the connection closed behind it (ADR 3).

Each row is sent over a real socket to a real orch-webhookd. `None` is expected where the connection must be closed
without an answer. No row may get more than one answer, whatever it sends.
"""

import json
import re
import socket

import pytest

from support.http import sign
from support.webhookd import SECRETS

PUBLIC, STATUS = "public", "status"
BODY = b'{"ref":"refs/heads/main"}'
GITEA = ("X-Gitea-Delivery: d-1", "X-Gitea-Event: push", "X-Gitea-Event-Type: push")
JSON = "Content-Type: application/json"
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]+\r\n")


def head(line, *fields, host="Host: a"):
    """A head from a request line and fields; host=None leaves it out."""
    lines = [line, *([host] if host else []), *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(*fields, path="/webhook/gitea", body=BODY, version="HTTP/1.1", host="Host: a", length=None, kind=JSON,
         signature=None):
    """A delivery that is right but for what is given."""
    source = path.split("/")[-1].split("?")[0]
    name = {"plane": "X-Plane-Signature"}.get(source, "X-Gitea-Signature")
    signed = signature if signature is not None else f"{name}: {sign(body, SECRETS.get(source, SECRETS['gitea']))}"
    given = [length if length is not None else f"Content-Length: {len(body)}", kind, signed, *fields]
    return head(f"POST {path} {version}", *[field for field in given if field], host=host) + body


def get(path, *fields, version="HTTP/1.1", host="Host: a", method="GET"):
    return head(f"{method} {path} {version}", *fields, host=host)


RIGHT = sign(BODY, SECRETS["gitea"])

# name, listener, bytes, expected status (or a set of them)
TABLE = [
    # --- taken
    ("delivery", PUBLIC, post("X-Gitea-Delivery: t-1"), {200, 202}),
    ("delivery without an id", PUBLIC, post(body=b'{"no":"id"}'), 202),
    ("delivery of nothing", PUBLIC, post("X-Gitea-Delivery: t-2", body=b""), 202),
    ("delivery that is not JSON", PUBLIC, post("X-Gitea-Delivery: t-3", body=b"\x00\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 202),
    ("plane", PUBLIC, post(path="/webhook/plane", body=b'{"event":"issue"}'), {200, 202}),
    ("HTTP/1.0", PUBLIC, post("X-Gitea-Delivery: t-4", version="HTTP/1.0", host=None), 202),
    ("HTTP/1.0 with a host", PUBLIC, post("X-Gitea-Delivery: t-5", version="HTTP/1.0"), 202),
    ("charset", PUBLIC, post("X-Gitea-Delivery: t-6", kind="Content-Type: application/json; charset=utf-8"), 202),
    ("content type in capitals", PUBLIC, post("X-Gitea-Delivery: t-7", kind="CONTENT-TYPE: APPLICATION/JSON"), 202),
    ("query", PUBLIC, post("X-Gitea-Delivery: t-8", path="/webhook/gitea?hook=7"), 202),
    ("zeros before the length", PUBLIC, post("X-Gitea-Delivery: t-9", length=f"Content-Length: 000{len(BODY)}"), 202),
    ("blanks around a value", PUBLIC, post("X-Gitea-Delivery: \t t-10 \t "), 202),
    ("no blank before a value", PUBLIC, post("X-Gitea-Delivery:t-11"), 202),
    ("empty value", PUBLIC, post("X-Gitea-Delivery: t-12", "X-Empty:"), 202),
    ("bytes above ASCII in a value", PUBLIC, post("X-Gitea-Delivery: t-13", "User-Agent: \xe9\xff"), 202),
    ("100-continue", PUBLIC, post("X-Gitea-Delivery: t-14", "Expect: 100-continue"), 202),
    ("100-CONTINUE", PUBLIC, post("X-Gitea-Delivery: t-15", "Expect: 100-CONTINUE"), 202),
    ("100-continue in HTTP/1.0", PUBLIC, post("X-Gitea-Delivery: t-16", "Expect: 100-continue", version="HTTP/1.0"), 202),
    ("keep-alive is not given", PUBLIC, post("X-Gitea-Delivery: t-17", "Connection: keep-alive"), 202),
    ("upgrade is not done", PUBLIC, post("X-Gitea-Delivery: t-18", "Connection: Upgrade", "Upgrade: h2c"), 202),
    ("another request behind it", PUBLIC, post("X-Gitea-Delivery: t-19") + post("X-Gitea-Delivery: t-20"), 202),
    ("rubbish behind it", PUBLIC, post("X-Gitea-Delivery: t-21") + b"\x00\x00rubbish", 202),
    ("64 fields", PUBLIC, post("X-Gitea-Delivery: t-22", *["X: y"] * 59), 202),
    ("host with a port", PUBLIC, post("X-Gitea-Delivery: t-23", host="Host: orch.example:8480"), 202),
    ("host that is an address", PUBLIC, post("X-Gitea-Delivery: t-24", host="Host: [2001:db8::1]:8480"), 202),
    ("host with an empty port", PUBLIC, post("X-Gitea-Delivery: t-25", host="Host: a:"), 202),
    # --- signatures
    ("no signature", PUBLIC, post(*GITEA, signature=""), 401),
    ("empty signature", PUBLIC, post(*GITEA, signature="X-Gitea-Signature:"), 401),
    ("wrong signature", PUBLIC, post(*GITEA, signature="X-Gitea-Signature: " + "0" * 64), 401),
    ("signature of another body", PUBLIC, post(*GITEA, body=BODY + b" ", signature=f"X-Gitea-Signature: {RIGHT}"), 401),
    ("signature by the other source's secret", PUBLIC,
     post(*GITEA, signature=f"X-Gitea-Signature: {sign(BODY, SECRETS['plane'])}"), 401),
    ("upper-case signature", PUBLIC, post(*GITEA, signature=f"X-Gitea-Signature: {RIGHT.upper()}"), 401),
    ("prefixed signature", PUBLIC, post(*GITEA, signature=f"X-Gitea-Signature: sha256={RIGHT}"), 401),
    ("short signature", PUBLIC, post(*GITEA, signature=f"X-Gitea-Signature: {RIGHT[:-1]}"), 401),
    ("long signature", PUBLIC, post(*GITEA, signature=f"X-Gitea-Signature: {RIGHT}0"), 401),
    ("quoted signature", PUBLIC, post(*GITEA, signature=f'X-Gitea-Signature: "{RIGHT}"'), 401),
    ("two signatures in one field", PUBLIC, post(*GITEA, signature=f"X-Gitea-Signature: {RIGHT},{RIGHT}"), 401),
    ("two signature fields", PUBLIC, post(f"X-Gitea-Signature: {RIGHT}", *GITEA), 401),
    ("right and wrong signature fields", PUBLIC, post("X-Gitea-Signature: " + "0" * 64, *GITEA), 401),
    ("GitHub's signature only", PUBLIC, post(*GITEA, signature=f"X-Hub-Signature-256: sha256={RIGHT}"), 401),
    ("Plane's signature for Gitea", PUBLIC, post(*GITEA, signature=f"X-Plane-Signature: {RIGHT}"), 401),
    ("signature with blanks behind it", PUBLIC,
     post("X-Gitea-Delivery: t-26", signature=f"X-Gitea-Signature: {RIGHT} \t"), 202),
    ("Plane without a signature", PUBLIC, post(path="/webhook/plane", signature=""), 401),
    ("Plane with a wrong signature", PUBLIC,
     post(path="/webhook/plane", signature=f"X-Plane-Signature: {RIGHT}"), 401),
    # --- content length and transfer coding
    ("no length", PUBLIC, post(length=""), 411),
    ("two equal lengths", PUBLIC, post(f"Content-Length: {len(BODY)}"), 400),
    ("two lengths", PUBLIC, post("Content-Length: 3"), 400),
    ("list of lengths", PUBLIC, post(length=f"Content-Length: {len(BODY)}, {len(BODY)}"), 400),
    ("plus before the length", PUBLIC, post(length=f"Content-Length: +{len(BODY)}"), 400),
    ("minus before the length", PUBLIC, post(length="Content-Length: -1"), 400),
    ("hexadecimal length", PUBLIC, post(length="Content-Length: 0x19"), 400),
    ("fraction as length", PUBLIC, post(length="Content-Length: 25.0"), 400),
    ("blank inside the length", PUBLIC, post(length="Content-Length: 2 5"), 400),
    ("empty length", PUBLIC, post(length="Content-Length:"), 400),
    ("word as length", PUBLIC, post(length="Content-Length: many"), 400),
    ("quoted length", PUBLIC, post(length='Content-Length: "25"'), 400),
    ("non-ASCII digits as length", PUBLIC, post(length="Content-Length: \xb2"), 400),
    ("length over the limit", PUBLIC, post(length="Content-Length: 4194305"), 413),
    ("length of 2^31", PUBLIC, post(length="Content-Length: 2147483648"), 413),
    ("length of 2^64 and a bit", PUBLIC, post(length=f"Content-Length: {2**64 + len(BODY)}"), 413),
    ("length of a hundred digits", PUBLIC, post(length="Content-Length: " + "9" * 100), 413),
    ("chunked", PUBLIC, post("Transfer-Encoding: chunked", length="", body=b"19\r\n" + BODY + b"\r\n0\r\n\r\n"), 411),
    ("chunked and a length", PUBLIC, post("Transfer-Encoding: chunked"), 411),
    ("length behind chunked", PUBLIC, post("Transfer-Encoding: chunked", "Content-Length: 25", length=""), 411),
    ("identity", PUBLIC, post("Transfer-Encoding: identity"), 411),
    ("gzip", PUBLIC, post("Transfer-Encoding: gzip"), 411),
    ("xchunked", PUBLIC, post("Transfer-Encoding: xchunked"), 411),
    ("empty transfer coding", PUBLIC, post("Transfer-Encoding:"), 411),
    ("transfer coding in capitals", PUBLIC, post("TRANSFER-ENCODING: CHUNKED"), 411),
    ("blank before the colon of a transfer coding", PUBLIC, post("Transfer-Encoding : chunked"), 400),
    ("folded transfer coding", PUBLIC, post("Transfer-Encoding:\r\n chunked"), 411),
    ("chunked in HTTP/1.0", PUBLIC, post("Transfer-Encoding: chunked", version="HTTP/1.0"), 411),
    # --- content type and coding
    ("form-encoded", PUBLIC, post(kind="Content-Type: application/x-www-form-urlencoded", body=b"payload=%7B%7D"), 415),
    ("no content type", PUBLIC, post(kind=""), 415),
    ("empty content type", PUBLIC, post(kind="Content-Type:"), 415),
    ("text", PUBLIC, post(kind="Content-Type: text/plain"), 415),
    ("nearly JSON", PUBLIC, post(kind="Content-Type: application/json5"), 415),
    ("two content types", PUBLIC, post(JSON), 415),
    ("list of content types", PUBLIC, post(kind="Content-Type: application/json, text/plain"), 415),
    ("compressed body", PUBLIC, post("Content-Encoding: gzip"), 415),
    # --- expectation
    ("other expectation", PUBLIC, post("Expect: 200-ok"), 417),
    ("two expectations", PUBLIC, post("Expect: 100-continue", "Expect: 100-continue"), 417),
    ("empty expectation", PUBLIC, post("Expect:"), 417),
    # --- methods
    ("GET", PUBLIC, get("/webhook/gitea"), 405),
    ("HEAD", PUBLIC, get("/webhook/gitea", method="HEAD"), 405),
    ("PUT", PUBLIC, get("/webhook/gitea", "Content-Length: 0", method="PUT"), 405),
    ("DELETE", PUBLIC, get("/webhook/plane", method="DELETE"), 405),
    ("OPTIONS", PUBLIC, get("/webhook/gitea", method="OPTIONS"), 405),
    ("post in small letters", PUBLIC, get("/webhook/gitea", method="post"), 405),
    ("unknown method on an unknown path", PUBLIC, get("/nothing", method="BREW"), 404),
    ("method of 17 letters", PUBLIC, get("/webhook/gitea", method="P" * 17), 501),
    ("method that is no token", PUBLIC, get("/webhook/gitea", method="PO(ST"), 400),
    ("CONNECT", PUBLIC, get("a:443", method="CONNECT"), 400),
    ("no method", PUBLIC, get("/webhook/gitea", method=""), 400),
    # --- targets
    ("root", PUBLIC, get("/"), 404),
    ("unknown path", PUBLIC, post(path="/webhook/gitlab"), 404),
    ("slash at the end", PUBLIC, post(path="/webhook/gitea/"), 404),
    ("two slashes", PUBLIC, post(path="//webhook/gitea"), 404),
    ("escaped letter", PUBLIC, post(path="/webhook/%67itea"), 404),
    ("dot segment", PUBLIC, post(path="/x/../webhook/gitea"), 404),
    ("other case", PUBLIC, post(path="/WEBHOOK/gitea"), 404),
    ("semicolon", PUBLIC, post(path="/webhook/gitea;x"), 404),
    ("absolute form", PUBLIC, post(path="http://a/webhook/gitea"), 400),
    ("asterisk", PUBLIC, get("*", method="OPTIONS"), 400),
    ("no slash", PUBLIC, get("webhook/gitea"), 400),
    ("blank in the target", PUBLIC, post(path="/webhook /gitea"), 400),
    ("fragment", PUBLIC, post(path="/webhook/gitea#x"), 400),
    ("half an escape", PUBLIC, post(path="/webhook/%6"), 400),
    ("no hexadecimal escape", PUBLIC, post(path="/webhook/%zz"), 400),
    ("NUL in the target", PUBLIC, post(path="/webhook/gitea\0"), 400),
    ("UTF-8 in the target", PUBLIC, post(path="/webhook/\xc3\xa9"), 400),
    ("angle bracket in the target", PUBLIC, post(path="/<script>"), 400),
    ("target of 2 KiB", PUBLIC, post(path="/" + "a" * 2048), 414),
    ("longest request line", PUBLIC, post(path="/" + "a" * (2048 - len("POST / HTTP/1.1\r\n"))), 404),
    ("one byte more", PUBLIC, post(path="/" + "a" * (2049 - len("POST / HTTP/1.1\r\n"))), 414),
    # --- request line and version
    ("HTTP/1.2", PUBLIC, post(version="HTTP/1.2"), 505),
    ("HTTP/2.0", PUBLIC, post(version="HTTP/2.0"), 505),
    ("HTTP/0.9", PUBLIC, post(version="HTTP/0.9"), 505),
    ("HTTP/1.-1", PUBLIC, post(version="HTTP/1.-1"), 400),
    ("HTTP/1.4294967297", PUBLIC, post(version="HTTP/1.4294967297"), 400),
    ("HTTP/01.1", PUBLIC, post(version="HTTP/01.1"), 400),
    ("HTTP/1", PUBLIC, post(version="HTTP/1"), 400),
    ("http/1.1", PUBLIC, post(version="http/1.1"), 400),
    ("HTTPS/1.1", PUBLIC, post(version="HTTPS/1.1"), 400),
    ("no version", PUBLIC, b"GET /webhook/gitea\r\n\r\n", 400),
    ("simple request", PUBLIC, b"GET /\r\n", 400),
    ("blank behind the version", PUBLIC, post(version="HTTP/1.1 "), 400),
    ("two blanks", PUBLIC, post(version=" HTTP/1.1"), 400),
    ("tabs for blanks", PUBLIC, b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("empty line first", PUBLIC, b"\r\n" + post(), 400),
    ("blank first", PUBLIC, b" " + post(), 400),
    ("NUL first", PUBLIC, b"\0" + post(), 400),
    ("HTTP/2 preface", PUBLIC, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("TLS", PUBLIC, bytes.fromhex("16030102000100 01fc0303"), 400),
    ("SSH", PUBLIC, b"SSH-2.0-OpenSSH_9.2\r\n", {400, 501}),
    # --- line ends
    ("bare LF behind the request line", PUBLIC, post().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n", 1), 400),
    ("bare LF behind a field", PUBLIC, post().replace(b"Host: a\r\n", b"Host: a\n"), 400),
    ("bare LF at the end of the head", PUBLIC, post().replace(b"\r\n\r\n", b"\r\n\n"), 400),
    ("bare CR in the request line", PUBLIC, post().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r", 1), 400),
    ("bare CR in a value", PUBLIC, post("X: a\rb"), 400),
    ("two CR", PUBLIC, post().replace(b"Host: a\r\n", b"Host: a\r\r\n"), 400),
    ("LF CR", PUBLIC, post().replace(b"Host: a\r\n", b"Host: a\n\r"), 400),
    # --- fields
    ("folded value", PUBLIC, post("X: a\r\n b"), 400),
    ("value folded by a tab", PUBLIC, post("X: a\r\n\tb"), 400),
    ("first field starts with a blank", PUBLIC, post(host=" Host: a"), 400),
    ("blank before a colon", PUBLIC, post("X : y"), 400),
    ("tab before a colon", PUBLIC, post("X\t: y"), 400),
    ("no colon", PUBLIC, post("X"), 400),
    ("no name", PUBLIC, post(": y"), 400),
    ("slash in a name", PUBLIC, post("X/Y: z"), 400),
    ("non-ASCII name", PUBLIC, post("\xe9: z"), 400),
    ("NUL in a name", PUBLIC, post("X\0: y"), 400),
    ("NUL in a value", PUBLIC, post("X: a\0b"), 400),
    ("NUL behind a value", PUBLIC, post("X: a\0"), 400),
    ("control byte in a value", PUBLIC, post("X: a\x1bb"), 400),
    ("DEL in a value", PUBLIC, post("X: a\x7f"), 400),
    ("65 fields", PUBLIC, post("X-Gitea-Delivery: x", *["X: y"] * 60), 431),
    ("head of 16 KiB", PUBLIC, post("X: " + "a" * 16384), 431),
    ("name of 16 KiB", PUBLIC, post("a" * 16384 + ": x"), 431),
    # --- host
    ("no host", PUBLIC, post(host=None), 400),
    ("two hosts", PUBLIC, post("Host: b"), 400),
    ("two equal hosts", PUBLIC, post("host: a"), 400),
    ("empty host", PUBLIC, post(host="Host:"), 400),
    ("list of hosts", PUBLIC, post(host="Host: a,b"), 400),
    ("host with a path", PUBLIC, post(host="Host: a/b"), 400),
    ("host with a user", PUBLIC, post(host="Host: u@a"), 400),
    ("host with a bad port", PUBLIC, post(host="Host: a:8x"), 400),
    ("port only", PUBLIC, post(host="Host: :80"), 400),
    ("half a bracket", PUBLIC, post(host="Host: [::1"), 400),
    ("two hosts in HTTP/1.0", PUBLIC, post("Host: b", version="HTTP/1.0"), 400),
    # --- requests that never end, or end too early
    ("nothing", PUBLIC, b"", None),
    ("half a request line", PUBLIC, b"POST /webh", None),
    ("half a head", PUBLIC, b"POST /webhook/gitea HTTP/1.1\r\nHost: a\r\n", None),
    ("no end of the head", PUBLIC, post().split(b"\r\n\r\n")[0] + b"\r\n", None),
    ("half a body", PUBLIC, post(length=f"Content-Length: {len(BODY) + 1}"), None),
    ("no body", PUBLIC, post(body=BODY)[:-len(BODY)], None),
    # --- each port serves its own paths only
    *[(f"{path} on the public port", PUBLIC, get(path), 404)
      for path in ("/health", "/livez", "/readyz", "/status", "/queue", "/metrics")],
    *[(f"{path} on the status port", STATUS, get(path), 200)
      for path in ("/health", "/livez", "/readyz", "/readyz?verbose", "/status", "/queue", "/metrics")],
    ("HEAD on the status port", STATUS, get("/health", method="HEAD"), 200),
    ("status in HTTP/1.0", STATUS, get("/livez", version="HTTP/1.0", host=None), 200),
    ("status with an empty body", STATUS, get("/livez", "Content-Length: 0"), 200),
    ("status with a body", STATUS, get("/livez", "Content-Length: 1") + b"x", 413),
    ("status with a chunked body", STATUS, get("/livez", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    ("POST on the status port", STATUS, get("/livez", "Content-Length: 0", method="POST"), 405),
    ("delivery on the status port", STATUS, post(), 404),
    ("unknown status path", STATUS, get("/nothing"), 404),
    ("status root", STATUS, get("/"), 404),
    ("status head over 8 KiB", STATUS, get("/livez", "X: " + "a" * 8192), 431),
    ("status head under 8 KiB", STATUS, get("/livez", "X: " + "a" * 8000), 200),
    ("pipelined status", STATUS, get("/livez") * 5, 200),
    ("status without a host", STATUS, get("/livez", host=None), 400),
]


def exchange(client, data, half_close=False):
    """Everything that comes back until the peer closes. A socket timeout fails the test: it did not close."""
    with client.connect() as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        while True:
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            received += piece
        return received


def only_answer(received):
    """Status, headers and body of the one answer; an interim 100 may precede it. None: nothing came."""
    received = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not received:
        return None
    raw_head, end, body = received.partition(b"\r\n\r\n")
    assert end, received
    status_line, *lines = raw_head.split(b"\r\n")
    match = ANSWER.fullmatch(status_line + b"\r\n")
    assert match, status_line
    headers = dict(line.lower().split(b": ", 1) for line in lines)
    assert len(headers) == len(lines), "a header is there twice"
    return int(match.group(1)), headers, body


def check_answer(answer, head_only):
    status, headers, body = answer
    assert headers[b"connection"] == b"close"
    assert re.fullmatch(rb"[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d gmt", headers[b"date"])
    assert len(body) == (0 if head_only else int(headers[b"content-length"]))
    if status >= 400 and not head_only:
        assert headers[b"content-type"] == b"application/problem+json"
        problem = json.loads(body)
        assert problem["status"] == status and set(problem) <= {"title", "status", "detail"}
    assert (b"allow" in headers) == (status == 405)
    assert (b"www-authenticate" in headers) == (status == 401)


def test_the_table_is_long_enough():
    assert len(TABLE) >= 120
    assert len({name for name, *_ in TABLE}) == len(TABLE)


@pytest.mark.parametrize("listener, data, expected", [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_request(shared, impatient, listener, data, expected):
    webhookd = shared if expected is not None else impatient
    answer = only_answer(exchange(getattr(webhookd, listener), data))
    if expected is None:
        assert answer is None
        return
    assert answer is not None, "closed without an answer"
    assert answer[0] in (expected if isinstance(expected, set) else {expected})
    check_answer(answer, data.startswith(b"HEAD "))


@pytest.mark.parametrize("name", ["half a request line", "half a head", "half a body", "no body", "nothing"])
def test_peer_that_closes_early_is_let_go_at_once(shared, name):
    data = next(row[2] for row in TABLE if row[0] == name)
    assert exchange(shared.public, data, half_close=True) == b""


@pytest.mark.parametrize("name, expected", [("plane", 2), ("delivery", 2), ("no signature", 4), ("root", 4)])
def test_peer_that_half_closes_gets_its_answer(shared, name, expected):
    data = next(row[2] for row in TABLE if row[0] == name)
    assert only_answer(exchange(shared.public, data, half_close=True))[0] // 100 == expected


def test_unauthorized_is_uniform(shared):
    """Nothing in the answer says what was wrong with the signature."""
    answers = [only_answer(exchange(shared.public, row[2])) for row in TABLE if row[3] == 401]
    for _, headers, _ in answers:
        del headers[b"date"]
    assert len(answers) > 10 and all(answer == answers[0] for answer in answers)


def test_nothing_is_echoed(shared):
    """What a peer sends appears in no refusal."""
    for name, listener, data, expected in TABLE:
        if isinstance(expected, int) and expected >= 400:
            marked = data.replace(b"Host: a\r\n", b"Host: a\r\nX-Mark: m4rk3d\r\n").replace(b"/nothing", b"/m4rk3d")
            assert b"m4rk3d" not in exchange(getattr(shared, listener), marked), name


def test_interim_answer_comes_before_the_body(shared):
    """Expect: 100-continue is answered when the head is acceptable, and with the refusal when it is not."""
    data = post("X-Gitea-Delivery: expect-1", "Expect: 100-continue")
    raw_head, body = data[:-len(BODY)], data[-len(BODY):]
    with shared.public.connect() as sock:
        sock.sendall(raw_head)
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 202 ")
    with shared.public.connect() as sock:
        sock.sendall(raw_head.replace(b"application/json", b"text/plain"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 415 ")


def test_refused_upload_still_sees_the_answer(shared):
    """A body that nobody reads must not reset the connection before the answer has arrived."""
    data = post(length="Content-Length: 3000000", kind="Content-Type: text/plain") + b"x" * 3000000
    assert only_answer(exchange(shared.public, data))[0] == 415


def test_one_byte_at_a_time(shared):
    """However a request is cut, it is the same request."""
    data = post("X-Gitea-Delivery: bytes-1")
    with shared.public.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            sock.sendall(data[i:i + 1])
        assert sock.recv(65536).startswith(b"HTTP/1.1 202 ")
