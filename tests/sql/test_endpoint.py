"""Services outside: who may be asked now, what a failure costs, and who is told (I-1, I-7, O-2)."""

import psycopg2
import pytest


def add(world, name="board", kind="plane", **given):
    given = {"workspace": "acme" if kind == "plane" else None, "chat": -100 if kind == "telegram" else None, **given}
    return world.operate("endpoint_set", name, kind, given.get("url", f"https://{name}.example.org"), f"/etc/orchestrator/{name}.token",
                         given["workspace"], given["chat"], given.get("thread"), given.get("per_minute"), given.get("alerts"), None)


def state(world, name="board"):
    return world.db.query("select state, failures, not_before > clock_timestamp() as waits, reason from orch.endpoint_status where name = %s", name)[0]


def effects(world, number, port="forge", objects=None):
    for i in range(number):
        world.db.query("select orch.effect_store(id, null, %s, 'x', %s, gen_random_uuid()::text, '{}') from orch.project where name = 'demo'",
                       port, f"o{i}" if objects is None else objects)


def run(world, statement, *params):
    """What no function of ours would do; as the owner."""
    world.db.query(statement + " returning 1", *params)


def claim(world, limit=10):
    """Of what is not an alert: these have an endpoint of their own."""
    return [f for f in world.call("effect_claim", world.process, world.epoch, limit) if f["port"] != "notifier" or f["adapter"] != "log"]


def finish(world, f, said, retry_after=None):
    verdict = {"ok": "done", "refused": "dead"}.get(said, "retry")
    assert world.call("effect_finish", f["effect_id"], f["epoch"], f["token"], verdict, f"{said}: why", retry_after, said)[0]["effect_finish"] == "recorded"


def due(world):
    """The wait is over: a test does not sit it out."""
    run(world, "update orch.endpoint set not_before = clock_timestamp() - interval '1 s' where not_before is not null")
    run(world, "update orch.effect set run_at = clock_timestamp() where status = 'pending'")


@pytest.fixture
def forge(world):
    add(world, "git", "gitea")
    world.operate("project_connect", "demo", "forge", "git", "acme/shop")
    return world


def test_what_is_no_endpoint(world):
    """O-5: each with a clear error, and nothing is there afterwards."""
    for name, kind, url, workspace, chat in [("b", "jira", "https://x", None, None), ("b", "plane", "https://x", None, None),
                                             ("b", "telegram", "https://x", None, None), ("b", "gitea", "ftp://x", None, None),
                                             ("b", "gitea", "file:///etc/passwd", None, None), ("b", "gitea", "https://user:pw@x", None, None),
                                             ("b c", "gitea", "https://x", None, None), ("b", "gitea", "https://x?token=1", None, None)]:
        with pytest.raises(psycopg2.Error) as refused:
            add(world, name, kind, url=url, workspace=workspace, chat=chat)
        assert refused.value.pgcode == "OR003", (name, kind, url)
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("endpoint_set", "git", "gitea", "https://x", "relative/path")
    assert refused.value.pgcode == "OR003"
    assert world.call("endpoint_list", user="orch_readonly")[0]["endpoint_list"] == {"endpoints": []}


def test_set_again_changes_it_and_never_its_kind(world):
    assert add(world)["per_minute"] == 60
    assert add(world, url="https://other.example.org/plane/")["url"] == "https://other.example.org/plane"
    with pytest.raises(psycopg2.Error) as refused:
        add(world, "board", "gitea")
    assert refused.value.pgcode == "OR002"
    add(world, "chat", "telegram", alerts=True)
    with pytest.raises(psycopg2.Error) as refused:
        add(world, "other", "telegram", alerts=True)
    assert refused.value.pgcode == "OR002"
    assert world.db.value("select count(*) from orch.audit where act = 'endpoint_set'") == 3


def test_a_project_is_connected_and_the_endpoint_stays_while_it_is(world):
    add(world, "git", "gitea")
    for port, endpoint, place, code in [("forge", "nope", "a/b", "OR001"), ("tracker", "git", "x", "OR003"), ("forge", "git", None, "OR003"), ("pager", "git", "x", "OR003"),
                                        ("forge", "local", "moved.git", "OR003"), ("tracker", "local", "/srv/git/demo.git", "OR003")]:
        with pytest.raises(psycopg2.Error) as refused:
            world.operate("project_connect", "demo", port, endpoint, place)
        assert refused.value.pgcode == code
    answer = world.operate("project_connect", "demo", "forge", "git", "acme/shop")
    assert (answer["forge"], answer["forge_name"], answer["endpoints"]) == ("gitea", "acme/shop", {"forge": "git"})
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("endpoint_remove", "git")
    assert refused.value.pgcode == "OR002"
    assert world.operate("project_connect", "demo", "forge", "local", None)["location"] == answer["location"]
    world.operate("project_connect", "demo", "forge", "git", "acme/shop")
    world.db.query("update orch.project set forge_location = 'https://git.example.org/acme/shop.git' returning 1")  # as onboarding has it
    with pytest.raises(psycopg2.Error, match="which repository"):
        world.operate("project_connect", "demo", "forge", "local", None)
    moved = world.operate("project_connect", "demo", "forge", "local", "/srv/git/moved.git")
    assert (moved["forge"], moved["location"]) == ("local", "/srv/git/moved.git")
    assert world.operate("endpoint_remove", "git")["message"] == "endpoint git is gone"
    assert world.operate("endpoint_remove", "git")["message"] == "there is no endpoint git"


