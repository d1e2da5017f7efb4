"""Who is let in to the operator port (O-2): tokens, scopes, expiry, rotation, and what is never told."""

import os
import re
import stat
import subprocess

import pytest

from support.operatord import TOKENS, token_line
from support.paths import program, program_env

ALICE, BOB = TOKENS["alice"][1], TOKENS["bob"][1]
EXPIRED, OTHER = "orch_expired-0123456789abcdef0123456789", "orch_other-0123456789abcdef012345678901"


def refusal(answer):
    return answer.status, answer.json().get("type"), answer.headers.get("www-authenticate")


def test_no_token_no_entry(operatord):
    """O-2: 401 with a challenge, before anything is looked at, whatever is asked for."""
    for method, path, body in (("GET", "/health", None), ("GET", "/nothing", None), ("DELETE", "/tasks", None), ("POST", "/tasks/X/cancel", b"{"),
                               ("POST", "/settings/x", b"x" * 70000)):
        assert refusal(operatord.port.ask(method, path, body, token=None)) == \
            (401, "/problems/unauthorized", 'Bearer realm="orchestrator"'), path


@pytest.mark.parametrize("header, error", [
    ("Bearer orch_wrong-0123456789abcdef0123456789abcdef", "invalid_token"), (f"Bearer {ALICE[:-1]}", "invalid_token"), (f"Bearer {ALICE}x", "invalid_token"),
    (f"Bearer {ALICE.upper()}", "invalid_token"), (f"Bearer {EXPIRED}", "invalid_token"), ("Bearer short", "invalid_request"),
    (f"Bearer {ALICE} {ALICE}", "invalid_request"), (f"Bearer {ALICE},", "invalid_request"),
    (f"Bearer {ALICE}\u00fc", "invalid_request"), (f"Bearer {'x' * 300}", "invalid_request"), ("Basic YWxpY2U6YWxpY2U=", None),
    ("Bearer", None), ("Bearer ", None), (ALICE, None), (f"Token {ALICE}", None)])
def test_what_is_no_good_token(database, make_operatord, header, error):
    """O-2: wrong, expired, cut, doubled, or of another scheme."""
    operatord = make_operatord(database.dsn())
    operatord.write_tokens(token_line("alice", "operator", ALICE), token_line("carol", "operator", EXPIRED, "2020-01-31"))
    operatord.start()
    answer = operatord.port.request("POST", "/settings/qg0_title_max?value=99", None, {"Authorization": header})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="orchestrator"' + (f', error="{error}"' if error else "")
    assert ("expired" in answer.json()["detail"]) == (header == f"Bearer {EXPIRED}")
    assert database.value("select count(*) from orch.audit") == 0


def test_two_headers_are_one_too_many(operatord):
    answer = operatord.port.raw(f"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ALICE}\r\nAuthorization: Bearer {ALICE}\r\n\r\n".encode())
    assert answer.status == 401


def test_the_hash_in_the_file_opens_nothing(operatord):
    """O-2: who can read the file has no token."""
    name_scope_hash = operatord.tokens.read_text().split()[2]
    assert operatord.port.ask("GET", "/health", token=name_scope_hash).status == 401


def test_scope(database, operatord):
    """O-2: a token to look with cannot act, on any path that acts."""
    for path in database.column("select path from orch.act where method = 'POST'"):
        answer = operatord.port.ask("POST", re.sub(r"\{\w+\}", "1", path), token=BOB)
        assert (answer.status, answer.json()["type"]) == (403, "/problems/forbidden"), path
    assert operatord.port.ask("GET", "/tasks", token=BOB).status == 200
    assert database.value("select count(*) from orch.audit") == 0


def test_rotation_without_a_pause(operatord):
    """O-2: the old and the new token are good together; SIGHUP takes a changed file."""
    operatord.write_tokens(token_line("alice", "operator", ALICE), token_line("alice", "operator", OTHER))
    operatord.reload("operator.tokens")
    assert [operatord.port.ask("GET", "/health", token=token).status for token in (ALICE, OTHER, BOB)] == [200, 200, 401]
    operatord.write_tokens(token_line("alice", "operator", OTHER))
    operatord.reload("operator.tokens")
    assert [operatord.port.ask("GET", "/health", token=token).status for token in (ALICE, OTHER)] == [401, 200]


