"""What has failed, what the next run is told of it, and who counts what (P-5, J-4)."""

import re

import pytest

COUNTERS = {
    # P-5: each counter, and every function that writes it: no path resets another's
    "developer_rounds": {"rework", "retry_escalated", "reject_apply"},
    "attempts": {"job_start", "job_requeue"},
    "crashes": {"job_take_back"},
    "transients": {"job_fail_attempt"},
    "merge_attempts": {"base_moved", "retry_escalated"},
}


def fail(world, job, reason="the agent exited with 1", log="", **report):
    assert world.finish(job, "failed", reason=reason, log_excerpt=log, **report) == "recorded"
    world.db.query("update orch.job set run_at = now() where status = 'queued'")


@pytest.mark.parametrize("counter", COUNTERS)
def test_nobody_else_writes_a_counter(world, counter):
    """P-5, J-4: rounds, attempts, infrastructure retries and merge attempts are separate; all that write one are listed here."""
    tables = {"task": ["developer_rounds", "merge_attempts"], "job": ["attempts", "crashes", "transients"]}
    table = next(t for t, columns in tables.items() if counter in columns)
    functions = world.db.query("select proname, lower(pg_get_functiondef(oid)) as source from pg_proc where pronamespace = 'orch'::regnamespace and prokind = 'f'")
    writers = {f["proname"] for f in functions for update in re.findall(rf"update orch\.{table}\b[^;]*", f["source"])
               if re.search(rf"\b{counter}\s*=", re.split(r"\bwhere\b", update)[0])}
    assert writers == COUNTERS[counter]


def counters(world, item):
    return world.db.row("""select t.developer_rounds, t.merge_attempts, coalesce(sum(j.attempts), 0) as attempts, coalesce(sum(j.crashes), 0) as crashes,
                           coalesce(sum(j.transients), 0) as transients from orch.task t left join orch.job j on j.task_id = t.id and j.active
                           where t.work_item = %s group by t.id""", item)


def test_each_failure_counts_on_its_own_counter(world):
    """P-5, J-4: a provider's failure, a lost worker, a failed attempt and a round of development are counted apart."""
    a = world.item()
    world.work(until="development", item=a)
    world.db.query("update orch.task set merge_attempts = 2")
    world.finish(world.claim(), "transient", reason="429")
    assert counters(world, a) == {"developer_rounds": 0, "merge_attempts": 2, "attempts": 0, "crashes": 0, "transients": 1}
    world.db.query("update orch.job set run_at = now() where status = 'queued'")
    world.claim()
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    world.process, world.epoch = world.add_process(pid=2)
    assert counters(world, a) == {"developer_rounds": 0, "merge_attempts": 2, "attempts": 0, "crashes": 1, "transients": 1}
    fail(world, world.claim())
    assert counters(world, a) == {"developer_rounds": 0, "merge_attempts": 2, "attempts": 1, "crashes": 1, "transients": 1}
    world.work(until="review", item=a)
    world.succeed(world.claim(), "REQUEST_CHANGES")
    assert counters(world, a) == {"developer_rounds": 1, "merge_attempts": 2, "attempts": 0, "crashes": 0, "transients": 0}


def test_the_next_attempt_reads_the_end_of_the_log(world):
    """P-5, J-4: reason, log and digest of what failed before; a first run is told of nothing."""
    world.item()
    job = world.claim()
    assert (job["input"], job["failed_log"], job["earlier"]) == (None, None, None)
    fail(world, job, log="line one\nKeyError: 'unit'\n")
    again = world.claim()
    assert again["input"] == "the agent exited with 1" and again["failed_log"] == "line one\nKeyError: 'unit'\n"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\dZ  analyst: failed, in analysis: the agent exited with 1 \[cause [0-9a-f]{8}\]", again["earlier"])


def test_the_developer_reads_why_ci_is_red(world):
    """P-5: of a red check the log; of a verdict its file says why, so the log of the reviewer is left out."""
    a = world.item()
    world.work(until="development", item=a)
    world.succeed(world.claim())
    ci = world.claim()
    world.finish(ci, ci={"state": "failure"}, reason="the test command exited with 1", log_excerpt="not ok 7 - leap years\n")
    job = world.claim()
    assert job["role"] == "developer" and "CI is red: the test command exited with 1" in job["input"]
    assert job["failed_log"] == "not ok 7 - leap years\n" and "ci_green: failed, in development" in job["earlier"]
    world.succeed(job)
    ci = world.claim()
    assert ci["role"] == "ci" and ci["failed_log"] is None and ci["earlier"] is None
    world.succeed(ci)
    world.finish(world.claim(), evidence=[{"gate": "review_approved", "value": "REQUEST_CHANGES", "file": "12-review.md"}], log_excerpt="I think so")
    job = world.claim()
    assert job["failed_log"] is None and "12-review.md: REQUEST_CHANGES" in job["input"] and job["earlier"].count("\n") == 1


