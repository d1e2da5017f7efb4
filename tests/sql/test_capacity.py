"""What there is to run a job with: slots, labels, providers, preflight and budgets (S-7, J-4, J-5, J-7)."""

import concurrent.futures
import json

import psycopg2.errors
import pytest


def worker(world, host="testhost", labels=(), preflight=None, pid=50):
    """A live worker that has said what its host has."""
    process, epoch = world.add_process(host=host, pid=pid)
    report(world, process, epoch, labels, preflight)
    return process, epoch


def report(world, process, epoch, labels=(), preflight=None):
    return world.db.value("select orch.process_report(%s, %s, %s, %s)", process, epoch, list(labels), json.dumps(preflight or {}), user="orch_workerd")


def reasons(world, item):
    return [row["reason"] for row in world.call("why", item, user="orch_readonly") if row["axis"] in ("capacity", "budget")]


def open_world(world, n=3):
    """Items that only capacity keeps apart."""
    world.set("serial_gate_enabled", "off")
    world.set("lane_poll_s", "0")
    return [world.item(f"Thing {k}") for k in range(n)]


@pytest.mark.parametrize("scope, name", [("global", None), ("repo", "demo"), ("role", "analyst"), ("host", "testhost")])
def test_a_limit_holds_the_rest_until_one_ends(world, scope, name):
    """S-7: in all, of a repo, of a role, on a host: no more than so many run; who waits is told, and holds no slot."""
    a, b, _ = open_world(world)
    world.operate("limit_set", scope, name, 1)
    first = world.claim()
    assert first["work_item"] == a and world.claim() is None
    assert world.blocks(b) == ["capacity"] and "slots are taken" in reasons(world, b)[0]
    assert world.db.value("select used from orch.capacity_use") == 1
    assert world.db.value("select count(*) from orch.slot where job_id is not null") == 1
    world.finish(first, "failed", reason="x")
    assert world.claim()["work_item"] == b
    world.operate("limit_remove", scope, name)
    assert world.claim() is not None and world.db.value("select count(*) from orch.slot") == 0


@pytest.mark.parametrize("end", ["release", "gone", "finish", "cancel"])
def test_every_end_of_a_claim_gives_its_slot_back(world, end):
    """S-7, J-6: slots are stamped with the claim, so nothing has to be given back by hand."""
    world.set("job_backoff_s", "0")
    a, b, _ = open_world(world)
    world.operate("limit_set", "global", None, 1)
    job = world.claim()
    if end == "release":
        world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")
    elif end == "gone":
        world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
        world.process, world.epoch = world.add_process(pid=9)
    elif end == "cancel":
        world.operate("cancel", a, None)
        world.finish(job, "cancelled")
    else:
        world.succeed(job)
    again = world.claim()
    assert again is not None and world.claim() is None
    assert again["work_item"] in (a, b)


def test_a_lowered_limit_stops_new_claims_only(world):
    """S-7: what runs goes on; new ones start when fewer run than the limit says."""
    open_world(world, 6)
    world.operate("limit_set", "repo", "demo", 4)
    jobs = [world.claim() for _ in range(4)]
    assert all(jobs) and world.claim() is None
    world.operate("limit_set", "repo", "demo", 2)
    for n, job in enumerate(jobs[:3]):
        assert world.claim() is None, n
        assert world.db.value("select used from orch.capacity_use") == 4 - n
        world.finish(job, "failed", reason="x")
    assert world.claim() is not None and world.claim() is None


def test_what_ran_before_the_limit_counts(world):
    """S-7: a limit that is set under running jobs is kept from the first moment."""
    open_world(world)
    first = world.claim()
    world.operate("limit_set", "global", None, 1)
    assert world.claim() is None
    world.finish(first, "failed", reason="x")
    assert world.claim() is not None and world.claim() is None


def test_no_race_overdraws_a_limit(world):
    """S-7: many claim at once, under several limits."""
    open_world(world, 12)
    world.operate("limit_set", "global", None, 5)
    world.operate("limit_set", "repo", "demo", 4)
    processes = [world.add_process(pid=n + 10) for n in range(6)]

    def claim(process):
        connection = world.db.connect("orch_workerd")
        try:
            with connection.cursor() as cursor:
                got = 0
                for _ in range(6):
                    cursor.execute("select job_id from orch.job_claim(%s, %s)", process)
                    got += len(cursor.fetchall())
                return got
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        claimed = sum(pool.map(claim, processes))
    while world.claim():
        claimed += 1
    assert claimed == 4 and world.db.value("select count(*) from orch.job where status = 'running'") == 4
    assert world.db.column("select used from orch.capacity_use order by scope") == [4, 4]


