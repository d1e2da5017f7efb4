"""git over HTTP with a token: fetch and push as a worker does them, against a real smart-HTTP server that misbehaves (I-1, I-7, C-4)."""

import base64
import pathlib
import subprocess
import threading

import pytest

from sim.gitea import Gitea
from support.pieces import BRANCH, Host
from support.wait import wait_for

TOKEN = "sim-token"
SECRETS = [TOKEN, base64.b64encode(f"orchestrator:{TOKEN}".encode()).decode()]


@pytest.fixture
def there(shop, gitea, token_file, tmp_path):
    class Repo:
        bare = gitea.clone_url(shop.repo)
    host = Host(tmp_path / "state", Repo)
    keys = {"token_file": token_file, "plain_hosts": f"127.0.0.1:{gitea.port}", "repo": "demo"}

    def do(verb, **given):
        return host.do(verb, **{**keys, **given})
    do.mirror = host.mirror
    return do


def work(shop, there, name="c.txt"):
    """A commit that is in the mirror and nowhere else."""
    subprocess.run(["git", "-C", str(shop.tree), "checkout", "-q", "-B", "local-work", "main"], check=True)
    sha = shop.commit(name, "work\n")
    subprocess.run(["git", "-C", str(shop.tree), "push", "-q", str(there.mirror), "+HEAD:refs/orch/runs/1-1"], check=True)
    return sha


def test_fetch_and_push(shop, gitea, there):
    """I-1, P-7: the mirror is made and brought up to date; a branch is made, moved with lease, and found when it is there already."""
    assert there("mirror").outcome == "ok"
    sha = work(shop, there)
    assert there("push", sha=sha).outcome == "pushed" and shop.repo.bare.branch(BRANCH) == sha
    assert there("push", sha=sha).outcome == "pushed"
    other = work(shop, there, "d.txt")
    assert there("push", sha=other).outcome == "moved"
    assert there("push", sha=other, head_sha=sha).outcome == "pushed" and shop.repo.bare.branch(BRANCH) == other
    assert there("push", sha=other, head_sha=sha, branch="main").outcome == "refused"
    assert len([e for e in gitea.journal.since(0) if e["kind"] == "push"]) == 2


def test_a_push_that_the_client_sends_twice_is_not_refused(shop, gitea, there):
    """I-7, P-7: the answer is lost, the client sends the same again by itself, and what the server refuses then is the second one. When
    nobody can look at that moment, it is not known; asked again, it is done."""
    there("mirror")
    sha = work(shop, there)
    assert there("push", sha=sha).outcome == "pushed"
    other = work(shop, there, "d.txt")
    gitea.faults.set([{"fault": "drop-after", "match": "POST .*receive-pack", "times": 1},
                      {"fault": "error-before", "match": "GET .*info/refs.service=git-upload-pack", "skip": 1, "times": 1}])
    assert there("push", sha=other, head_sha=sha).outcome == "unknown" and shop.repo.bare.branch(BRANCH) == other
    assert there("push", sha=other, head_sha=sha).outcome == "pushed"


def git_processes(port):
    """(words, environment) of those that ask this server; others are other tests'."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            cmdline, environ = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"git" in cmdline.partition(b"\0")[0] and f"127.0.0.1:{port}/".encode() in cmdline:
            found.append((cmdline.decode(errors="replace"), environ.decode(errors="replace")))
    return found


def test_the_token_is_in_gits_environment_and_nowhere_else(shop, gitea, there):
    """I-1: not in arguments, not in the mirror, and not in what is told of a failure."""
    held = threading.Event()
    gitea.faults.set([{"fault": "slow", "match": "info/refs", "until": held}])
    answers, seen = [], []
    thread = threading.Thread(target=lambda: answers.append(there("mirror")))
    thread.start()

    def has_been_seen():
        seen.extend(git_processes(gitea.port))
        return any(SECRETS[1] in environ for _, environ in seen)

    try:
        wait_for(has_been_seen, what="the token is in the environment of a git that asks the server")
    finally:
        held.set()
        thread.join()
    assert answers[0].outcome == "ok"
    assert not any(secret in cmdline for cmdline, _ in seen for secret in SECRETS)
    gitea.tokens.clear()
    gitea.faults.set([])
    denied = there("mirror")
    for secret in SECRETS:
        assert secret not in denied.error
        assert subprocess.run(["grep", "-rqaF", secret, str(there.mirror)], check=False).returncode == 1


def test_a_redirect_is_followed_nowhere(shop, gitea, there, tmp_path):
    """I-1: whoever answers in the server's place gets no token to another host, at no step of a fetch or a push."""
    thief = Gitea(tmp_path / "thief").start()
    try:
        assert there("mirror").outcome == "ok"
        sha = work(shop, there)
        gitea.faults.set([{"fault": "redirect", "match": r"\.git/", "location": f"{thief.url}/acme/shop.git/info/refs?service=git-upload-pack"}])
        answer = there("mirror")
        assert (answer.outcome, answer.said) == ("unavailable", "refused")
        assert there("push", sha=sha).outcome == "unavailable"
        gitea.faults.set([{"fault": "redirect", "match": "POST .*receive-pack", "location": f"{thief.url}/acme/shop.git/git-receive-pack"}])
        assert there("push", sha=sha).outcome == "unavailable"
        assert thief.journal.since(0) == [] and shop.repo.bare.branch(BRANCH) is None
    finally:
        thief.stop()


