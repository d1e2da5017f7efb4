"""The calls of common/gitea.c, against the simulated Gitea and its faults (I-1, I-7, C-4, M-4)."""

import pytest


def test_who_we_are_and_what_we_may(gitea, shop, ask_gitea):
    assert ask_gitea("user").json == {"login": "orchestrator", "admin": False}
    repo = ask_gitea("repo").json
    assert (repo["full_name"], repo["default_branch"], repo["push"]) == ("acme/shop", "main", True)
    assert ask_gitea("repo", repo="acme/other").outcome == "not-found"
    gitea.tokens.clear()
    assert ask_gitea("repo").outcome == "denied"


def test_branches_with_slashes(shop, ask_gitea):
    sha = shop.branch("feature/SHOP-1-ä b%c".replace(" ", "-"))
    answer = ask_gitea("branch", branch="feature/SHOP-1-ä-b%c")
    assert answer.json == {"branch": "feature/SHOP-1-ä-b%c", "sha": sha, "protected": False}
    assert ask_gitea("branch", branch="main").json["protected"] is True
    assert ask_gitea("branch", branch="nope").outcome == "not-found"
    assert {branch["branch"] for branch in ask_gitea("branches").json["branches"]} == {"main", "feature/SHOP-1-ä-b%c"}


def test_a_branch_is_deleted_once_and_never_a_protected_one(shop, ask_gitea):
    shop.branch("work")
    assert ask_gitea("delete_branch", branch="work").outcome == "ok"
    assert ask_gitea("delete_branch", branch="work").outcome == "ok"
    assert ask_gitea("delete_branch", branch="main").outcome == "refused"
    assert shop.repo.bare.branch("main")


def test_a_token_without_the_right_is_told_apart_from_a_rule(gitea, shop, ask_gitea):
    """I-7, C-4: a right that the token was not given may be given; a protected branch or an archived repository is no matter of the token."""
    sha = shop.branch("work")
    assert ask_gitea("open_pull", branch="work", title="T").outcome == "ok"
    gitea.tokens["sim-token"]["read_only"] = True
    for answer in (ask_gitea("open_pull", branch="work", title="T"), ask_gitea("delete_branch", branch="work"), ask_gitea("merge", number=1, sha=sha, title="x")):
        assert answer.outcome == "forbidden" and "required scope" in answer.why
    gitea.tokens["sim-token"]["read_only"] = False
    assert ask_gitea("delete_branch", branch="main").outcome == "refused"
    shop.repo.archived = True
    assert ask_gitea("delete_branch", branch="work").outcome == "refused"


def test_statuses_of_all_pages_and_none(gitea, shop, ask_gitea):
    sha = shop.repo.bare.branch("main")
    assert ask_gitea("statuses", sha=sha).json == {"sha": sha, "statuses": []}
    for number in range(60):
        gitea.set_status(shop.repo, sha, f"check {number}", "success")
    gitea.set_status(shop.repo, sha, "check 59", "failure", "it broke")
    statuses = ask_gitea("statuses", sha=sha).json["statuses"]
    assert len(statuses) == 60 and {"context": "check 59", "state": "failure", "description": "it broke", "url": ""} in statuses


def test_a_pull_request_is_opened_once(gitea, shop, ask_gitea):
    sha = shop.branch("work")
    assert ask_gitea("find_pull", branch="work").outcome == "not-found"
    first = ask_gitea("open_pull", branch="work", title="SHOP-1: <b>x</b>", text="why")
    again = ask_gitea("open_pull", branch="work", title="SHOP-1: <b>x</b>", text="why")
    assert (first.json["number"], again.json["number"]) == (1, 1) and first.json["head"] == sha
    gitea.faults.set([{"fault": "drop-after", "match": "POST .*/pulls$", "times": 1}])
    shop.branch("other", "c.txt")
    assert ask_gitea("open_pull", branch="other", title="T").outcome == "unknown"
    assert ask_gitea("open_pull", branch="other", title="T").json["number"] == 2
    assert len(shop.repo.pulls) == 2
    assert ask_gitea("open_pull", branch="gone", title="T").outcome == "not-found"