@pytest.mark.parametrize("lines, mode, why", [
    (["alice admin " + "0" * 64], 0o600, "line 1: the second word must be the scope"),
    ([], 0o600, "has no token"),
    ([token_line("alice", "operator", ALICE)], 0o644, "mode 644): chmod 600"),
    ([token_line("alice", "operator", OTHER)] + [token_line("b", "read", f"orch_{n}-0123456789abcdef0123456789abc") for n in range(3)], 0o600,
     "line 4: the name has two good tokens already"),
])
def test_a_bad_file_changes_nothing(operatord, lines, mode, why):
    """O-2: the old tokens stay, and the log says what is wrong; a start refuses."""
    operatord.write_tokens(*lines, mode=mode)
    record = operatord.reload("operator.tokens-refused")
    assert why in record["error"]
    assert operatord.port.ask("GET", "/health").status == 200
    operatord.stop()
    operatord.start(wait=False)
    assert operatord.process.wait(60) == 78
    operatord.process = None


def test_who_tries_too_often_is_told_to_wait(operatord):
    """O-2: beyond a limit per peer; a good token is let in all the same, so that nobody can lock the others out."""
    wrong = [operatord.port.ask("GET", "/health", token=f"orch_guess-{n:040}").status for n in range(30)]
    assert wrong[:10] == [401] * 10 and set(wrong) == {401, 429} and wrong[-1] == 429
    limited = operatord.port.ask("GET", "/health", token=None)
    assert limited.json()["type"] == "/problems/limited" and int(limited.headers["retry-after"]) > 0
    assert operatord.port.ask("GET", "/health").status == 200
    assert len(operatord.log.records("operator.token-refused")) < 10


def test_no_token_is_ever_logged_or_answered(operatord):
    """O-2: at the level debug, with good and wrong tokens, in refusals of the parser as well."""
    wrong = "orch_wrong-0123456789abcdef0123456789abcdef"
    for token in (ALICE, BOB, wrong):
        for method, path, body in (("GET", "/tasks", None), ("POST", "/tasks/X/cancel", b"{}"), ("POST", "/tasks", b"{"), ("GET", "/nothing?x=%zz", None)):
            assert token not in str(operatord.port.ask(method, path, body, token=token).body)
        operatord.port.raw(f"GET /tasks HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    operatord.stop()
    log = "\n".join(operatord.log.lines())
    for token in (ALICE, BOB, wrong):
        assert token not in log and token_line("x", "read", token).split()[2] not in log
    assert "operator.act" in log and "alice" in log


def orchctl(folder, *args):
    return subprocess.run([program("orchctl"), *args], env=program_env(ORCH_CONFIG=str(folder)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)


def test_a_token_that_orchctl_makes(operatord):
    """O-2: from the command to the first request; the file has only the hash."""
    made = orchctl(operatord.config, "token", "new", "carol", "--scope", "operator", "--expires", "2999-01-31")
    assert made.returncode == 0, made.stderr
    token, line = re.fullmatch(r"token  (\S+)\nline   (.+)\n", made.stdout).groups()
    assert token not in line
    operatord.tokens.write_text(operatord.tokens.read_text() + line + "\n")
    operatord.reload("operator.tokens")
    assert operatord.port.ask("GET", "/settings", token=token).status == 200
    listed = orchctl(operatord.config, "token", "list")
    assert re.search(r"^carol +operator +2999-01-31T00:00:00Z +good$", listed.stdout, re.M), listed
    assert token not in listed.stdout


@pytest.mark.parametrize("args, why", [(["a b"], "a name has"), (["x", "--scope", "admin"], 'no scope "admin"'), (["x", "--expires", "tomorrow"], "is no time"),
                                       (["x", "--expires", "2026-02-30"], "is no time"), (["x", "--expires", "2020-01-01"], "expired already"), ([], "NAME")])
def test_orchctl_makes_no_token_that_would_not_be_taken(operatord, args, why):
    done = orchctl(operatord.config, "token", "new", *args)
    assert done.returncode == 2 and why in done.stderr and not done.stdout


def test_a_unix_socket_instead_of_a_port(database, make_operatord, folder):
    """O-2: the file is for its owner and group."""
    path = folder / "operator.sock"
    operatord = make_operatord(database.dsn(), listen_operator=path)
    operatord.listen_on(path)
    operatord.start().wait_database()
    assert stat.S_IMODE(os.lstat(path).st_mode) & 0o007 == 0
    assert operatord.port.ask("GET", "/settings").status == 200 and operatord.port.ask("GET", "/livez", token=None).status == 401
    operatord.log.wait("operator.token-refused", peer="unix")
