"""The calls of common/plane.c, against the simulated Plane and its faults (I-1, I-2, I-7, S-15)."""

import pytest


def test_an_item_in_our_words(plane, ask_plane):
    first = plane.create_item(plane.shop, "First")
    item = plane.create_item(plane.shop, "Ein <b>Ähm</b> \u202eRTL", "one & two\nthree", "To Analyse", ["auto-approve"], "urgent")
    plane.relate(plane.shop, item, "blocked_by", first)
    plane.say(plane.shop, item, "a < b & c", user="ann")
    answer = ask_plane("item", item=item["id"])
    assert answer.outcome == "ok", answer
    got = answer.json
    assert (got["id"], got["number"], got["name"], got["priority"]) == (item["id"], 2, "Ein <b>Ähm</b> \u202eRTL", "urgent")
    assert got["description"] == "one & two\nthree" and got["labels"] == ["auto-approve"]
    assert got["state"] == plane.shop.state_named("To Analyse")["id"]
    assert got["blocked_by"] == [{"project": plane.shop.id, "item": first["id"]}]
    assert [(comment["text"], comment["ours"]) for comment in got["comments"]] == [("a < b & c", False)]


def test_relations_of_older_servers(plane, ask_plane):
    first, item = plane.create_item(plane.shop, "First"), plane.create_item(plane.shop, "Second")
    plane.relate(plane.shop, item, "blocked_by", first)
    plane.relations_as_objects = False
    assert ask_plane("item", item=item["id"], parts=1).json["blocked_by"] == [{"item": first["id"]}]
    plane.faults.set([{"fault": "error-before", "match": "/relations/", "status": 404}])
    answer = ask_plane("item", item=item["id"], parts=1)
    assert answer.outcome == "ok" and answer.json["blocked_by"] == []


def test_servers_that_say_issues(plane, ask_plane):
    item = plane.create_item(plane.shop, "First")
    plane.segments = ("issues",)
    assert ask_plane("item", item=item["id"], parts=0).outcome == "not-found"
    assert ask_plane("item", item=item["id"], parts=0, segment="issues").json["name"] == "First"


def test_states_of_many_pages(plane, ask_plane):
    for number in range(200):
        plane.shop.states[str(number)] = {"id": str(number), "name": f"State {number}", "group": "started"}
    states = ask_plane("states").json["states"]
    assert len(states) == 219 and {"id": "7", "name": "State 7", "group": "started"} in states
    assert len([entry for entry in plane.journal.since(0) if entry["path"].endswith("/states/")]) == 3


def test_items_page_by_page_the_last_changed_first(plane, ask_plane):
    items = [plane.create_item(plane.shop, f"Item {number}") for number in range(130)]
    plane.move(plane.shop, items[3], "Approved")
    first = ask_plane("items").json
    second = ask_plane("items", cursor=first["next"]).json
    assert first["items"][0]["id"] == items[3]["id"] and len(first["items"]) == 100
    assert len(second["items"]) == 30 and second["next"] is None


def test_a_state_is_set_once_and_looked_at(plane, ask_plane):
    item = plane.create_item(plane.shop, "First")
    wanted = plane.shop.state_named("Analysis")["id"]
    assert ask_plane("set_state", item=item["id"], state=wanted).outcome == "ok"
    assert item["state"] == wanted
    assert ask_plane("set_state", item=item["id"], state="no-such-state").outcome == "refused"
    assert ask_plane("set_state", item="no-such-item", state=wanted).outcome == "not-found"


@pytest.mark.parametrize("fault, outcome", [("drop-after", "unknown"), ("error-after", "unknown"), ("cut", "unknown"), ("garbage", "unknown"),
                                            ("error-before", "unknown"), ("drop-before", "unknown")])
def test_a_comment_is_there_once_whatever_happened_to_the_answer(plane, ask_plane, fault, outcome):
    item = plane.create_item(plane.shop, "First")
    plane.faults.set([{"fault": fault, "times": 1, "match": "POST"}])
    call = {"item": item["id"], "marker": "7:approved", "text": "It is <done> & dusted\nsecond line"}
    assert ask_plane("comment", **call).outcome == outcome
    assert ask_plane("comment", **call).outcome == "ok"
    assert ask_plane("comment", **call).outcome == "ok"
    assert [comment["comment_html"] for comment in plane.shop.comments.values()] == ["<p>It is &lt;done&gt; &amp; dusted</p><p>second line</p>"]
    assert ask_plane("item", item=item["id"]).json["comments"][0]["ours"] is True