def test_a_tracker_does_not_change_under_tasks(world):
    add(world)
    world.item()
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("project_connect", "demo", "tracker", "board", "11111111-2222-3333-4444-555555555555")
    assert refused.value.pgcode == "OR002"


def test_an_effect_says_whom_to_ask(forge):
    effects(forge, 1)
    f = claim(forge)[0]
    assert f["adapter"] == "gitea"
    assert f["endpoint"] == {"kind": "gitea", "url": "https://git.example.org", "token_file": "/etc/orchestrator/git.token",
                             "segment": "work-items", "repo": "acme/shop"}


def test_who_tries_and_learns_nothing_lets_the_next_one_try_soon(forge):
    """I-7: an answer that was lost says nothing of the endpoint; it is not left alone for the minute that the trial was given."""
    effects(forge, 2)
    finish(forge, claim(forge)[0], "limited", 5)
    due(forge)
    [f] = claim(forge)
    finish(forge, f, "unknown")
    assert forge.db.value("select not_before < clock_timestamp() + interval '10 s' from orch.endpoint where name = 'git'")
    assert state(forge, "git")["state"] == "limited"


@pytest.mark.parametrize("said", ["unavailable", "denied"])
def test_each_try_that_fails_doubles_the_wait(forge, said):
    """I-7: it is tried again after seconds, not after the minute that the trial was given; those that failed at the same time count once."""
    forge.set("endpoint_backoff_s", "1")
    effects(forge, 8)
    together = claim(forge)
    for f in together:
        finish(forge, f, said)
    assert state(forge, "git")["failures"] == 1
    for failures in (2, 3):
        due(forge)
        (f,) = claim(forge)
        finish(forge, f, said)
        assert state(forge, "git")["failures"] == failures
        assert forge.db.value("select not_before <= clock_timestamp() + make_interval(secs => %s) from orch.endpoint where name = 'git'", 2 ** (failures - 1))


@pytest.mark.parametrize("said, becomes", [("unavailable", "down"), ("denied", "denied"), ("limited", "limited")])
def test_an_endpoint_that_is_away_burns_no_attempt(forge, said, becomes):
    """I-7: an outage of any length loses nothing: the effects wait, one tries, and all go on when it answers."""
    effects(forge, 5)
    for f in claim(forge):
        finish(forge, f, said, 7 if said == "limited" else None)
    assert state(forge, "git")["state"] == becomes and claim(forge) == []
    for _ in range(20):
        due(forge)
        tried = claim(forge)
        assert len(tried) == 1 and claim(forge) == []
        finish(forge, tried[0], said)
    assert forge.db.query("select distinct status, attempts from orch.effect where port = 'forge'") == [{"status": "pending", "attempts": 0}]
    due(forge)
    finish(forge, claim(forge)[0], "ok")
    assert state(forge, "git") == {"state": "ok", "failures": 0, "waits": None, "reason": None}
    assert len(claim(forge)) == 4


def test_what_our_token_may_not_do_waits_by_itself(forge):
    """I-7: the token is good and has no right to this one thing: it waits for as long as it takes and uses up no try, people are told once,
    and what the token may do goes on."""
    forge.set("endpoint_backoff_s", "10")
    effects(forge, 2)
    lacking, other = claim(forge)
    for _ in range(15):
        finish(forge, lacking, "forbidden")
        assert state(forge, "git") == {"state": "ok", "failures": 0, "waits": None, "reason": None}
        row = forge.db.row("select status, attempts, run_at > clock_timestamp() + interval '30 s' as waits from orch.effect where id = %s", lacking["effect_id"])
        assert row == {"status": "pending", "attempts": 0, "waits": True}
        due(forge)
        [lacking] = claim(forge)
    finish(forge, other, "ok")
    told = forge.db.column("select payload ->> 'text' from orch.effect where port = 'notifier'")
    assert len(told) == 1 and "git does not let our token do this" in told[0] and "/etc/orchestrator/git.token" in told[0], told
    finish(forge, lacking, "ok")
    assert forge.db.column("select distinct status from orch.effect where port = 'forge'") == ["done"]