def test_what_is_over_is_not_told_as_the_reason(world):
    """P-5: the next stage gets no log of an attempt that succeeded later; the digest still has it."""
    a = world.item()
    fail(world, world.claim(), log="a stumble")
    world.succeed(world.claim())
    world.operate("approve", a, None)
    job = world.claim()
    assert job["role"] == "architect" and job["failed_log"] is None and "analyst: failed" in job["earlier"]


def test_a_person_s_rejection_is_told(world):
    """P-9, P-5: the comment is the input, and stays in the digest."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("reject", a, "say what happens on an empty line")
    job = world.claim()
    assert job["input"] == "say what happens on an empty line"
    assert "orch_operator: rejected, in analysis: say what happens on an empty line" in job["earlier"] and "cause" not in job["earlier"]


def test_what_the_next_run_gets_is_bounded(world):
    """P-5: whatever is written, the digest has ten lines of bounded length, and the input is cut."""
    world.set("job_max_attempts", "30")
    a = world.item()
    for n in range(14):
        fail(world, world.claim(), reason=f"{chr(97 + n)}\n{'x' * 5000}")
    job = world.claim()
    assert job["earlier"].count("\n") == 9 and len(job["earlier"]) < 4500 and len(job["input"]) < 5000
    world.succeed(job)
    world.operate("reject", a, "y" * 100000)
    assert len(world.claim()["input"]) == 16000


def test_the_same_cause_twice_is_named(world):
    """P-5: numbers, commits, colours and blanks do not make another cause; a success in between begins anew."""
    world.set("job_max_attempts", "9")
    a = world.item()
    fail(world, world.claim(), log="at 16:01:02 commit deadbeef01\n\x1b[31mKeyError: 'unit'\x1b[0m line 12\n")
    fail(world, world.claim(), log="at 16:07:09 commit 0badcafe99\nKeyError:  'unit' line 140\n")
    job = world.claim()
    assert job["earlier"].startswith("The last 2 failures of analyst have the same cause") and "2 times in a row" in job["earlier"]
    fail(world, job, log="at 16:07:09\nKeyError: 'price' line 140\n")
    job = world.claim()
    assert "have the same cause" not in job["earlier"]
    assert world.db.column("select repeats from orch.failure order by id") == [1, 2, 1]
    world.succeed(job)
    world.operate("reject", a, "again")
    fail(world, world.claim(), log="at 16:07:09\nKeyError: 'price' line 140\n")
    assert world.db.column("select repeats from orch.failure where kind = 'attempt' order by id") == [1, 2, 1, 1]


def test_the_same_cause_escalates_early(world):
    """P-5: by the setting same_cause_max; attempts and rounds that are left are not used up on it."""
    world.set("same_cause_max", "2")
    a = world.item()
    fail(world, world.claim(), log="KeyError")
    fail(world, world.claim(), log="KeyError")
    task = world.task(a)
    assert "2 times in a row of the same cause" in task["escalation"] and world.claim() is None
    world.operate("retry", a, "the key is there now")
    world.work(until="development", item=a)
    for _ in range(2):
        world.succeed(world.claim())
        world.finish(world.claim(), ci={"state": "failure"}, reason="exit 1", log_excerpt="not ok 7")
    task = world.task(a)
    assert "2 times in a row" in task["escalation"] and task["developer_rounds"] == 1


def test_a_retry_is_not_refused_for_what_was_noted_already(world):
    """P-5: a person's retry goes on, with a round, although the cause has been seen so often."""
    world.set("same_cause_max", "1")
    a = world.item()
    world.work(until="development", item=a)
    world.succeed(world.claim())
    world.finish(world.claim(), ci={"state": "failure"}, reason="exit 1", log_excerpt="not ok 7")
    assert world.waits(a) == ["escalated"]
    world.operate("retry", a, "look at the leap years")
    job = world.claim()
    assert job["role"] == "developer" and "leap years" in job["input"] and job["failed_log"] == "not ok 7"
    assert world.task(a)["developer_rounds"] == 1 and world.db.value("select count(*) from orch.failure") == 1


def test_equal_reviews_are_one_cause(world):
    """P-5: of a verdict its file is the cause: two equal ones are the same, whatever the agent wrote to its log."""
    a = world.item()
    for blob in ("1" * 40, "1" * 40, "2" * 40):
        world.work(until="review", item=a)
        world.finish(world.claim(), evidence=[{"gate": "review_approved", "value": "REQUEST_CHANGES", "file": "12-review.md", "blob": blob}])
    assert world.db.column("select repeats from orch.failure order by id") == [1, 2, 1]
