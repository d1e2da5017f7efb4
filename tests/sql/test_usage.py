"""What runs used and cost, what their sessions are, and what a provider's answers come to (J-2, J-4, J-7)."""

import time
import uuid

import psycopg2.extras
import pytest


def tokens(**models):
    return {"models": {name.replace("_", "-"): dict(zip(("input", "output", "cache_read", "cache_write"), t)) for name, t in models.items()}, "turns": 2}


def cost(world, usage, day="2026-11-20"):
    row = world.db.row("select * from orch.usage_cost(%s, %s)", psycopg2.extras.Json(usage), day)
    return row["usd"] and float(row["usd"]), row["source"]


@pytest.mark.parametrize("usage, answer", [
    (tokens(claude_opus_4_8=(1000000, 0, 0, 0)), (5, "prices")),
    (tokens(claude_opus_4_1_20250805=(1000000, 0, 0, 0)), (15, "prices")),
    (tokens(claude_sonnet_4_5=(0, 100000, 1000000, 1000000)), (1.5 + 0.3 + 3.75, "prices")),
    (tokens(claude_sonnet_4_5=(1000000, 0, 0, 0), claude_haiku_4_5=(1000000, 0, 0, 0)), (4, "prices")),
    (tokens(another_model=(1000000, 0, 0, 0)), (15, "dearest")),
    (tokens(claude_sonnet_4_5=(1000000, 0, 0, 0), another_model=(0, 0, 0, 0)), (3, "dearest")),
    ({**tokens(another_model=(1000000, 0, 0, 0)), "cost_micro_usd": 120000}, (0.12, "agent")),
    ({"models": {}, "turns": 0}, (None, "prices")),
])
def test_what_it_costs(world, usage, answer):
    """J-7: the agent's own sum; else by our prices, an unknown model by the dearest."""
    assert cost(world, usage) == answer


def test_prices_have_their_days(world):
    """J-7: a price counts from its day on."""
    world.db.query("insert into orch.model_price values ('claude-opus-4-8', '2026-12-01', 50, 50, 50, 50)")
    usage = tokens(claude_opus_4_8=(1000000, 0, 0, 0))
    assert [cost(world, usage, day)[0] for day in ("2026-11-30", "2026-12-01")] == [5, 50]


def test_figures_only_grow(world):
    """J-7: told while it runs, and at its end; a smaller figure, or none, takes nothing away."""
    a = world.item()
    job = world.claim()
    say = lambda usage: world.call("run_usage", job["job_id"], job["epoch"], job["token"], usage)[0]["run_usage"]
    run = lambda: world.db.row("select * from orch.run where job_id = %s", job["job_id"])
    assert say(tokens(claude_opus_4_8=(1000000, 0, 0, 0))) is True
    assert (float(run()["cost_usd"]), run()["cost_source"]) == (5, "prices")
    assert float(world.db.value("select usd from orch.task_usage where task_id = %s", world.task_id(a))) == 5
    world.finish(job, "failed", usage={**tokens(claude_opus_4_8=(1000000, 1, 0, 0)), "cost_micro_usd": 10}, model="m", session_id="no uuid")
    assert (float(run()["cost_usd"]), run()["cost_source"], run()["model"], run()["session_id"]) == (5, "prices", "m", None)
    assert say(tokens(claude_opus_4_8=(9000000, 0, 0, 0))) is False
    assert float(world.db.value("select wasted_usd from orch.day_usage")) == 5


def test_what_was_used_is_reserved_no_more(world):
    """J-7, B-7: what a run has used so far comes out of what was reserved for it, and does not count twice."""
    a = world.item()
    job = world.claim()
    world.db.query("update orch.run set reserved_usd = 7")
    known = lambda: [float(x) for x in world.db.query("select sum(usd) as usd, sum(reserved) as reserved from orch.task_cost")[0].values()]
    assert known() == [0, 7]
    world.call("run_usage", job["job_id"], job["epoch"], job["token"], tokens(claude_opus_4_8=(1000000, 0, 0, 0)))
    assert known() == [5, 2]
    world.call("run_usage", job["job_id"], job["epoch"], job["token"], tokens(claude_opus_4_8=(2000000, 0, 0, 0)))
    assert known()[0] == 10
    world.finish(job, "failed")
    assert float(world.db.value("select reserved from orch.task_cost where task_id = %s", world.task_id(a))) == 0


def test_a_fenced_run_tells_nothing(world):
    """T-5, J-7"""
    world.item()
    job = world.claim()
    assert world.call("run_usage", job["job_id"], job["epoch"], str(uuid.uuid4()), tokens(claude_opus_4_8=(1, 1, 1, 1)))[0]["run_usage"] is False


def test_figures_beyond_all_measure(world):
    """J-7: nonsense from an agent does not keep its end from being recorded."""
    world.item()
    assert world.finish(world.claim(), "failed", usage=tokens(x=(10 ** 12,) * 4)) == "recorded"
    assert world.db.value("select cost_usd from orch.run") == 999999


def start(world, job, session=None, resumes=None):
    assert world.call("job_started", job["job_id"], job["epoch"], job["token"], None, "/log", None, None, session, resumes)[0]["job_started"]