def test_a_zero_limit_starts_nothing(world):
    """S-7: bad input aside, nought is a limit: a role can be switched off."""
    a, *_ = open_world(world)
    world.operate("limit_set", "role", "analyst", 0)
    assert world.claim() is None and world.blocks(a) == ["capacity"]
    world.operate("limit_remove", "role", "analyst")
    assert world.claim()["work_item"] == a


@pytest.mark.parametrize("table, where", [("role", "key = 'analyst'"), ("project", "name = 'demo'")])
def test_labels_a_job_requires(world, table, where):
    """S-7: a job goes to a host that has all its labels; without one it says which are missing."""
    a, *_ = open_world(world)
    world.db.query(f"update orch.{table} set requires = '{{gpu,big}}' where {where}")
    other, epoch = worker(world, host="other", labels=["gpu"])
    assert world.claim() is None and world.claim(other, epoch) is None
    assert world.blocks(a) == ["capacity"] and "gpu, big" in reasons(world, a)[0]
    report(world, other, epoch, ["big", "gpu"])
    assert world.blocks(a) == [] and world.claim() is None
    assert world.claim(other, epoch)["work_item"] == a


def test_preflight_blocks_only_that_worker(world):
    """J-5: a host where an agent cannot be started claims none of its jobs, and says so; another does."""
    a, *_ = open_world(world)
    report(world, world.process, world.epoch, preflight={"analyst": "agent command not found: /nowhere"})
    assert world.claim() is None
    assert world.blocks(a) == ["capacity"] and reasons(world, a) == ["host testhost: agent command not found: /nowhere"]
    assert world.db.value("select value from orch.metric where name = 'orch_preflight_failing'") == 1
    other, epoch = worker(world, host="other")
    assert world.blocks(a) == [] and world.claim() is None
    assert world.claim(other, epoch)["work_item"] == a
    report(world, world.process, world.epoch)
    assert world.claim() is not None


def fail_at_provider(world, job):
    world.finish(job, "transient", reason="429", provider_error="429 rate_limit_error")


def circuit(world):
    return world.db.value("select state from orch.provider_circuit")


def test_a_failing_provider_opens_its_circuit(world):
    """J-4: other jobs do not burn themselves; after the wait one tries, and closes it for all."""
    world.set("job_backoff_s", "0")
    a, b, c = open_world(world)
    jobs = [world.claim(), world.claim()]
    fail_at_provider(world, jobs[0])
    assert circuit(world) == "open" and world.claim() is None
    assert "cannot be asked: 429" in reasons(world, c)[0]
    assert world.db.value("select value from orch.metric where name = 'orch_circuit_open'") == 1
    fail_at_provider(world, jobs[1])
    assert world.db.value("select failures from orch.provider_circuit") == 1  # one failure of the provider, seen by two
    world.db.query("update orch.provider_circuit set open_until = now()")
    probe = world.claim()
    assert probe is not None and circuit(world) == "half-open" and world.claim() is None
    assert "cannot be asked" in reasons(world, c)[0]
    fail_at_provider(world, probe)
    assert circuit(world) == "open" and world.db.value("select failures from orch.provider_circuit") == 2
    world.db.query("update orch.provider_circuit set open_until = now()")
    probe = world.claim()
    world.finish(probe, "failed", reason="exit 1")  # whatever came of it, the provider answered
    assert circuit(world) == "closed"
    assert {job["work_item"] for job in (world.claim(), world.claim(), world.claim())} == {a, b, c}


def test_a_lost_probe_lets_another_try(world):
    """J-4, R-6: the worker that tried is dead."""
    open_world(world)
    fail_at_provider(world, world.claim())
    world.db.query("update orch.provider_circuit set open_until = now()")
    assert world.claim() is not None and world.claim() is None
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    process, epoch = world.add_process(pid=9)
    assert world.claim(process, epoch) is not None and circuit(world) == "half-open"


def test_an_operator_closes_a_circuit(world):
    """J-4, O-2: at once, without a probe."""
    open_world(world)
    fail_at_provider(world, world.claim())
    assert world.claim() is None
    world.operate("circuit_close", "default")
    assert world.claim() is not None and world.claim() is not None


def test_a_transient_failure_of_the_host_opens_nothing(world):
    """J-4: a shim that died says nothing of the provider; and ci asks nobody."""
    open_world(world)
    world.finish(world.claim(), "transient", reason="the shim died")
    assert world.db.value("select count(*) from orch.provider_circuit") == 0 and world.claim() is not None


