"""How long tasks wait for people (I-6)."""


def clock(world, item):
    return world.db.query("select gate, shown, since, ended_at, verdict, ended_by, waited_s from orch.review_clock where work_item = %s order by since", item)


def back(world, seconds):
    world.db.query("update orch.human_wait set since = since - make_interval(secs => %s) where ended_at is null", seconds)


def metrics(world):
    rows = world.db.query("select name, labels, value from orch.metric", user="orch_readonly")
    return {(r["name"], r["labels"].split('gate="')[1].split('"')[0]): r["value"] for r in rows if "gate=" in r["labels"]}


def test_from_in_review_to_the_verdict(world):
    """I-6: kept per task and summed up; each visit to a human gate is one wait, with who ended it and how."""
    a = world.item()
    assert clock(world, a) == []
    world.succeed(world.claim())
    back(world, 600)
    row = clock(world, a)[0]
    assert (row["gate"], row["shown"], row["verdict"]) == ("analysis_approved", "in_review", None) and 600 <= row["waited_s"] < 660
    assert metrics(world)[("orch_review_waiting", "analysis_approved")] == 1
    assert metrics(world)[("orch_review_oldest_seconds", "analysis_approved")] >= 600
    world.operate("reject", a, "say more")
    world.succeed(world.claim())
    world.operate("approve", a, None)
    world.work(until="deploy", item=a)
    back(world, 60)
    world.operate("approve", a, None)
    rows = clock(world, a)
    assert sorted((r["gate"], r["shown"], r["verdict"], r["ended_by"]) for r in rows) == [
        ("analysis_approved", "in_review", "approved", "orch_operator"), ("analysis_approved", "in_review", "rejected", "orch_operator"),
        ("deploy_confirmed", "awaiting_deploy", "approved", "orch_operator")]
    assert metrics(world)[("orch_review_waiting", "deploy_confirmed")] == 0
    assert metrics(world)[("orch_reviews_total", "analysis_approved")] == 2
    assert 600 <= metrics(world)[("orch_review_seconds_total", "analysis_approved")] < 660
    assert 60 <= metrics(world)[("orch_review_seconds_total", "deploy_confirmed")] < 120


def test_the_clock_begins_when_people_could_see_it(world):
    """I-6, I-7: not while the tracker was down and showed nothing."""
    a = world.item()
    world.succeed(world.claim())
    back(world, 3600)
    world.db.query("""update orch.effect set status = 'done', ended_at = clock_timestamp() - interval '10 min'
                      where kind = 'state' and payload ->> 'state' = 'in_review'""")
    assert 600 <= clock(world, a)[0]["waited_s"] < 660
    world.operate("approve", a, None)
    assert 600 <= clock(world, a)[0]["waited_s"] < 660


def test_an_answer_and_a_cancellation_end_it(world):
    """I-6, P-9: Needs Input waits for people as well; what leaves without a verdict is no verdict."""
    a = world.item()
    world.ask(world.claim(), "Which unit?")
    world.operate("answer", a, "bytes")
    world.succeed(world.claim())
    world.operate("cancel", a, None)
    rows = world.db.query("select shown, verdict from orch.human_wait order by id")
    assert rows == [{"shown": "needs_input", "verdict": "answered"}, {"shown": "in_review", "verdict": "moved"}]
    assert world.db.value("select verdicts from orch.review_total where gate = 'analysis_approved'") == 0


def test_item_show_has_the_clock(world):
    """I-6: orchctl item show: each wait for people, and their sum."""
    a = world.item()
    world.succeed(world.claim())
    back(world, 90)
    shown = world.call("item", a, user="orch_readonly")[0]["item"]
    assert shown["reviews"][0]["shown"] == "in_review" and shown["reviews"][0]["waited_s"] >= 90


def test_metrics_when_the_disk_is_full(world):
    """O-1: when they cannot be kept they are shown all the same."""
    world.db.query("create function full_disk() returns trigger language plpgsql as 'begin raise disk_full; end'")
    world.db.query("create trigger full_disk before insert on orch.metric_kept execute function full_disk()")
    rows = world.call("metric_rows", user="orch_webhookd")
    assert {"orch_queue_jobs", "orch_tasks"} <= {row["name"] for row in rows} and {row["keep_ms"] for row in rows} == {0}
