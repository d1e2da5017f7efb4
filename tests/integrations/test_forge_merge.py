"""The calls of common/forge_gitea.c, as jobs and effects make them, against the simulated Gitea and its faults (M-4, C-4, I-7)."""

import pytest

from sim.service import Reply
from support.pieces import Host

BRANCH = "feature/ORCH-1-a-title"


@pytest.fixture
def there(shop, gitea, token_file, tmp_path):
    class Repo:
        bare = gitea.clone_url(shop.repo)
    host = Host(tmp_path / "state", Repo)
    keys = {"server": gitea.url, "token_file": token_file, "forge_name": "acme/shop", "plain_hosts": f"127.0.0.1:{gitea.port}", "repo": "demo"}
    return lambda verb, **given: host.do(verb, **{**keys, **given})


@pytest.fixture
def work(shop):
    """A branch of ours with one commit."""
    return shop.branch(BRANCH)


def main(shop):
    return shop.repo.bare.branch("main")


def merges(gitea):
    return [entry for entry in gitea.journal.since(0) if entry["kind"] == "merge"]


def merge(there, shop, sha, base=None, **given):
    return there("merge", sha=sha, base_sha=base or main(shop), message="Merge ORCH-1: A title", **given)


def test_a_pull_request_is_made_once_and_merged(gitea, shop, there, work):
    """M-4: by its number, with the head that was tested; asked again it is merged already."""
    assert there("pull").outcome == there("pull").outcome == "ok"
    base = main(shop)
    answer = merge(there, shop, work)
    assert (answer.outcome, answer.merged_sha) == ("merged", main(shop)) and shop.repo.bare.merge_base(main(shop), work) == work
    again = merge(there, shop, work, base)
    assert (again.outcome, again.merged_sha) == ("already-merged", answer.merged_sha)
    assert len(shop.repo.pulls) == 1 and len(merges(gitea)) == 1
    assert shop.repo.bare.commits("main", 1)[0]["message"] == "Merge ORCH-1: A title"


def test_what_landed_is_read_from_the_repository(shop, there, work):
    """M-4: the server does not say on what it merged; the mirror does, also when nothing at all is known of the merge."""
    base = main(shop)
    answer = merge(there, shop, work)
    assert answer.outcome == "merged" and answer.base_sha == answer.tree == ""
    there("mirror")
    for known in ({"merged_sha": answer.merged_sha}, {}):
        verified = there("verify", head_sha=work, tested_base=base, **known)
        assert (verified.outcome, verified.merged_sha, verified.landed_base) == ("verified", answer.merged_sha, base)


def test_another_base_than_the_tested_one_is_a_mismatch(gitea, shop, there, work):
    """M-4: what came in beside it was never tested with it."""
    tested = main(shop)
    shop.move_main("other.txt", "x\n")
    answer = there("merge", sha=work, message="Merge")
    there("mirror")
    verified = there("verify", head_sha=work, merged_sha=answer.merged_sha, tested_base=tested)
    assert verified.outcome == "mismatch" and tested in verified.error


def test_a_base_or_a_head_that_moved_is_not_merged(gitea, shop, there, work):
    """M-4: nothing is sent that could land on an untested base, or land another head."""
    base = main(shop)
    there("pull")
    assert merge(there, shop, "1" * 40).outcome == "moved"
    shop.move_main()
    answer = merge(there, shop, work, base)
    assert (answer.outcome, answer.base_sha) == ("base-moved", main(shop))
    assert not merges(gitea) and not [e for e in gitea.journal.since(0) if e.get("path", "").endswith("/merge")]


@pytest.mark.parametrize("fault", ["drop-after", "error-after", "cut", "garbage"])
def test_a_merge_whose_answer_was_lost_is_found(gitea, shop, there, work, fault):
    """M-4, I-7: merged once, and known for it."""
    gitea.faults.set([{"fault": fault, "match": "POST .*/merge", "times": 1}])
    base = main(shop)
    answer = merge(there, shop, work)
    if answer.outcome == "unknown":
        answer = merge(there, shop, work, base)
    assert answer.outcome in ("merged", "already-merged") and answer.merged_sha == main(shop) and len(merges(gitea)) == 1