@pytest.mark.parametrize("setting, what", [("budget_task_usd", "the task"), ("budget_repo_day_usd", "the repo"), ("budget_day_usd", "all agents")])
def test_a_spent_budget_holds_agents(world, setting, what):
    """J-7: caps per task, repo and day; by name, and until when."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("approve", a, None)
    world.db.query("update orch.run set cost_usd = 7.5")
    world.set(setting, "9")
    assert world.blocks(a) == []
    world.set(setting, "7")
    assert world.blocks(a) == ["budget"] and reasons(world, a)[0].startswith(f"{what}") and "7.50 of 7 dollars" in reasons(world, a)[0]
    assert world.claim() is None
    world.set(setting, "0")
    assert world.claim()["role"] == "architect"


def test_yesterdays_money_does_not_count_today(world):
    """J-7: a day's budget begins anew at midnight, by the database's clock."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("approve", a, None)
    world.set("budget_day_usd", "1")
    world.db.query("update orch.run set cost_usd = 7.5, started_at = now() - interval '1 day'")
    assert world.blocks(a) == [] and world.claim() is not None


def cheap(world, role, *usd):
    """Runs of a role that ended well and cost so much each."""
    for cost in usd:
        world.item()
        job = world.claim()
        assert job["role"] == role
        world.succeed(job)
        world.db.query("update orch.run set cost_usd = %s where job_id = %s", cost, job["job_id"])


def test_what_runs_has_its_cost_reserved(world):
    """J-7, B-7: jobs that run at once do not spend a budget twice; the reason says what is reserved; the end settles it."""
    open_world(world, 0)
    world.set("serial_gate_enabled", "off")
    cheap(world, "analyst", 2, 4)
    world.set("budget_day_usd", "13")
    first, second, third = (world.item() for _ in range(3))
    rows = world.call("job_claim", world.process, world.epoch, 3)
    assert [row["work_item"] for row in rows] == [first, second]  # 6 spent, 3 and 3 reserved, 3 more would be too much
    assert world.db.column("select reserved_usd from orch.run where ended_at is null") == [3, 3]
    assert "has cost 6.00 of 13 dollars, 6.00 are reserved for what runs, and the analyst is expected to cost 3.00" in reasons(world, third)[0]
    world.succeed(rows[0])
    world.db.query("update orch.run set cost_usd = 0.5 where job_id = %s", rows[0]["job_id"])
    assert world.blocks(third) == [] and world.claim()["work_item"] == third


def test_without_experience_a_setting_says_what_a_run_costs(world):
    """B-7: no run of the role in this repo has said what it cost."""
    open_world(world, 0)
    a = world.item()
    world.set("budget_estimate_usd", "5")
    world.set("budget_task_usd", "4")
    assert world.blocks(a) == ["budget"] and "the task has cost 0.00 of 4 dollars, and the analyst is expected to cost 5.00" in reasons(world, a)[0]
    assert world.claim() is None
    world.set("budget_task_usd", "5")
    assert world.claim()["work_item"] == a


def test_two_claims_at_once_reserve_one_after_the_other(world):
    """B-7: a claim sees what the claim before it has reserved."""
    open_world(world, 0)
    world.set("serial_gate_enabled", "off")
    world.set("budget_day_usd", "1")
    world.item(), world.item()
    one, other = world.db.connect("orch_workerd"), world.db.connect("orch_workerd")
    one.autocommit = False
    first, second = one.cursor(), other.cursor()
    first.execute("select job_id from orch.job_claim(%s, %s)", (world.process, world.epoch))
    assert len(first.fetchall()) == 1
    second.execute("set lock_timeout = '300ms'")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        second.execute("select job_id from orch.job_claim(%s, %s)", (world.process, world.epoch))
    one.commit()
    second.execute("select job_id from orch.job_claim(%s, %s)", (world.process, world.epoch))
    assert second.fetchall() == []
    one.close(), other.close()


def of_three_under_way(world):
    """How many of three agents of tasks under way one claim starts; what it might take together is asked about at once."""
    open_world(world)
    for job in world.call("job_claim", world.process, world.epoch, 3):
        world.succeed(job)
        world.operate("approve", job["work_item"], None)
    assert world.db.column("select role from orch.job where status = 'queued'") == 3 * ["architect"]
    return lambda: len(world.call("job_claim", world.process, world.epoch, 3))