def test_a_merge_of_the_expected_head(gitea, shop, ask_gitea):
    sha = shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    assert ask_gitea("merge", number=1, sha="0" * 40, title="x").outcome == "conflict"
    answer = ask_gitea("merge", number=1, sha=sha, title="Merge SHOP-1")
    assert answer.json["merged"] and answer.json["merge_sha"] == shop.repo.bare.branch("main")
    assert shop.repo.bare.commits("main", 1)[0]["message"] == "Merge SHOP-1"
    again = ask_gitea("merge", number=1, sha=sha, title="Merge SHOP-1")
    assert again.outcome == "ok" and again.json["merge_sha"] == answer.json["merge_sha"]
    assert shop.repo.bare.branch("work") == sha  # nobody has asked for its deletion
    assert ask_gitea("find_pull", branch="work").json["merged"]


@pytest.mark.parametrize("fault", ["drop-after", "error-after", "cut", "garbage"])
def test_a_merge_whose_answer_was_lost_is_found(gitea, shop, ask_gitea, fault):
    sha = shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    gitea.faults.set([{"fault": fault, "match": "POST .*/merge", "times": 1}])
    assert ask_gitea("merge", number=1, sha=sha).json["merged"]
    assert len([entry for entry in gitea.journal.since(0) if entry["kind"] == "merge"]) == 1


@pytest.mark.parametrize("fault", ["drop-before", "error-before"])
def test_a_merge_that_was_never_tried_is_tried_again(gitea, shop, ask_gitea, fault):
    sha = shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    gitea.faults.set([{"fault": fault, "match": "POST .*/merge", "times": 1}])
    assert ask_gitea("merge", number=1, sha=sha).outcome == "unavailable"
    assert ask_gitea("merge", number=1, sha=sha).json["merged"]


def test_not_now_is_not_never(gitea, shop, ask_gitea):
    """A conflict and a pull request that is still checked say the same; neither is an answer of ours to give."""
    gitea.checking_s = 60.0
    sha = shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    assert ask_gitea("merge", number=1, sha=sha).outcome == "unavailable"
    gitea.checking_s = 0.0
    shop.repo.pulls[1]["checked_at"] = 0.0
    shop.move_main("b.txt", "other\n")
    assert ask_gitea("merge", number=1, sha=sha).outcome == "unavailable"


def test_a_closed_or_missing_pull_request_is_not_merged(shop, ask_gitea):
    sha = shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    shop.repo.pulls[1]["state"] = "closed"
    assert ask_gitea("merge", number=1, sha=sha).outcome == "not-found"
    assert ask_gitea("merge", number=7, sha=sha).outcome == "not-found"


def test_a_comment_once_per_marker(gitea, shop, ask_gitea):
    shop.branch("work")
    ask_gitea("open_pull", branch="work", title="T")
    gitea.faults.set([{"fault": "drop-after", "match": "POST .*comments", "times": 1}])
    assert ask_gitea("comment", number=1, marker="7:x", text="hello").outcome == "unknown"
    assert ask_gitea("comment", number=1, marker="7:x", text="hello").outcome == "ok"
    assert ask_gitea("comment", number=1, marker="7:y", text="hello").outcome == "ok"
    assert len(shop.repo.comments) == 2


def test_hooks_are_made_active_and_for_json(shop, ask_gitea):
    made = ask_gitea("make_hook", hook="http://127.0.0.1:8480/webhook/gitea", secret="s3cret")
    assert made.outcome == "ok" and made.json["active"] and made.json["content_type"] == "json" and "status" in made.json["events"]
    hooks = ask_gitea("hooks").json["hooks"]
    assert [hook["url"] for hook in hooks] == ["http://127.0.0.1:8480/webhook/gitea"]
    assert ask_gitea("delete_hook", number=hooks[0]["id"]).outcome == "ok"
    assert ask_gitea("hooks").json["hooks"] == []
