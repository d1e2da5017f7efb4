"""The live card of a task: what it says, when it is sent, and that there is one (I-5, I-6)."""

import html
import re

import pytest

from sim.telegram import TAGS, Markup

CHAT = -1001234567890


@pytest.fixture
def chat(world):
    """The demo project shows its cards in a chat, and nothing limits how many."""
    world.operate("endpoint_set", "chat", "telegram", "https://api.telegram.org", "/etc/orchestrator/chat.token", None, CHAT, None, 100000, None, None)
    world.operate("project_connect", "demo", "notifier", "chat", None)
    return world


def claim(world, limit=10, process=None):
    process, epoch = process or (world.process, world.epoch)
    return world.call("card_claim", process, epoch, limit)


def finish(world, card, said="ok", message=None, retry_after=None):
    return world.call("card_finish", card["task_id"], card["token"], said, message if message is not None else card["message"], f"{said}: why", retry_after)[0]["card_finish"]


def later(world, seconds=600):
    """So much time passes for cards and their endpoint."""
    world.db.query("update orch.card set edited_at = edited_at - make_interval(secs => %s), look_at = look_at - make_interval(secs => %s),"
                   " claimed_at = claimed_at - make_interval(secs => %s) returning 1", seconds, seconds, seconds)
    world.db.query("update orch.endpoint set not_before = not_before - make_interval(secs => %s), refilled_at = refilled_at - make_interval(secs => %s) returning 1",
                   seconds, seconds)


def tell(world):
    """Sends the alerts."""
    for f in world.call("effect_claim", world.process, world.epoch, 100):
        world.call("effect_finish", f["effect_id"], f["epoch"], f["token"], "done", "ok", None, "ok")


def show(world, message=101):
    """Claims the one card that is due, and shows it."""
    [card] = claim(world)
    assert finish(world, card, message=card["message"] or message) == "recorded"
    later(world, 6)
    return card


def state(world, item):
    return world.db.value("select state from orch.card_status where work_item = %s order by state limit 1", item)


def plain(card):
    return "".join(Markup(card["html"]).parts)


def test_first_sent_then_edited_and_the_final_state_at_once(chat):
    """I-5: one card, edited as the task moves; two edits are card_interval_s apart, and the final state does not wait."""
    a = chat.item("Parse sizes")
    first = show(chat)
    assert first["message"] == 0 and first["endpoint"]["chat"] == CHAT and first["work_item"] == a
    assert "Parse sizes" in plain(first) and "the analyst's job is ready" in plain(first)
    assert claim(chat) == [] and state(chat, a) == "shown"
    job = chat.claim()
    [card] = claim(chat)
    assert card["message"] == 101 and "the analyst is at work (attempt 1 of " in plain(card)
    finish(chat, card)
    chat.succeed(job)
    assert claim(chat) == [], "another edit within card_interval_s"
    later(chat, 6)
    [card] = claim(chat)
    assert "In Review since " in plain(card) and "orchctl approve" in plain(card)
    finish(chat, card)
    chat.operate("cancel", a, None)
    [card] = claim(chat)
    assert card["message"] == 101 and "Cancelled at" in plain(card), "the final state waits for nothing"
    finish(chat, card)
    later(chat)
    assert claim(chat) == [] and state(chat, a) == "final"
    assert chat.db.value("select look_at from orch.card") is None, "what is over is not looked at"


def test_what_has_not_changed_is_not_sent(chat):
    """I-5: it is looked at when something happens to the task, and from time to time; only another text is sent."""
    chat.item()
    show(chat)
    later(chat)
    assert claim(chat) == []
    chat.db.query("select orch.record('operator', 'somebody', id) from orch.task")
    assert claim(chat) == []
    chat.operate("freeze", "demo", "hold on")
    assert claim(chat) == [], "nothing has happened to the task itself"
    later(chat)
    [card] = claim(chat)
    assert "hold on" in plain(card)


def test_nobody_asks_without_a_chat(world):
    """I-1: the log shows no cards; nothing is kept for them."""
    world.item()
    world.work()
    assert claim(world) == [] and world.db.value("select count(*) from orch.card_touch") == 0
    assert not world.call("process_beat", world.process, world.epoch, False)[0]["cards_wanted"]


def test_a_beat_says_when_there_are_some(chat):
    def wanted():
        return chat.call("process_beat", chat.process, chat.epoch, False)[0]["cards_wanted"]
    chat.item()
    assert wanted()
    show(chat)
    assert not wanted()
    later(chat)
    assert wanted(), "to be looked at"
    claim(chat)
    assert not wanted()