@pytest.mark.parametrize("scope, name", [("global", None), ("repo", "demo"), ("role", "architect"), ("host", "testhost")])
def test_a_batch_overdraws_no_limit(world, scope, name):
    """S-7: slots are taken one by one."""
    claims = of_three_under_way(world)
    world.operate("limit_set", scope, name, 2)
    assert claims() == 2 and claims() == 0


def test_a_batch_overdraws_no_budget(world):
    """J-7: what the first of them reserves is seen by the next."""
    claims = of_three_under_way(world)
    world.set("budget_estimate_usd", "5")
    world.set("budget_day_usd", "12")
    assert claims() == 2 and claims() == 0


def test_of_a_batch_one_tries_a_provider(world):
    """J-4: the others wait for what it finds."""
    claims = of_three_under_way(world)
    world.db.query("insert into orch.provider_circuit (provider, state, open_until, reason, failures) values ('default', 'open', now(), '429', 1)")
    assert claims() == 1 and circuit(world) == "half-open" and claims() == 0


def test_a_lease_that_another_has_is_a_block(world):
    """T-1, S-14: the axis, the claim and the chain of waits say the same."""
    open_world(world, 0)
    world.set("serial_gate_enabled", "off")
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    process, _ = world.add_process(pid=77, host="elsewhere")
    world.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose) values (%s, %s, 0, gen_random_uuid(), 'deployer')", world.task_id(a), process)
    assert world.blocks(a) == ["lease"] and world.waits(a) == ["lease"] and world.claim() is None
    assert "a worker of elsewhere still has the transition lease" in world.call("why", a, user="orch_readonly")[0]["reason"]
    assert [row["via"] for row in world.call("waits_chain", a, user="orch_readonly")] == ["lease"]
    world.db.query("delete from orch.transition_lease")
    assert world.blocks(a) == [] and world.claim()["work_item"] == a


def knows(world, process, epoch, *kinds):
    return world.db.value("select orch.process_report(%s, %s, '{}', '{}', %s)", process, epoch, list(kinds), user="orch_workerd")


def test_a_worker_is_given_no_job_of_a_kind_that_it_does_not_know(world):
    """J-1, B-5: in an upgrade workers of two releases take jobs: what is new waits for one that knows it, and burns no attempt."""
    world.set("lane_poll_s", "0")
    item = world.item()
    world.work(until="development", item=item)
    world.succeed(world.claim())
    job = world.db.row("select * from orch.job where status = 'queued'")
    assert job["kind"] == "ci"
    knows(world, world.process, world.epoch, "agent", "merge")
    assert world.claim() is None and world.blocks(item) == ["capacity"]
    assert reasons(world, item) == ["host testhost: its release knows no jobs of kind ci; upgrade it"]
    assert world.db.row("select attempts, epoch from orch.job where id = %s", job["id"]) == {"attempts": 0, "epoch": 0}
    newer, epoch = world.add_process(pid=77)
    knows(world, newer, epoch, "agent", "ci", "merge")
    assert world.claim() is None and reasons(world, item) == []
    assert world.claim(newer, epoch)["job_id"] == job["id"]


def test_a_worker_that_does_not_say_knows_the_kinds_of_the_release_before(world):
    """B-5: it never said so; a kind that came later is not for it."""
    world.set("lane_poll_s", "0")
    assert set(world.db.value("select kinds from orch.worker")) == {"agent", "ci", "check", "integrate", "merge", "deploy", "finalize"}
    world.db.query("alter table orch.role drop constraint role_kind_check")
    world.db.query("update orch.role set kind = 'divine' where key = 'analyst'")
    item = world.item()
    assert report(world, world.process, world.epoch) is True
    assert world.claim() is None and "no jobs of kind divine" in reasons(world, item)[0]


def test_an_orphan_is_adopted_by_who_knows_its_kind(world):
    """J-8, B-5: also when the upgrade is rolled back under its run."""
    item = world.item()
    world.work(until="development", item=item)
    world.succeed(world.claim())
    job = world.claim()
    assert job["kind"] == "ci"
    world.db.query("update orch.job set orphaned_at = now() where status = 'running'")
    older, epoch = world.add_process(pid=78)
    knows(world, older, epoch, "agent")
    assert world.call("orphans", older, epoch) == [] and world.call("job_adopt", older, epoch, job["job_id"], job["epoch"]) == []
    knows(world, older, epoch, "agent", "ci")
    assert [o["job_id"] for o in world.call("orphans", older, epoch)] == [job["job_id"]]