def test_an_answer_that_was_lost_with_all_that_follow_is_unknown(gitea, shop, there, work):
    """I-7: not called a failure; the next try finds it."""
    base = main(shop)
    gitea.faults.set([{"fault": "drop-after", "match": "POST .*/merge", "times": 1}, {"fault": "error-before", "match": r"GET .*/pulls/\d+$"}])
    assert merge(there, shop, work).outcome == "unknown"
    gitea.faults.set([])
    assert merge(there, shop, work, base).outcome == "already-merged" and len(merges(gitea)) == 1


def test_a_pull_request_that_is_being_checked_is_waited_for(gitea, shop, there, work):
    """M-4: mergeable is false for a while after each push: asked again, within bounds; 405 says the same."""
    gitea.checking_s = 1.0
    there("pull")
    assert merge(there, shop, work).outcome == "merged"


def test_405_try_again_later_is_no_refusal(gitea, shop, there, work):
    """M-4: the server may say so at the merge itself, of a pull request that was mergeable a moment ago."""
    there("pull")
    merge_now = gitea.merge_now

    def not_yet(*args):
        gitea.merge_now = merge_now
        return Reply(405, {"message": "Please try again later"})
    gitea.merge_now = not_yet
    answer = merge(there, shop, work)
    assert (answer.outcome, answer.port) == ("unavailable", "conflict") and not merges(gitea), "the server is not away"
    assert merge(there, shop, work).outcome == "merged"


@pytest.mark.parametrize("change", [{"base": "release"}, {"state": "closed"}])
def test_one_that_was_retargeted_or_closed_is_left_alone(gitea, shop, there, work, change):
    """M-4: what is merged goes into the default branch, by a pull request that says so."""
    there("pull")
    shop.push_behind("main:refs/heads/release")
    shop.repo.pulls[1].update(change)
    answer = merge(there, shop, work)
    assert answer.outcome == "merged" and merges(gitea)[0]["number"] == 2
    assert not shop.repo.pulls[1]["merged"] and shop.repo.bare.branch("release") != main(shop)


def test_an_earlier_round_of_the_branch(gitea, shop, there, work):
    """M-4: what was merged before the head moved on does not pass for it."""
    merge(there, shop, work)
    again = shop.branch(BRANCH, "c.txt", "three\n", start=work)
    assert merge(there, shop, again).outcome == "merged" and [m["head"] for m in merges(gitea)] == [work, again]


def test_a_conflict_is_one(gitea, shop, there, work):
    """M-2: never merged; the caller's own look says which files."""
    there("pull")
    shop.move_main("b.txt", "otherwise\n")
    answer = merge(there, shop, work)
    assert answer.outcome in ("conflict", "unavailable") and not merges(gitea)


def test_who_may_not_merges_nothing(gitea, shop, there, work, token_file):
    """I-7: a token that is not taken or has no right to it, a repository that is not there, a server that is away: by their names."""
    token_file.write_text("wrong\n")
    assert merge(there, shop, work).port == "denied"
    token_file.write_text("sim-token\n")
    there("pull")
    gitea.tokens["sim-token"]["read_only"] = True
    answer = merge(there, shop, work)
    assert (answer.outcome, answer.port) == ("unavailable", "forbidden")
    gitea.tokens["sim-token"]["read_only"] = False
    assert merge(there, shop, work, forge_name="acme/other").outcome == "not-found"
    gitea.faults.set([{"fault": "error-before"}])
    answer = merge(there, shop, work)
    assert (answer.outcome, answer.port) == ("unavailable", "unavailable") and not merges(gitea)


def test_the_guard_is_asked_first(gitea, shop, there, work):
    """C-4: the default branch, and what is not ours, is neither deleted nor proposed; nothing is sent."""
    shop.branch("release")
    before = len(gitea.journal.since(0))
    for branch in ("main", "MAIN", "release"):
        assert there("delete", branch=branch).outcome == there("pull", branch=branch).outcome == "guarded"
    assert len(gitea.journal.since(0)) == before
    assert there("delete", branch=BRANCH).outcome == there("delete", branch=BRANCH).outcome == "ok"
    assert shop.repo.bare.branch(BRANCH) is None and there("head", branch="main").sha == main(shop)
