"""Deliveries, from the inbox to their end."""

from support.pipeline import Pipeline
from support.wait import stays

MALFORMED = {
    "not json": b"hello",
    "empty": b"",
    "cut": b'{"ref": "refs/heads/x"',
    "brackets": b"[" * 400_000,
    "braces": b'{"a":' * 200_000,
    "nul byte": b'{"ref": "a\x00b"}',
    "nul escape": b'{"ref": "a\\u0000b"}',
    "lone surrogate": b'{"ref": "\\ud800"}',
    "bad utf-8": b'{"ref": "\xff\xfe"}',
    "overlong utf-8": b'{"ref": "\xc0\xaf"}',
    "duplicate keys": b'{"ref": "a", "ref": "b"}',
    "number too large": b'{"n": 1e999}',
    "trailing bytes": b'{} {}',
    "an array": b"[1, 2]",
    "a word": b'"push"',
    "lacks what its kind promises": b'{"ref": "refs/heads/x"}',
}


def events(database):
    return database.query("select * from orch.event order by id")


def wait_ended(suite, n):
    def all_ended():
        rows = events(suite.database)
        return len(rows) == n and all(row["ended_at"] for row in rows) and rows
    return suite.wait_for(all_ended, 30, f"{n} events have ended")


def test_malformed_is_put_aside_once(suite):
    """I-3: what cannot be read is stored, acknowledged, and quarantined with the reason, once; nothing falls over."""
    for body in MALFORMED.values():
        assert suite.post_gitea(body, event="push").status == 202
    rows = wait_ended(suite, len(MALFORMED))
    for what, row in zip(MALFORMED, rows):
        assert row["status"] == "malformed" and row["outcome"], what
        assert bytes(row["body"]) == MALFORMED[what]
    suite.wait_for(lambda: len(suite.log.records("event.malformed")) >= len(MALFORMED), what="each is said")
    assert suite.post_gitea({"repository": {"full_name": "a/b"}}, event="wiki").status == 202
    wait_ended(suite, len(MALFORMED) + 1)
    assert len(suite.log.records("event.malformed")) == len(MALFORMED)


def test_unknown_kinds_and_projects_are_ignored(suite):
    """I-3: senders add kinds at will; only what lacks what its own kind promises is malformed."""
    repo = {"repository": {"full_name": "nobody/knows"}}
    suite.post_gitea({**repo}, event="wiki")
    suite.post_gitea({**repo, "ref": "refs/heads/x", "after": "1" * 40}, event="push")
    suite.post_plane({"event": "cycle", "action": "created", "data": {"id": "c"}}, event="cycle")
    suite.post_plane({"event": "issue", "action": "updated", "data": {"id": "i", "project": "p", "state": None}})
    rows = wait_ended(suite, 4)
    assert [row["status"] for row in rows] == ["ignored"] * 4
    assert [row["kind"] for row in rows] == ["ignored", "forge.push", "ignored", "tracker.item"]
    assert [row["key"] for row in rows] == ["gitea:nobody/knows", "gitea:nobody/knows:x", "plane:", "plane:p:i"]


def test_events_of_one_key_keep_their_order(make_suite, project):
    """I-3: in order per key, though several workers consume; a person's moves are taken in the order they were made."""
    suite = make_suite(workerd_count=3).start()
    line = Pipeline(suite, project)
    for n in range(30):
        suite.post_gitea({"repository": {"full_name": "a/b"}, "ref": f"refs/heads/b{n % 3}", "after": f"{n:040x}"}, event="push")
    rows = wait_ended(suite, 30)
    for key in {row["key"] for row in rows}:
        of_key = [row for row in rows if row["key"] == key]
        assert [row["id"] for row in sorted(of_key, key=lambda row: row["ended_at"])] == [row["id"] for row in of_key]
    item = line.item()
    line.move(item, "stop")
    line.wait_stage(item, "cancelled")


def test_events_wait_for_the_database_and_lose_nothing(suite, cluster):
    """I-7: an event that was acknowledged is handled, also when PostgreSQL goes away in between."""
    for n in range(5):
        assert suite.post_gitea({"repository": {"full_name": "a/b"}, "ref": f"refs/heads/b{n}"}, event="push").status == 202
    cluster.restart("immediate")
    wait_ended(suite, 5)
    suite.wait_for(suite.is_ready, 30, "ready again")


def test_a_move_by_hand_starts_nothing(suite, project):
    """P-10: a working state set by hand enqueues nothing, and a hint says what would."""
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_shown(item, "in_review")
    jobs = len(line.jobs(item))
    line.move(item, "development")
    line.wait(lambda: any("starts nothing" in text for text in line.comments(item)), 30, "the hint")
    stays(lambda: len(line.jobs(item)) == jobs and line.stage(item) == "analysis", 0.5)


def test_an_event_that_the_database_refuses_holds_nobody_up(suite):
    """I-3: routing made something of it that cannot be stored: it is put aside, and those behind it are handled."""
    suite.database.query("alter table orch.event add constraint refused check (key <> 'gitea:bad/repo:x') not valid")
    for repo in ("bad/repo", "a/b"):
        suite.post_gitea({"repository": {"full_name": repo}, "ref": "refs/heads/x", "after": "1" * 40}, event="push")
    bad, good = wait_ended(suite, 2)
    assert (bad["status"], good["status"]) == ("malformed", "ignored") and "refused" in bad["outcome"]
    assert suite.log.wait("event.route-failed")["id"] == str(bad["id"])
    suite.database.query("alter table orch.event drop constraint refused")
    suite.database.query("select orch.dead_letter_retry(%s)", f"event-{bad['id']}", user="orch_operator")
    suite.wait_for(lambda: events(suite.database)[0]["status"] == "ignored", 30, "it is routed after all")