HOSTILE = ["<b>bold</b> & <script>alert(1)</script>", "a </b></i> b", "&lt;already&gt; &amp;", '"><a href="https://evil.example">x</a>', "\u202eevil\u202c ltr \u2066x",
           "כותרת מימין לשמאל (1)", "line\nbreak\ttab\x01\x7f", "😀" * 150, "&" * 200, "<" * 200, "e\u0301" * 90, "x" * 200, "\ufeff zero\u200bwidth", "%s %d \\u0041 {}"]


def test_no_title_is_markup(chat):
    """I-5: escaping is right for every string that a person can type; what it turns around ends with it."""
    titles = {chat.item(title): title for title in HOSTILE}
    cards = claim(chat, 50)
    assert len(cards) == len(HOSTILE)
    for card in cards:
        item, title = card["work_item"], titles[card["work_item"]]
        assert set(re.findall(r"</?([a-zA-Z][^\s>/]*)", card["html"])) <= TAGS
        text = plain(card)
        first = text.split("\n")[0].removeprefix(item).strip().strip("\u2068\u2069").removesuffix("…")
        words = re.sub("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]", "", re.sub("[\x00-\x20\x7f-\xa0\u2028\u2029]+", " ", title)).strip()
        assert words.startswith(first) and len(first) >= min(len(words), 120)
        assert not re.search("[\u202a-\u202e\u2066\u2067]", text) and text.count("\u2068") == text.count("\u2069"), "nothing turns what comes after"


def units(text):
    return len(text.encode("utf-16-le")) // 2


def test_it_fits_into_a_message(chat):
    """I-5: 4096 UTF-16 units after entities, whatever was typed wherever it is shown."""
    a = chat.item("&😀" * 100)
    show(chat)
    job = chat.claim()
    chat.db.query("update orch.task set title = repeat('&😀<', 2000), branch = 'feature/' || repeat('b', 200), paused_by = repeat('😀', 500), paused_at = now(),"
                  " escalated_at = now(), escalation = repeat('😀&\"', 3000), developer_rounds = 99 where work_item = %s returning 1", a)
    chat.db.query("insert into orch.human_wait (task_id, stage_version, gate, shown) select t.id, 100 + s.position, g.key, s.key from orch.task t, orch.gate g, orch.tracker_state s returning 1")
    chat.finish(job, "transient", reason="x" * 500)
    [card] = claim(chat)
    assert units(plain(card)) <= 4096 and "…" in plain(card)
    assert len(card["html"].encode()) < 60000


def test_cut_between_characters_and_escaped_afterwards(world):
    for text, n, wanted in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("😀😀", 4, "\u2068😀😀\u2069"), ("😀😀😀", 4, "\u2068😀…\u2069"), ("a&b", 2, "a…"),
                            ("<>&\"", 4, "&lt;&gt;&amp;&quot;"), (" \n ", 5, ""), (None, 5, ""), ("&&&&", 3, "&amp;&amp;…"), ("x" * 1000, 10, "x" * 9 + "…")]:
        assert world.db.value("select orch.html(%s, %s)", text, n) == wanted
    said = world.db.value("select orch.html(%s, 500)", "'\"<>&\u00a0")
    assert html.unescape(said) == "'\"<>&" and set(re.findall("&([a-z]+);", said)) <= {"lt", "gt", "amp", "quot"}


def test_time_cost_and_links(chat):
    """I-5, I-6, J-7: time and dollars of agents, the time people took, and where to read more."""
    chat.operate("endpoint_set", "git", "gitea", "https://git.example.org", "/etc/orchestrator/git.token", None, None, None, None, None, None)
    chat.operate("project_connect", "demo", "forge", "git", "acme/shop")
    a = chat.item()
    show(chat)
    job = chat.claim()
    chat.db.query("update orch.run set started_at = started_at - interval '41 min' returning 1")
    chat.finish(job, head_sha="1" * 40, code_tree="2" * 40, evidence=[{"gate": "artefacts_analyst", "value": "present"}],
                usage={"cost_micro_usd": 2140000, "models": {}})
    chat.db.query("update orch.human_wait set since = since - interval '65 min' returning 1")
    chat.db.query("update orch.effect set status = 'done', ended_at = now() - interval '65 min' where kind = 'state' returning 1")
    chat.operate("reject", a, "again")
    text = plain(show(chat))
    assert "41 min in one run, $2.14" in text and "In Review 1 h 5 min" in text
    branch = chat.task(a)["branch"]
    assert f'<a href="https://git.example.org/acme/shop/src/branch/{branch}">branch</a>' in chat.db.value("select orch.card_html(t) from orch.task t")