def test_one_that_tries_and_is_not_allowed_has_found_it_there(forge):
    """I-7: who says that our token may not do this answers."""
    effects(forge, 2)
    finish(forge, claim(forge, 1)[0], "unavailable")
    due(forge)
    [tried] = claim(forge)
    finish(forge, tried, "forbidden")
    assert state(forge, "git")["state"] == "ok" and len(claim(forge)) == 1


def test_a_lost_answer_burns_an_attempt_and_says_nothing_of_the_endpoint(forge):
    effects(forge, 1)
    finish(forge, claim(forge)[0], "unknown")
    assert state(forge, "git")["state"] == "ok"
    assert forge.db.value("select attempts from orch.effect where port = 'forge'") == 1


def test_one_that_is_away_holds_up_nobody_else(forge):
    """I-7: the tracker is shown to while the forge is down."""
    effects(forge, 3)
    for f in claim(forge):
        finish(forge, f, "unavailable")
    due_before = forge.db.value("select not_before from orch.endpoint where name = 'git'")
    effects(forge, 2, "tracker", None)
    assert [f["port"] for f in claim(forge)] == []  # same objects as those that wait: in order
    run(forge, "update orch.effect set object_key = 'other' || id where port = 'tracker'")
    assert [f["port"] for f in claim(forge)] == ["tracker", "tracker"] and due_before is not None


def test_a_limit_of_a_minute_is_shared(world):
    """I-7: sixty requests a minute, of all processes of all hosts together; no sixty seconds see more."""
    add(world, per_minute=60)
    run(world, "update orch.project set tracker = 'plane', tracker_project = 'p', tracker_endpoint = (select id from orch.endpoint)")
    other = world.add_process(pid=2)
    effects(world, 100, "tracker")
    given = 0
    for _ in range(60):
        begun = world.db.value("select clock_timestamp()")
        for process, epoch in ((world.process, world.epoch), other):
            claimed = world.call("effect_claim", process, epoch, 100)
            given += len(claimed)
            for f in claimed:
                finish(world, f, "ok")
        run(world, "update orch.endpoint set refilled_at = refilled_at - greatest(interval '0', interval '1 s' - (clock_timestamp() - %s))", begun)
    assert 45 <= given <= 60


def test_people_are_told_once_of_a_token_and_of_its_end(forge):
    effects(forge, 1)
    for _ in range(3):
        finish(forge, claim(forge)[0], "denied")
        due(forge)
    told = forge.db.query("select payload ->> 'text' as text from orch.effect where port = 'notifier' order by id")
    assert len(told) == 1 and "does not take our token; put a good one into /etc/orchestrator/git.token" in told[0]["text"]
    run(forge, "update orch.effect set status = 'done', process_id = null, ended_at = now() where port = 'notifier'")
    finish(forge, claim(forge)[0], "ok")
    told = forge.db.query("select payload ->> 'text' as text from orch.effect where port = 'notifier' order by id")
    assert [t["text"] for t in told][1:] == ["git answers again"]


def test_a_short_outage_is_no_alert_and_a_long_one_is_one(forge):
    effects(forge, 1)
    finish(forge, claim(forge)[0], "unavailable")
    due(forge)
    finish(forge, claim(forge)[0], "unavailable")
    assert forge.db.value("select count(*) from orch.effect where port = 'notifier'") == 0
    for _ in range(2):
        run(forge, "update orch.endpoint set since = since - interval '400 s'")
        due(forge)
        finish(forge, claim(forge)[0], "unavailable")
    told = forge.db.query("select payload ->> 'text' as text from orch.effect where port = 'notifier'")
    assert len({t["text"] for t in told}) == 1 and "git does not answer" in told[0]["text"]


def test_alerts_go_to_the_endpoint_that_takes_them(world):
    world.db.query("select orch.alert_cluster('disk', 'disk:1', 'full')")
    assert world.call("effect_claim", world.process, world.epoch, 1)[0]["adapter"] == "log"
    add(world, "chat", "telegram", alerts=True, thread=7)
    world.db.query("select orch.alert_cluster('disk', 'disk:2', 'full')")
    run(world, "update orch.effect set status = 'done', process_id = null, ended_at = now() where status = 'running'")
    f = claim(world)[0]
    assert f["adapter"] == "telegram" and (f["endpoint"]["chat"], f["endpoint"]["thread"]) == (-100, 7)


def test_setting_it_again_tries_at_once(forge):
    effects(forge, 2)
    finish(forge, claim(forge, 1)[0], "denied")
    assert claim(forge) == []
    add(forge, "git", "gitea")
    assert len(claim(forge)) == 1  # the other one; the first has its own wait