def test_sessions_of_earlier_runs(world):
    """J-2: of this job, on this host, newest first; none after one was retired, and no older one either."""
    world.set("job_backoff_s", "0")
    world.item()
    ids = [str(uuid.uuid4()) for _ in range(3)]
    job = world.claim()
    assert job["former_sessions"] is None
    start(world, job, ids[0])
    world.finish(job, "transient")
    job = world.claim()
    assert job["former_sessions"] == f"{job['epoch'] - 2}:{ids[0]}"
    start(world, job, ids[1], ids[0])
    world.finish(job, "transient")
    elsewhere = world.add_process(host="another", boot="boot-2")
    job = world.claim(*elsewhere)
    assert job["former_sessions"] is None
    world.call("job_release", job["job_id"], job["epoch"], job["token"], "a test")
    job = world.claim()
    assert [w.split(":")[1] for w in job["former_sessions"].split()] == [ids[1], ids[0]]
    start(world, job, ids[2], ids[1])
    world.finish(job, "transient", session_retired="refused")
    assert world.claim()["former_sessions"] is None


def open_for_s(world):
    return world.db.value("select extract(epoch from open_until - clock_timestamp())::float from orch.provider_circuit")


def test_until_when_an_account_is_parked(world):
    """J-4: until the time that was said, and a little later; what cannot be a time is not believed."""
    world.item()
    now = int(time.time())
    job = world.claim()
    world.finish(job, "transient", provider_error="used up", provider_retry_at=now + 7200)
    assert 7200 - 30 < open_for_s(world) < 7200 + 70
    assert world.db.value("select attempts from orch.job") == 0


@pytest.mark.parametrize("at", ["1", "99999999999999999999", "now - 5", "now + 86400 * 30"])
def test_times_that_cannot_be(world, at):
    """J-4: an account is not parked for a month because of one number."""
    world.item()
    world.finish(world.claim(), "transient", provider_error="used up", provider_retry_at=eval(at, {"now": int(time.time())}))
    assert open_for_s(world) < 60


def test_another_job_may_know_more(world):
    """J-4: several runs end for one reason, which counts once; the one that was told a time is heard all the same."""
    world.add_project("other", "OTHER")
    world.item()
    world.item(project="other")
    a, b = world.claim(), world.claim()
    world.finish(a, "transient", provider_error="429")
    assert open_for_s(world) < 60
    world.finish(b, "transient", provider_error="used up", provider_retry_at=int(time.time()) + 7200)
    assert open_for_s(world) > 7000 and world.db.value("select failures from orch.provider_circuit") == 1


def test_what_another_attempt_cannot_help(world):
    """J-4: failed at once with an alert; the provider is not asked by the others meanwhile."""
    a = world.item()
    world.finish(world.claim(), "failed", reason="log in", provider_error="log in", final=True)
    assert "log in" in world.task(a)["escalation"]
    assert world.db.value("select status from orch.job") == "failed"
    assert world.db.value("select state from orch.provider_circuit") == "open"


def test_orchctl_usage(world):
    """J-7: by day, repo and model; the dearest items first; what was in vain."""
    world.set("job_backoff_s", "0")
    assert world.operate("usage", 7)["days"] == []
    a = world.item()
    world.finish(world.claim(), "failed", model="claude-opus-4-8", usage=tokens(claude_opus_4_8=(1000000, 0, 0, 0)))
    world.finish(world.claim(), "transient", model="claude-opus-4-8", usage=tokens(claude_opus_4_8=(2000000, 7, 0, 0)))
    said = world.operate("usage", 1)
    assert [(d["repo"], d["model"], d["runs"], d["input"], d["usd"], d["wasted_usd"]) for d in said["days"]] == \
        [("demo", "claude-opus-4-8", 2, 3000000, "15.00", "15.00")]
    assert [(i["work_item"], i["usd"]) for i in said["items"]] == [(a, "15.00")]
    world.db.query("update orch.run set started_at = started_at - interval '3 days'")
    assert world.operate("usage", 2)["items"] == [] and len(world.operate("usage", None)["items"]) == 1


def test_a_run_that_says_nothing_of_its_use_costs_nothing_that_is_known(world):
    """J-7: null is not a lot of money."""
    world.item()
    world.succeed(world.claim())
    assert world.db.query("select usage, cost_usd, cost_source from orch.run") == [{"usage": None, "cost_usd": None, "cost_source": None}]


def test_prices_are_acts(world):
    """J-7, O-2: set again changes nothing; a price counts from its day on; taken away, the one before it counts."""
    cost = lambda day: world.db.value("select usd from orch.usage_cost(%s, %s)", '{"models": {"newest-1": {"input": 1000000, "output": 0, "cache_read": 0, "cache_write": 0}}}', day)
    price = lambda: [(str(p["since"]), p["input"], p["output"], p["cache_read"], p["cache_write"]) for p in world.operate("price_list")["prices"] if p["model"] == "newest"]
    answer = world.operate("price_set", "newest", "4", "20", None, None, "2027-01-01")
    assert answer["message"] == "newest costs 4 in, 20 out, 0.4 remembered and 5 to remember, dollars per million tokens, from 2027-01-01 on"
    world.operate("price_set", "newest", "2", "10", "1", "3", "2027-02-01")
    world.operate("price_set", "newest", "2", "10", "1", "3", "2027-02-01")
    assert [(p[0], *map(float, p[1:])) for p in price()] == [("2027-01-01", 4, 20, 0.4, 5), ("2027-02-01", 2, 10, 1, 3)]
    assert (float(cost("2027-01-31")), float(cost("2027-02-01"))) == (4, 2)
    assert world.operate("price_remove", "newest", "2027-02-01")["message"] == "the price of newest from 2027-02-01 on is removed"
    assert world.operate("price_remove", "newest", "2027-02-01")["message"] == "newest has no price from 2027-02-01 on"
    assert float(cost("2027-02-01")) == 4
    assert world.db.value("select count(*) from orch.audit where act in ('price_set', 'price_remove')") == 5
    assert world.db.value("select count(*) from orch.history where kind = 'setting' and detail ? 'price'") == 3