def test_the_item_has_a_link_to_plane(chat):
    chat.operate("endpoint_set", "board", "plane", "https://plane.example.org", "/etc/orchestrator/plane.token", "acme", None, None, None, None, None)
    a = chat.item()
    place = "11111111-2222-3333-4444-555555555555"
    chat.db.query("update orch.project set tracker = 'plane', tracker_endpoint = (select id from orch.endpoint where name = 'board'), tracker_project = %s returning 1", place)
    chat.operate("cancel", a, None)
    [card] = claim(chat)
    assert f'<a href="https://plane.example.org/acme/projects/{place}/issues/1">item</a>' in card["html"], card["html"]


# --- one card ------------------------------------------------------------------------------------------------------


def test_a_first_message_whose_answer_was_lost_is_not_sent_again(chat):
    """I-5: it may be there; so none is sent while the task runs, and the final state is a new message that says so."""
    a = chat.item()
    [card] = claim(chat)
    assert finish(chat, card, "unknown") == "recorded"
    assert state(chat, a) == "lost"
    for _ in range(3):
        chat.succeed(chat.claim()) if not chat.db.value("select orch.waits_for_person(t) from orch.task t") else chat.operate("approve", a, None)
        later(chat)
        assert claim(chat) == []
    chat.operate("cancel", a, None)
    [card] = claim(chat)
    assert card["message"] == 0 and "Cancelled" in plain(card) and "An older card of this item may stand above" in plain(card)
    assert finish(chat, card, message=102) == "recorded" and state(chat, a) == "final"
    later(chat)
    assert claim(chat) == []


def test_a_final_message_whose_answer_was_lost_is_tried_again_a_few_times(chat):
    """I-5, I-7: as an alert: a rare second message is better than people who never hear."""
    a = chat.item()
    chat.set("effect_max_attempts", "3")
    chat.operate("cancel", a, None)
    tries = 0
    while cards := claim(chat):
        assert finish(chat, cards[0], "unknown") == "recorded"
        tries += 1
        later(chat)
    assert tries == 3


def test_a_worker_that_dies_between_sending_and_recording(chat):
    """I-5: nobody knows whether the first message is there: none is sent while the task runs. An edit is done again."""
    a = chat.item()
    b = chat.item()
    other = chat.add_process(pid=2)
    cards = claim(chat, process=other)
    assert len(cards) == 2
    finish(chat, cards[1], message=201)
    later(chat, 6)
    chat.operate("pause", b)
    [edit] = claim(chat, process=other)
    assert edit["message"] == 201 and claim(chat) == []
    chat.call("process_gone", other[0], "killed", False, user="orch_reaperd")
    [again] = claim(chat)
    assert (again["message"], again["html"]) == (201, edit["html"]) and again["token"] != edit["token"]
    assert state(chat, a) == "lost" and state(chat, b) == "sending"
    assert finish(chat, edit) == "fenced" and finish(chat, again) == "recorded"
    chat.operate("cancel", a, None)
    assert [c["message"] for c in claim(chat) if c["work_item"] == a] == [0]


def test_who_comes_too_late_has_the_card_looked_at_again(chat):
    """I-5, T-5: a worker that stood still sends an old text over a newer one: that is put right. Its message is taken up."""
    a = chat.item()
    slow = chat.add_process(pid=2)
    [card] = claim(chat, process=slow)
    chat.call("process_gone", slow[0], "silent", False, user="orch_reaperd")
    assert claim(chat) == [] and state(chat, a) == "lost"
    assert finish(chat, card, message=77) == "fenced"
    assert chat.db.value("select message from orch.card") == 77
    [card] = claim(chat)
    assert card["message"] == 77
    finish(chat, card)
    assert state(chat, a) == "shown"


def test_two_workers_never_have_the_same_card(chat):
    """I-5, J-1: and the same end said twice is recorded once."""
    for _ in range(6):
        chat.item()
    other = chat.add_process(pid=2)
    mine, theirs = claim(chat, 3), claim(chat, 3, other)
    assert len({c["task_id"] for c in mine + theirs}) == 6
    assert finish(chat, mine[0], message=1) == "recorded" and finish(chat, mine[0], message=1) == "recorded"
    assert finish(chat, {**mine[1], "token": theirs[0]["token"]}, message=2) == "fenced"
    assert chat.db.value("select message from orch.card where task_id = %s", mine[0]["task_id"]) == 1