@pytest.mark.parametrize("fault, outcome", [("error-before", "unavailable"), ("drop-before", "unavailable"), ("cut", "unavailable"),
                                            ("garbage", "unavailable"), ("endless", "unknown"), ("redirect", "refused")])
def test_a_question_that_fails_changes_nothing(plane, ask_plane, fault, outcome):
    item = plane.create_item(plane.shop, "First")
    plane.faults.set([{"fault": fault, "location": f"{plane.url}/_sim/state"}])
    answer = ask_plane("item", item=item["id"], timeout_ms=3000)
    assert answer.outcome == outcome and answer.json is None and answer.why


def test_a_key_that_is_wrong_or_was_revoked(plane, ask_plane, token_file):
    item = plane.create_item(plane.shop, "First")
    plane.keys.clear()
    assert ask_plane("item", item=item["id"]).outcome == "denied"
    token_file.write_text("other\n")
    plane.add_key("other")
    assert ask_plane("item", item=item["id"]).outcome == "ok"


def test_an_account_that_may_only_read(plane, ask_plane):
    """I-7: its key is good; what it has no right to is told apart, for the rest goes on."""
    item = plane.create_item(plane.shop, "First")
    plane.keys["sim-token"]["guest"] = True
    assert ask_plane("item", item=item["id"]).outcome == "ok"
    answer = ask_plane("comment", item=item["id"], marker="m", text="x")
    assert answer.outcome == "forbidden" and "permission" in answer.why
    plane.keys["sim-token"]["guest"] = False
    assert ask_plane("comment", item=item["id"], marker="m", text="x").outcome == "ok"


def test_the_limit_says_how_long(plane, ask_plane):
    plane.rate = 1
    assert ask_plane("project").json == {"id": plane.shop.id, "identifier": "SHOP", "name": "Shop"}
    answer = ask_plane("project")
    assert answer.outcome == "limited" and 50 <= answer.retry_after_s <= 61


def test_ten_thousand_labels_and_wrong_types(plane, ask_plane):
    item = plane.create_item(plane.shop, "First", labels=[f"label {number}" for number in range(10000)])
    assert len(ask_plane("item", item=item["id"], parts=0).json["labels"]) == 1000
    item.update(labels=[], name=None, description_html=7, priority=[], sequence_id="x", state=None)
    answer = ask_plane("item", item=item["id"], parts=0)
    assert answer.outcome == "ok" and set(answer.json) == {"id", "labels", "updated_at"}


def test_an_item_that_is_too_much_is_not_the_servers_fault(plane, ask_plane):
    """I-7: one item whose answer is beyond our limits holds up nobody else: it counts as a try, and the endpoint stays as it is."""
    item = plane.create_item(plane.shop, "First", description="x" * (2 << 20))
    assert ask_plane("item", item=item["id"]).outcome == "unknown"


def test_what_is_too_long_is_cut(plane, ask_plane):
    """O-5: in whole characters; what we have said ourselves is not read at all."""
    item = plane.create_item(plane.shop, "First", description="x" + "ä" * 40000)
    plane.say(plane.shop, item, "ü" * 20000)
    ask_plane("comment", item=item["id"], marker="m", text="z" * 1000)
    answer = ask_plane("item", item=item["id"])
    assert answer.outcome == "ok", answer.why
    got = answer.json
    assert got["description"] == "x" + "ä" * 32767
    assert [(c["text"], c["ours"]) for c in got["comments"]] == [("ü" * 8192, False), ("", True)]


def test_who_we_are_and_which_projects_there_are(plane, ask_plane):
    other = plane.add_project("OTHER", "Another")
    assert ask_plane("me").json == {"id": plane.keys["sim-token"]["id"], "name": "orchestrator"}
    assert ask_plane("projects").json["projects"] == [{"id": plane.shop.id, "identifier": "SHOP", "name": "Shop"},
                                                      {"id": other.id, "identifier": "OTHER", "name": "Another"}]
    plane.keys.clear()
    assert (ask_plane("me").outcome, ask_plane("projects").outcome) == ("denied", "denied")
