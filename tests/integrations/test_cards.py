"""Live cards of the whole suite in a simulated Telegram that loses answers, limits, and forgets messages (I-5, I-7)."""

import os
import signal

import pytest

from sim.telegram import Telegram
from support.pipeline import Pipeline

CHAT, TOKEN = -1001234567890, "sim-token"


@pytest.fixture
def telegram():
    service = Telegram().start()
    service.tokens.add(TOKEN)
    service.chats.add(CHAT)
    yield service
    service.stop()


@pytest.fixture
def line(telegram, make_suite, project, token_file):
    """A suite of two workers whose project shows its cards in the chat."""
    suite = make_suite(workerd_count=2, http_plain_hosts=telegram.url.removeprefix("http://")).start()
    line = Pipeline(suite, project, card_interval_s=1, card_refresh_s=2, effect_backoff_s=1, endpoint_backoff_s=1)
    suite.orchctl("endpoint", "set", "chat", telegram.url, "--kind", "telegram", "--token-file", token_file, f"--chat={CHAT}", "--per-minute", "10000")
    suite.orchctl("project", "connect", project.name, "notifier", "chat")
    return line


def cards(telegram, item):
    return [message for message in telegram.sent(CHAT) if message["text"].startswith(item + " ")]


def wait_card(line, telegram, item, text):
    line.wait(lambda: any(text in card["text"] for card in cards(telegram, item)), 30, f"a card of {item} says {text!r}")
    return cards(telegram, item)


def test_one_message_from_the_first_to_the_last_state(line, telegram, project):
    """I-5, I-6: edited as the task moves: who works, what it waits for, time of agents and people; alerts are other messages."""
    title = 'Parse <sizes> & "units" כן'
    item = line.item(title)
    [card] = wait_card(line, telegram, item, "waits for a person to approve")
    assert 'Parse <sizes> & "units" כן' in card["text"] and card["silent"] and "In Review since" in card["text"]
    line.pass_human_gates(item)
    [card] = wait_card(line, telegram, item, "Done since")
    for part in ("in 6 runs", "In Review ", "Awaiting Deploy "):
        assert part in card["text"], card["text"]
    edits = [entry for entry in telegram.journal.since(0) if entry.get("path", "").endswith("editMessageText")]
    assert edits and all(entry["status"] == 200 for entry in edits), "nothing was sent that did not differ"
    line.wait(lambda: line.db.value("select state from orch.card_status") == "final", 30, "the card is final")


def test_what_telegram_does_wrong_makes_no_second_card(line, telegram):
    """I-5, I-7: answers lost after an edit, limits, errors, a message that somebody deletes: one card, or its one successor."""
    item = line.item("First")
    wait_card(line, telegram, item, "waits for a person to approve")
    telegram.faults.set([{"fault": "drop-after", "match": "edit", "times": 1}, {"fault": "garbage", "match": "edit", "times": 1}, {"fault": "error-after", "match": "edit", "times": 1},
                         {"fault": "limited", "match": "edit", "times": 1, "retry_after": 2}, {"fault": "error-before", "match": "edit", "times": 1}])
    since = len(telegram.journal.entries)
    line.db.query("select orch.pause(%s)", item, user="orch_operator")
    [card] = wait_card(line, telegram, item, "Paused by")
    line.wait(lambda: all(rule["struck"] for rule in telegram.faults.rules()), 30, "every fault has struck")
    line.wait(lambda: line.db.value("select state = 'shown' and failures = 0 from orch.card_status"), 30, "the card is shown")
    requests = [entry for entry in telegram.journal.since(since) if entry["kind"] == "request"]
    limited = next(entry for entry in requests if entry["fault"] == "limited")
    assert all(entry["at"] >= limited["at"] + 2 for entry in requests if entry["n"] > limited["n"]), "429 was not obeyed"
    with telegram.lock:
        del telegram.messages[CHAT, card["id"]]
    line.db.query("select orch.resume(%s)", item, user="orch_operator")
    line.wait(lambda: len(cards(telegram, item)) == 1, 30, "another card")
    line.cancel(item)
    [card] = wait_card(line, telegram, item, "Cancelled at")
    assert "older card" not in card["text"]


def test_a_bot_that_is_removed_from_its_chat(line, telegram):
    """I-6, I-7: as a token that is not taken: told once, nobody else is asked meanwhile, and what there is to say is said when it is back."""
    item = line.item("First")
    wait_card(line, telegram, item, "waits for a person to approve")
    telegram.kicked.add(CHAT)
    line.db.query("select orch.pause(%s)", item, user="orch_operator")
    line.db.query("select orch.alert(t, 'tested', 'somebody must look') from orch.task t where work_item = %s", item)
    line.wait(lambda: line.db.value("select state from orch.endpoint where name = 'chat'") == "denied", 30, "the endpoint is denied")
    [said] = line.db.column("select payload ->> 'text' from orch.effect where payload ->> 'text' like 'chat does not%%'")
    assert f"does not let its bot into chat {CHAT}" in said and "bot was kicked" in said
    telegram.kicked.clear()
    wait_card(line, telegram, item, "Paused by")
    line.wait(lambda: [m for m in telegram.sent(CHAT) if "somebody must look" in m["text"]], 30, "the alert")
    assert line.db.value("select count(*) from orch.effect where status = 'dead'") == 0


@pytest.mark.parametrize("how", ["answer", "worker"])
def test_a_first_message_of_which_nobody_knows(line, telegram, how):
    """I-5: its answer is lost, or the worker is killed between send and record: no second card while the task runs; the final
    state is delivered."""
    telegram.faults.set([{"fault": "drop-after" if how == "answer" else "slow-after", "match": "sendMessage", "times": 1, "seconds": 60}])
    item = line.item("First")
    wait_card(line, telegram, item, "First")
    if how == "worker":
        victim = line.db.value("select p.pid from orch.card c join orch.process p on p.id = c.process_id where c.claimed_at is not null")
        os.kill(victim, signal.SIGKILL)
    line.wait(lambda: line.db.value("select state from orch.card_status") == "lost", 30, "the card counts as lost")
    line.db.query("select orch.pause(%s)", item, user="orch_operator")
    line.wait(lambda: line.db.value("select look_at is null from orch.card"), 30, "it was looked at")
    assert len(cards(telegram, item)) == 1 and "Paused" not in cards(telegram, item)[0]["text"]
    line.cancel(item)
    first, last = wait_card(line, telegram, item, "Cancelled at")
    assert "An older card of this item may stand above" in last["text"] and last["id"] > first["id"]