def test_a_deleted_message_is_answered_by_one_new_card(chat):
    a = chat.item()
    show(chat)
    chat.operate("pause", a)
    [card] = claim(chat)
    finish(chat, card, "not-found")
    later(chat, 6)
    [card] = claim(chat)
    assert card["message"] == 0 and "Paused by orch_operator" in plain(card) and "older card" not in plain(card)
    finish(chat, card, message=102)
    later(chat)
    assert claim(chat) == []
    assert chat.db.value("select message from orch.card") == 102


def test_what_happens_while_it_is_sent_is_sent_afterwards(chat):
    a = chat.item()
    [card] = claim(chat)
    chat.operate("pause", a)
    assert claim(chat) == [], "it is being sent"
    finish(chat, card, message=101)
    later(chat, 6)
    [card] = claim(chat)
    assert card["message"] == 101 and "Paused" in plain(card)


def test_a_limit_is_obeyed_and_costs_nothing(chat):
    """I-5, I-7: 429 holds back all that goes to the endpoint; nothing was sent, so the first message is sent afterwards."""
    for _ in range(3):
        chat.item()
    [card] = claim(chat, 1)
    assert finish(chat, card, "limited", retry_after=40) == "recorded"
    assert claim(chat) == []
    later(chat, 30)
    assert claim(chat) == []
    later(chat, 15)
    [card] = claim(chat, 2)
    finish(chat, card, message=1)
    assert len(claim(chat)) == 2


@pytest.mark.parametrize("said", ["denied", "unavailable"])
def test_an_outage_loses_no_card(chat, said):
    """I-7: hours of it; afterwards each task has one card that shows how it is now."""
    a, b = chat.item(), chat.item()
    chat.operate("cancel", b, None)
    for _ in range(20):
        for card in claim(chat, 1):
            finish(chat, card, said)
        later(chat)
    assert chat.db.value("select max(failures) from orch.card") == 0
    chat.operate("pause", a)
    [card] = claim(chat)
    finish(chat, card, message=1)
    cards = [card] + claim(chat)
    assert {c["work_item"]: c["message"] for c in cards} == {a: 0, b: 0} and cards[0]["work_item"] == b, "final states go first"


def test_alerts_go_first(chat):
    """I-5: what people must act on is not behind cards that only tell."""
    a = chat.item()
    chat.db.query("select orch.alert(t, 'x', 'look') from orch.task t where work_item = %s", a)
    assert claim(chat) == []
    tell(chat)
    assert len(claim(chat)) == 1


def test_another_chat_is_another_card(chat):
    """I-5: messages are numbered by chat: none is edited in a chat where it is another one. What is over stays where it was."""
    a, b = chat.item(), chat.item()
    for n, card in enumerate(claim(chat)):
        finish(chat, card, message=100 + n)
    chat.operate("cancel", b, None)
    [card] = claim(chat)
    finish(chat, card)
    chat.operate("endpoint_set", "chat", "telegram", "https://api.telegram.org", "/etc/orchestrator/chat.token", None, -5, None, 100000, None, None)
    later(chat)
    chat.operate("pause", a)
    [card] = claim(chat)
    assert (card["work_item"], card["message"], card["endpoint"]["chat"]) == (a, 0, -5)
    finish(chat, card, message=3)
    chat.operate("project_connect", "demo", "notifier", "local", None)
    chat.operate("resume", a)
    later(chat)
    assert claim(chat) == []
    chat.operate("endpoint_remove", "chat")
    assert chat.db.value("select count(*) from orch.card") == 0


def test_a_chat_that_does_not_take_it_is_not_hammered(chat):
    """I-5: a wrong chat: tried again less and less often while the task runs, and given up a while after its end."""
    a = chat.item()
    for _ in range(3):
        [card] = claim(chat)
        finish(chat, card, "refused")
        assert claim(chat) == []
        later(chat, 400)
    chat.set("effect_max_attempts", "5")
    chat.operate("cancel", a, None)
    tries = 0
    while cards := claim(chat):
        finish(chat, cards[0], "refused")
        later(chat, 400)
        tries += 1
    assert tries == 2


def test_the_watch_in_production_is_on_the_card_of_what_is_done(chat):
    """I-5, M-5: the card goes on after done until there is a verdict."""
    chat.operate("project_command_set", "demo", "probe", "true")
    a = chat.item()
    chat.work()
    [card] = claim(chat)
    assert "Done since" in plain(card) and "Watched in production" in plain(card)
    finish(chat, card, message=1)
    later(chat)
    assert claim(chat) == []
    chat.operate("observe", a, "degraded", "it smokes")
    tell(chat)
    [card] = claim(chat)
    assert card["message"] == 1 and "Production: DEGRADED" in plain(card)