def test_where_its_webhooks_go_is_an_address_of_ours_for_that_kind(world):
    set_it = lambda hook: world.operate("endpoint_set", "git", "gitea", "https://git.example.org", "/etc/t", None, None, None, None, None, None, hook, "orch")  # noqa: E731
    assert set_it("https://orch.example.org/webhook/gitea")["hook_url"] == "https://orch.example.org/webhook/gitea"
    for wrong in ("https://orch.example.org/webhook/plane", "https://orch.example.org/", "ftp://x/webhook/gitea", "https://u:p@x/webhook/gitea"):
        with pytest.raises(psycopg2.Error, match="cannot be registered"):
            set_it(wrong)
    kept = set_it(None)
    assert (kept["hook_url"], kept["account"]) == ("https://orch.example.org/webhook/gitea", "orch")


def board(world):
    """The project's tracker is another service than its forge."""
    add(world)
    run(world, "update orch.project set tracker = 'plane', tracker_project = 'p', tracker_endpoint = (select id from orch.endpoint where name = 'board')")


def test_one_whose_minute_is_used_up_holds_up_nobody_else(forge):
    """I-7: twenty comments wait for the next minute of the tracker; the forge is asked meanwhile."""
    board(forge)
    effects(forge, 20, "tracker")
    run(forge, "update orch.endpoint set tokens = 0, refilled_at = clock_timestamp() + interval '1 hour' where name = 'board'")
    run(forge, "update orch.effect set object_key = 'item' || id where port = 'tracker'")
    effects(forge, 3)
    assert [f["port"] for f in claim(forge)] == ["forge"] * 3


def test_what_waits_follows_its_project(forge):
    """I-1: a project that gets another forge has its effects there, and those of a forge that is away go on."""
    effects(forge, 3)
    finish(forge, claim(forge, 1)[0], "unavailable")
    assert claim(forge) == []
    forge.operate("project_connect", "demo", "forge", "local", None)
    run(forge, "update orch.effect set run_at = clock_timestamp() where status = 'pending'")
    assert [f["adapter"] for f in claim(forge)] == ["local"] * 3


def test_what_runs_while_its_project_moves_is_tried_at_the_new_one(forge):
    effects(forge, 1)
    f = claim(forge)[0]
    forge.operate("project_connect", "demo", "forge", "local", None)
    finish(forge, f, "unavailable")
    assert state(forge, "git")["state"] == "down"  # it was that one who did not answer
    run(forge, "update orch.effect set run_at = clock_timestamp() where status = 'pending'")
    assert claim(forge)[0]["adapter"] == "local"


def test_a_try_that_fails_waits_no_longer_than_the_next_failure_does(world):
    """I-7: who tries keeps the others away for a minute; once the answer is there, that minute is over, too."""
    add(world)
    number = world.db.value("select id from orch.endpoint")
    note = lambda: world.db.query("select orch.endpoint_note(%s, 'unavailable', 'http 503', null)", number)  # noqa: E731
    note()
    world.db.query("update orch.endpoint set not_before = clock_timestamp() returning 1")
    assert world.db.value("select orch.endpoint_admit(%s, 5)", number) == 1
    assert world.db.value("select orch.endpoint_admit(%s, 5)", number) == 0
    note()
    assert world.db.value("select extract(epoch from not_before - clock_timestamp()) < 11 from orch.endpoint")


def test_what_was_sent_before_lifts_no_limit(forge):
    """I-7: of eight that were sent together one is told to wait; that the others were answered says nothing of the next minute."""
    effects(forge, 4)
    first, second, third, _ = claim(forge)
    finish(forge, first, "limited", 60)
    finish(forge, second, "ok")
    finish(forge, third, "refused")
    assert state(forge, "git")["state"] == "limited" and claim(forge) == []
    due(forge)
    (f,) = claim(forge)
    finish(forge, f, "ok")
    assert state(forge, "git")["state"] == "ok", "who tries may say so"


def test_nothing_said_is_no_news(forge):
    """I-7: a worker of an older release that names no outcome opens nothing again."""
    effects(forge, 2)
    first, second = claim(forge)
    finish(forge, first, "denied")
    forge.call("effect_finish", second["effect_id"], second["epoch"], second["token"], "retry", "no idea", None)
    assert state(forge, "git")["state"] == "denied"


@pytest.mark.parametrize("per_minute", [1, 5, 9])
def test_a_few_requests_a_minute_are_some(world, per_minute):
    """I-7: a tenth of five is less than one, and is asked all the same, as often as was said."""
    add(world, per_minute=per_minute)
    run(world, "update orch.project set tracker = 'plane', tracker_project = 'p', tracker_endpoint = (select id from orch.endpoint)")
    effects(world, 100, "tracker")
    given = 0
    for second in range(60):
        for f in claim(world, 100):
            given += 1
            finish(world, f, "ok")
        run(world, "update orch.endpoint set refilled_at = refilled_at - interval '1 s'")
    assert 1 <= given <= max(per_minute, 2)