@pytest.mark.parametrize("rule, said", [({"fault": "error-before"}, "unavailable"), ({"fault": "limited"}, "limited"), ({"fault": "drop-before"}, "unavailable"),
                                        ({"fault": "error-before", "status": 404}, "not-found"), ({"fault": "error-before", "status": 403}, "forbidden"),
                                        ({"fault": "garbage"}, "not-found")])
def test_what_a_server_says_has_a_name(gitea, shop, there, rule, said):
    """I-7: each way in which it fails is told apart, and nothing is made of it."""
    gitea.faults.set([{**rule, "match": r"\.git/"}])
    answer = there("mirror")
    assert (answer.outcome, answer.said) == ("unavailable", said), answer.error
    assert not there.mirror.exists()


def test_a_token_that_is_not_taken_or_not_ours_to_read(gitea, shop, there, token_file):
    """I-1, I-7: denied, in both cases, and good again with the file, for the next command."""
    token_file.write_text("wrong\n")
    assert there("mirror").said == "denied"
    token_file.write_text(TOKEN + "\n")
    token_file.chmod(0o644)
    answer = there("mirror")
    assert answer.said == "denied" and "may read" in answer.error
    token_file.chmod(0o600)
    assert there("mirror").outcome == "ok"


def test_a_token_that_may_read_and_not_push(gitea, shop, there):
    """I-7: it is told apart from a rule of the repository, which another token would not change, and counts at once when it was mended."""
    assert there("mirror").outcome == "ok"
    sha = work(shop, there)
    gitea.tokens[TOKEN]["read_only"] = True
    answer = there("push", sha=sha)
    assert (answer.outcome, answer.said) == ("unavailable", "forbidden"), answer.error
    gitea.tokens[TOKEN]["read_only"] = False
    shop.repo.archived = True
    answer = there("push", sha=sha)
    assert (answer.outcome, answer.said) == ("unavailable", "refused") and "is archived" in answer.error
    shop.repo.archived = False
    assert there("push", sha=sha).outcome == "pushed"


def test_no_token_goes_over_a_line_that_is_open(gitea, shop, there):
    """I-1: http only to hosts that the configuration names."""
    answer = there("mirror", plain_hosts="example.org:80")
    assert answer.outcome == "unavailable" and "without TLS" in answer.error
    assert not [e for e in gitea.journal.since(0) if "/acme/shop.git" in e.get("path", "")]


@pytest.mark.parametrize("fault", ["drop-after", "cut", "error-after"])
def test_a_push_whose_answer_was_lost_is_found(gitea, shop, there, fault):
    """I-7: what the remote shows outranks what the push heard; it is there once."""
    there("mirror")
    sha = work(shop, there)
    gitea.faults.set([{"fault": fault, "match": "POST .*receive-pack", "times": 1}])
    assert there("push", sha=sha).outcome == "pushed"
    assert len([e for e in gitea.journal.since(0) if e["kind"] == "push"]) == 1


def test_a_fetch_that_breaks_off_spoils_no_mirror(gitea, shop, there):
    """I-7: a server that fails in the middle is no reason to fetch everything anew."""
    there("mirror")
    before = there.mirror.stat().st_ino
    shop.move_main()
    gitea.faults.set([{"fault": "cut", "match": "POST .*upload-pack"}])
    answer = there("mirror")
    assert (answer.outcome, answer.said) == ("unavailable", "unavailable"), answer.error
    gitea.faults.set([])
    assert there("mirror").made_anew == "0" and there.mirror.stat().st_ino == before


def test_an_answer_that_is_none_prunes_nothing(gitea, shop, there):
    """I-7: git takes nearly anything that comes with 200 for the list of an empty repository; the mirror keeps its branches."""
    shop.branch("feature/ORCH-2-x")
    there("mirror")
    gitea.faults.set([{"fault": "garbage", "match": "info/refs"}])
    assert there("mirror").outcome == "unavailable"
    branches = subprocess.run(["git", "-C", str(there.mirror), "for-each-ref", "--format=%(refname:short)", "refs/heads"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert branches == ["feature/ORCH-2-x", "main"]


def test_a_push_that_a_rule_of_the_server_refuses(gitea, shop, there):
    """C-4: a branch that the server protects; the guard has let it pass, and the server has the last word."""
    there("mirror")
    sha = work(shop, there)
    assert there("push", sha=sha).outcome == "pushed"
    shop.repo.protected.add(BRANCH)
    assert there("push", sha=work(shop, there, "e.txt"), head_sha=sha).outcome == "refused"
