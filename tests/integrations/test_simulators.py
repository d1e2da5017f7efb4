"""The simulators behave as the services they stand for: what the tests of the adapters lean on (I-1, I-3, I-5)."""

import hashlib
import hmac
import http.client
import http.server
import json
import subprocess
import threading

import pytest

from support.paths import source
from sim.telegram import Telegram
from support.wait import wait_for

TOKEN, SECRET = "sim-token", "a secret"


def call(service, method, path, body=None, **headers):
    """(status, answer, headers); the answer is None when the connection ended without one."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        data = response.read()
        return response.status, json.loads(data) if data[:1] in (b"{", b"[") else data, response.headers
    except (http.client.HTTPException, OSError):
        return None, None, {}
    finally:
        connection.close()


@pytest.fixture
def receiver():
    """Takes webhooks: .got is what came, .wait(n) awaits the n-th."""
    class Receiver:
        def __init__(self):
            self.got, self.changed, self.status = [], threading.Condition(), 202
            outer = self

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    with outer.changed:
                        outer.got.append((dict(self.headers), body))
                        outer.changed.notify_all()
                    self.send_response(outer.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

                def log_message(self, *args):
                    pass

            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
            threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

        def wait(self, number):
            with self.changed:
                assert self.changed.wait_for(lambda: len(self.got) >= number, 60), f"only {len(self.got)} of {number} deliveries came"
                return self.got

    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def api(gitea, method, path, body=None):
    return call(gitea, method, f"/api/v1/repos/acme/shop{path}", body, Authorization=f"token {TOKEN}")


def open_pull(gitea, shop, name="work"):
    shop.branch(name)
    status, pull, _ = api(gitea, "POST", "/pulls", {"head": name, "base": "main", "title": "Work"})
    assert status == 201
    return pull


def test_a_push_is_a_push_and_a_signed_webhook(gitea, shop, receiver):
    status, hook, _ = api(gitea, "POST", "/hooks", {"type": "gitea", "active": True, "events": ["push", "create"],
                                                    "config": {"url": receiver.url, "content_type": "json", "secret": SECRET}})
    assert status == 201 and "secret" not in hook["config"]
    sha = shop.branch("work")
    events = {}
    for headers, body in receiver.wait(2):
        assert headers["X-Gitea-Signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        events[headers["X-Gitea-Event"]] = json.loads(body)
    assert events["push"]["after"] == sha and events["create"]["ref"] == "work"


def test_nobody_pushes_to_the_default_branch(gitea, shop):
    shop.commit("c.txt", "three\n")
    refused = shop.push("main")
    assert refused.returncode != 0 and "protected" in refused.stderr


def test_a_merge_names_its_head_and_is_found_when_its_answer_was_lost(gitea, shop):
    pull = open_pull(gitea, shop)
    assert api(gitea, "POST", "/pulls/1/merge", {"Do": "merge", "head_commit_id": "0" * 40})[0] == 409
    gitea.faults.set([{"fault": "drop-after", "match": "POST .*/merge", "times": 1}])
    assert api(gitea, "POST", "/pulls/1/merge", {"Do": "merge", "head_commit_id": pull["head"]["sha"]})[0] is None
    status, pull, _ = api(gitea, "GET", "/pulls/1")
    assert status == 200 and pull["merged"] and pull["merge_commit_sha"] == shop.repo.bare.branch("main")
    assert api(gitea, "POST", "/pulls/1/merge", {"Do": "merge"})[0] == 405


def test_a_conflict_says_try_again_later(gitea, shop):
    open_pull(gitea, shop)
    shop.move_main("b.txt", "other\n")
    status, answer, _ = api(gitea, "POST", "/pulls/1/merge", {"Do": "merge"})
    assert status == 405 and "try again later" in answer["message"]
    assert api(gitea, "GET", "/pulls/1")[1]["mergeable"] is False


def test_a_pull_request_is_retargeted_when_its_base_is_deleted(gitea, shop):
    open_pull(gitea, shop, "integration")
    shop.branch("task", "c.txt", start="integration")
    assert api(gitea, "POST", "/pulls", {"head": "task", "base": "integration", "title": "T"})[0] == 201
    assert api(gitea, "DELETE", "/branches/integration")[0] == 204
    assert api(gitea, "GET", "/pulls/2")[1]["base"]["ref"] == "main"


def test_the_combined_status_is_of_one_page(gitea, shop):
    sha = shop.repo.bare.branch("main")
    assert api(gitea, "GET", f"/commits/{sha}/status")[1]["state"] == ""
    for number in range(3):
        gitea.set_status(shop.repo, sha, f"check {number}", "failure" if number == 2 else "success")
    status, page, headers = api(gitea, "GET", f"/commits/{sha}/status?limit=2")
    assert page["state"] == "success" and page["total_count"] == 2 and headers["X-Total-Count"] == "3"


def test_ci_runs_the_command_and_says_so(gitea, shop):
    shop.repo.ci_command = "test -f b.txt"
    open_pull(gitea, shop)
    sha = shop.repo.bare.branch("work")
    assert [s["status"] for s in shop.repo.statuses[sha]][0] == "pending"
    gitea.ci_queue.put(None)
    gitea.ci_thread.join(60)
    assert [s["status"] for s in shop.repo.statuses[sha]] == ["pending", "success"]


def test_a_wrong_token_and_an_unknown_repository(gitea, shop):
    assert call(gitea, "GET", "/api/v1/repos/acme/shop", Authorization="token nope")[0] == 401
    assert call(gitea, "GET", "/api/v1/repos/acme/other", Authorization=f"token {TOKEN}")[0] == 404


def ask(plane, method, path, body=None):
    return call(plane, method, path, body, **{"X-API-Key": TOKEN})


def test_a_move_is_two_deliveries_with_one_signature_each(plane, receiver):
    plane.set_hook(receiver.url, SECRET)
    item = plane.create_item(plane.shop, "Ein Ähm")
    plane.move(plane.shop, item, "To Analyse")
    bodies = [json.loads(body) for headers, body in receiver.wait(3)]
    for headers, body in receiver.got:
        assert headers["X-Plane-Signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert sorted(body["activity"]["field"] or "" for body in bodies) == ["", "sort_order", "state_id"]
    assert {body["data"]["name"] for body in bodies} == {"Ein Ähm"}


def test_transport_errors_end_in_a_hook_that_is_off_and_answers_do_not(plane, receiver):
    plane.set_hook(receiver.url, SECRET)
    receiver.status = 500
    item = plane.create_item(plane.shop, "One")
    receiver.wait(1)
    assert plane.hook["is_active"]
    plane.set_hook("http://127.0.0.1:9/nobody", SECRET)
    plane.move(plane.shop, item, "STOP")
    plane.journal.wait(lambda entry: entry["kind"] == "hook-disabled")
    wait_for(lambda: not plane.hook["is_active"])


def test_states_and_items_come_in_pages(plane):
    for number in range(5):
        plane.create_item(plane.shop, f"Item {number}")
    status, page, _ = ask(plane, "GET", f"{plane.base}/work-items/?per_page=2&order_by=-updated_at")
    seen = [item["name"] for item in page["results"]]
    while page["next_page_results"]:
        status, page, _ = ask(plane, "GET", f"{plane.base}/work-items/?per_page=2&order_by=-updated_at&cursor={page['next_cursor']}")
        seen += [item["name"] for item in page["results"]]
    assert sorted(seen) == [f"Item {number}" for number in range(5)]
    assert len(ask(plane, "GET", f"{plane.base}/states/")[1]["results"]) == 19


def test_an_unknown_key_of_a_patch_is_ignored(plane):
    item = plane.create_item(plane.shop, "One")
    wanted = plane.shop.state_named("Analysis")["id"]
    status, answer, _ = ask(plane, "PATCH", f"{plane.base}/work-items/{item['id']}/", {"state_id": wanted})
    assert status == 200 and answer["state"] != wanted
    assert ask(plane, "PATCH", f"{plane.base}/work-items/{item['id']}/", {"state": wanted})[1]["state"] == wanted
    assert ask(plane, "PATCH", f"{plane.base}/work-items/{item['id']}", {"state": wanted})[0] == 301


def test_a_comment_of_the_same_external_id_is_found(plane):
    item = plane.create_item(plane.shop, "One")
    comment = {"comment_html": "<p>x</p>", "external_source": "orch", "external_id": "k1"}
    first = ask(plane, "POST", f"{plane.base}/work-items/{item['id']}/comments/", comment)
    again = ask(plane, "POST", f"{plane.base}/work-items/{item['id']}/comments/", comment)
    assert (first[0], again[0]) == (201, 409) and again[1]["id"] == first[1]["id"]


def test_sixty_requests_a_minute(plane):
    answers = [ask(plane, "GET", f"{plane.base}/states/") for _ in range(61)]
    assert [status for status, _, _ in answers[:60]] == [200] * 60
    assert answers[60][0] == 429 and int(answers[60][2]["Retry-After"]) > 0


def test_relations_in_both_shapes_and_keys(plane):
    first, second = plane.create_item(plane.shop, "One"), plane.create_item(plane.shop, "Two")
    plane.relate(plane.shop, second, "blocked_by", first)
    path = f"{plane.base}/work-items/{second['id']}/relations/"
    assert ask(plane, "GET", path)[1]["blocked_by"] == [{"project_id": plane.shop.id, "issue_id": first["id"]}]
    plane.relations_as_objects = False
    assert ask(plane, "GET", path)[1]["blocked_by"] == [first["id"]]
    assert call(plane, "GET", path)[0] == 401
    assert call(plane, "GET", path, **{"X-API-Key": "wrong"})[0] == 403


def test_people_act_over_http(plane):
    assert call(plane, "POST", "/_sim/items", {"project": "SHOP", "name": "One"})[1]["key"] == "SHOP-1"
    assert call(plane, "POST", "/_sim/items/SHOP-1/move", {"state": "To Analyse"})[0] == 200
    assert call(plane, "GET", "/_sim/state")[1]["projects"]["SHOP"]["items"] == [{"key": "SHOP-1", "name": "One", "state": "To Analyse"}]


def test_who_types_something_wrong_is_told(plane):
    call(plane, "POST", "/_sim/items", {"project": "SHOP", "name": "One"})
    status, answer, _ = call(plane, "POST", "/_sim/items/SHOP-1/move", {"state": "Nope"})
    assert status == 400 and answer["error"].startswith("there is no state Nope; there are Backlog, To Analyse, ")
    assert call(plane, "POST", "/_sim/items", {"project": "SHOP", "name": "x", "state": "Nope"})[0] == 400
    assert call(plane, "POST", "/_sim/items/SHOP-1/move", {})[:2] == (400, {"error": "state is missing"})
    assert call(plane, "POST", "/_sim/items/SHOP-1/move", ["x"])[0] == 400
    assert len(plane.shop.items) == 1


def simulators(folder, ports):
    done = subprocess.run([source("tests/sim/run"), "--dir", folder, "--ports", ports], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode != 0 and "Traceback" not in done.stderr and not done.stdout
    return done.stderr


def test_ports_that_cannot_be_had(plane, tmp_path):
    for ports in ("1,2", "x,y,z", "0,0,70000"):
        assert f"--ports {ports}: wants three numbers" in simulators(tmp_path, ports)
    assert f"cannot listen on the ports 0,{plane.port},0: Address already in use; others go with --ports" in simulators(tmp_path, f"0,{plane.port},0")


@pytest.fixture
def telegram():
    service = Telegram().start()
    service.tokens.add(TOKEN)
    service.chats.add(-100)
    yield service
    service.stop()


def bot(telegram, method, **body):
    return call(telegram, "POST", f"/bot{TOKEN}/{method}", body)


@pytest.mark.parametrize("text, status, said", [
    ("<b>PROJ-12</b> &lt;merged&gt;", 200, ""),
    ("a < b", 400, "can't parse entities"), ("<br>", 400, "Unsupported start tag"), ("<b>open", 400, "end tag"),
    ("", 400, "text is empty"), ("<b> </b>", 400, "non-empty"),
    ("😀" * 2049, 400, "too long"), ("😀" * 2048, 200, ""), ("<b>" + "x" * 4096 + "</b>", 200, "")])
def test_markup_is_checked_as_strictly_as_there(telegram, text, status, said):
    got, answer, _ = bot(telegram, "sendMessage", chat_id=-100, text=text, parse_mode="HTML")
    assert got == status and said in answer.get("description", "")


def test_an_edit_that_changes_nothing_is_an_error(telegram):
    message = bot(telegram, "sendMessage", chat_id=-100, text="one")[1]["result"]["message_id"]
    assert bot(telegram, "editMessageText", chat_id=-100, message_id=message, text="two")[0] == 200
    status, answer, _ = bot(telegram, "editMessageText", chat_id=-100, message_id=message, text="two")
    assert status == 400 and "not modified" in answer["description"]
    assert bot(telegram, "editMessageText", chat_id=-100, message_id=1, text="x")[1]["description"].endswith("not found")
    assert bot(telegram, "sendMessage", chat_id=5, text="x")[1]["description"] == "Bad Request: chat not found"


def test_too_many_messages(telegram):
    telegram.per_chat_s = 30.0
    bot(telegram, "sendMessage", chat_id=-100, text="one")
    status, answer, headers = bot(telegram, "sendMessage", chat_id=-100, text="two")
    assert status == 429 and answer["parameters"]["retry_after"] == int(headers["Retry-After"]) == 31


@pytest.mark.parametrize("fault, status", [("error-before", 503), ("error-after", 500), ("limited", 429), ("drop-before", None), ("drop-after", None),
                                           ("cut", None)])
def test_faults_strike_before_or_after_the_effect(telegram, fault, status):
    telegram.faults.set([{"fault": fault, "times": 1}])
    assert bot(telegram, "sendMessage", chat_id=-100, text="one")[0] == status
    after = fault in ("error-after", "drop-after", "cut")
    assert len(telegram.sent(-100)) == (1 if after else 0)
    assert bot(telegram, "sendMessage", chat_id=-100, text="one")[0] == 200


def test_the_token_is_in_no_journal(telegram):
    bot(telegram, "sendMessage", chat_id=-100, text="one")
    assert [entry["path"] for entry in telegram.journal.since(0)] == ["/botTOKEN/sendMessage"]
