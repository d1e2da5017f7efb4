"""The merge gate: the life of the merge lease, tries, and what the integrator's and the merger's findings lead to (M-1, M-2, M-4)."""

import pytest

from world import fake_sha


@pytest.fixture
def integrating(world):
    """An item whose integrator is at work in deploy-staging."""
    world.item()
    world.work(until="deploy-staging", item="DEMO-1")
    return world.until("integrator")


def holder(world):
    return next(iter(world.db.column("select t.work_item from orch.merge_lease m join orch.task t on t.id = m.task_id")), None)


def merge_moves(world):
    return world.db.column("select detail ->> 'merge' from orch.history where kind = 'lease' and detail ? 'merge' order by id")


def intend(world, job, what, head, base=None):
    return world.call("job_intent", job["job_id"], job["epoch"], job["token"], what, head, base or fake_sha())[0]["job_intent"]


def rebased(world, job, value="ready", **more):
    """Ends an integrator that has rebased; the new head."""
    head = fake_sha()
    patch = world.task("DEMO-1")["patch_id"]
    assert intend(world, job, "push", head)
    world.finish(job, head_sha=head, code_tree=fake_sha(), patch_id=patch, base_sha=fake_sha(),
                 evidence=[{"gate": "merge_ready", "value": value}], **more)
    return head


def with_patch(world):
    """The reviewer's evidence, and the task, have a patch-id, as real runs give it."""
    world.db.query("update orch.task set patch_id = repeat('7', 40); update orch.evidence set patch_id = repeat('7', 40)")


def answer(world, gate):
    return world.db.row("select a.result, a.reason from orch.task t, orch.gate_result(t, %s) a", gate)


# --- the lease ------------------------------------------------------------------------------------------------------

def test_held_from_the_first_rebase_until_the_merge(world, integrating):
    """M-1: also while it waits for a person to confirm the deploy."""
    assert holder(world) == "DEMO-1"
    world.succeed(integrating)
    assert world.task("DEMO-1")["stage"] == "deploy" and holder(world) == "DEMO-1"
    world.work()
    assert world.task("DEMO-1")["stage"] == "done" and holder(world) is None
    assert merge_moves(world) == ["taken", "given back"]
    assert answer(world, "merge_ready")["result"] == "pass", "it was ready; nobody waits for the lease of a done item"


@pytest.mark.parametrize("value", ["failed"])
def test_given_back_with_the_stage_that_keeps_it(world, integrating, value):
    """M-2, P-5: a conflict sends back, with the files, and the lease is free in the same transaction."""
    world.finish(integrating, evidence=[{"gate": "merge_ready", "value": value}], reason="conflicts in: src/x.c")
    task = world.task("DEMO-1")
    assert (task["stage"], task["developer_rounds"]) == ("development", 1) and holder(world) is None
    assert "conflicts in: src/x.c" in world.claim()["input"]


def test_given_back_by_a_cancellation(world, integrating):
    """C-3, C-5: parked on the confirmation it is no reason to wait."""
    world.succeed(integrating)
    world.operate("cancel", "DEMO-1", None)
    assert world.db.value("select stage from orch.task") == "cancelled" and holder(world) is None


def test_a_running_job_under_the_lease_is_the_critical_window(world, integrating):
    """C-5, C-6: a cancellation waits for it, and is applied when it has ended."""
    assert "deferred" in world.operate("cancel", "DEMO-1", None)["message"]
    world.succeed(integrating)
    assert world.db.value("select stage from orch.task") == "cancelled" and holder(world) is None


def test_who_waits_for_it_is_told_who_has_it(world, integrating):
    """M-1, S-14, B-6: in why, in waits-for, in the queue."""
    world.set("serial_gate_enabled", "off")
    other = world.item("b")
    world.work(item=other)
    assert world.waits(other) == ["lease"]
    said = world.call("why", other, user="orch_readonly")[0]
    assert "DEMO-1 has the merge lease of repo demo since" in said["reason"] and "orchctl lease release DEMO-1" in said["ends_when"]
    assert ("lease", "DEMO-1") in [(w["via"], w["holder"]) for w in world.call("waits_chain", other, user="orch_readonly")]
    world.succeed(integrating)
    assert world.claim() is None  # DEMO-1 waits for a person, and keeps it


@pytest.mark.parametrize("act", ["pause", "lease_release"])
def test_whoever_is_held_up_lets_others_merge(world, integrating, act):
    """S-8, P-5: and brings its branch up to date again when it goes on: it is held, not rolled back."""
    world.succeed(integrating)
    world.operate(act, "DEMO-1", *(["x"] if act == "pause" else []))
    assert holder(world) is None
    if act == "pause":
        world.operate("resume", "DEMO-1")
    world.operate("approve", "DEMO-1", None)
    assert world.task("DEMO-1")["stage"] == "deploy" and world.claim()["role"] == "integrator" and holder(world) == "DEMO-1"


@pytest.mark.parametrize("act", ["pause", "lease_release"])
def test_a_deploy_that_was_to_begin_does_not_begin_without_the_lease(world, integrating, act):
    """M-1, S-8: the releaser was queued already; others may merge now, so the branch is brought up to date before anything is deployed."""
    world.succeed(integrating)
    world.operate("approve", "DEMO-1", None)
    world.succeed(world.claim())
    assert [(j["role"], j["status"]) for j in world.jobs("DEMO-1")][-1] == ("releaser", "queued")
    world.operate(act, "DEMO-1", *(["x"] if act == "pause" else []))
    assert holder(world) is None
    if act == "pause":
        world.operate("resume", "DEMO-1")
    again = world.claim()
    assert again["role"] == "integrator" and holder(world) == "DEMO-1"
    world.succeed(again)
    assert world.claim()["role"] == "releaser"


def test_a_releaser_that_is_at_work_keeps_the_lease(world, integrating):
    """M-1, M-3: it may begin the deploy at any moment."""
    world.succeed(integrating)
    world.operate("approve", "DEMO-1", None)
    job = world.until("releaser")
    world.operate("pause", "DEMO-1", "x")
    assert holder(world) == "DEMO-1"
    world.operate("resume", "DEMO-1")
    world.succeed(job)
    world.work()
    assert world.task("DEMO-1")["stage"] == "done"


def test_a_lease_that_was_given_up_after_the_rebase_voids_it(world, integrating):
    """M-1: somebody else may have merged: the same integrator's job runs again in the same visit."""
    world.succeed(integrating)
    world.operate("approve", "DEMO-1", None)
    again = world.claim()
    world.operate("pause", "DEMO-1", "x")
    assert holder(world) == "DEMO-1"  # it is at it
    world.operate("resume", "DEMO-1")
    world.db.query("delete from orch.merge_lease")
    world.succeed(again)
    assert answer(world, "merge_ready")["result"] == "wait"
    third = world.claim()
    assert (third["role"], third["job_id"], third["attempt"]) == ("integrator", again["job_id"], 2)
    world.succeed(third)
    world.work()
    assert world.task("DEMO-1")["stage"] == "done"


def test_a_deploy_that_has_begun_keeps_it(world, integrating):
    """M-1, M-3: production may run what is not merged yet."""
    world.succeed(integrating)
    world.operate("approve", "DEMO-1", None)
    world.succeed(world.until("releaser"))
    world.operate("pause", "DEMO-1", "x")
    assert "keeps the merge lease" in world.operate("lease_release", "DEMO-1")["message"]
    assert holder(world) == "DEMO-1"
    listed = world.operate("lease_list")["merge_leases"]
    assert [(row["repo"], row["work_item"], row["stage"]) for row in listed] == [("demo", "DEMO-1", "deploy")]


def test_the_sweep_takes_only_what_is_provably_stale(world, integrating):
    """R-7: a dead worker is no proof, its task still stands there; a task that is elsewhere is."""
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert holder(world) == "DEMO-1"
    world.db.query("update orch.merge_lease set task_id = %s", world.task_id(world.item("b")))
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert holder(world) is None


# --- tries ----------------------------------------------------------------------------------------------------------

def test_a_base_that_moves_is_tried_again_then_stepped_aside_then_escalated(world, integrating):
    """M-1, P-5: five tries, then others go first for a while; at ten a person is asked. No attempt of the job is burnt."""
    job = integrating
    for n in range(1, 10):
        assert world.finish(job, "base-moved", reason=f"main went on, {n}") == "recorded"
        assert world.task("DEMO-1")["merge_attempts"] == n
        assert holder(world) == (None if n == 5 else "DEMO-1")
        if n == 5:
            assert world.claim() is None and world.waits("DEMO-1") == ["backoff"]
            assert 290 < world.db.value("select extract(epoch from run_at - now()) from orch.job where status = 'queued'") <= 300
            world.db.query("update orch.job set run_at = now() where status = 'queued'")
        job = world.claim()
        assert (job["role"], job["attempt"]) == ("integrator", 1)
    world.finish(job, "base-moved", reason="main went on")
    task = world.task("DEMO-1")
    assert "moved 10 times" in task["escalation"] and task["stage"] == "deploy-staging" and task["developer_rounds"] == 0
    assert holder(world) is None
    world.operate("retry", "DEMO-1", None)
    assert world.task("DEMO-1")["merge_attempts"] == 0


def test_what_no_attempt_can_mend_is_escalated_at_once(world, integrating):
    """P-5: a branch that somebody else has moved or deleted: a person is told why, and nothing is tried again."""
    world.finish(integrating, "failed", reason="somebody has deleted the branch", final=True)
    task = world.task("DEMO-1")
    assert "somebody has deleted the branch" in task["escalation"] and task["stage"] == "deploy-staging"


# --- rebase ---------------------------------------------------------------------------------------------------------

def test_a_rebase_keeps_review_and_staging(world, integrating):
    """M-1, P-4: the patch is the same and the test is green: what staging said is kept, and the ledger says why."""
    with_patch(world)
    head = rebased(world, integrating)
    task = world.task("DEMO-1")
    assert (task["stage"], task["head_sha"], task["pushing"]) == ("deploy", head, [])
    kept = world.db.row("select * from orch.evidence where gate = 'staging_ok' order by id desc limit 1")
    assert kept["sha"] == head and "the branch was rebased" in kept["detail"]["kept"]


def test_a_rebase_that_changes_the_change_goes_back_to_review(world, integrating):
    """P-4: and counts no round of development."""
    with_patch(world)
    world.db.query("update orch.task set patch_id = repeat('8', 40)")
    rebased(world, integrating)
    task = world.task("DEMO-1")
    assert (task["stage"], task["developer_rounds"]) == ("review", 0) and holder(world) is None
    job = world.claim()
    assert job["role"] == "reviewer" and "rebase has changed what was reviewed" in job["input"]
    world.succeed(job)
    world.work()
    assert world.task("DEMO-1")["stage"] == "done"


def test_a_red_test_sends_back_from_the_rebased_head(world, integrating):
    """P-5: the next developer starts where the branch is."""
    head = rebased(world, integrating, "failed", reason="the test command exited with 1")
    task = world.task("DEMO-1")
    assert (task["stage"], task["head_sha"]) == ("development", head)
    assert "exited with 1" in world.claim()["input"]


@pytest.mark.parametrize("outcome", ["transient", "base-moved", "failed"])
def test_a_pushed_head_is_recorded_whatever_comes_of_it(world, integrating, outcome):
    """T-5: the branch is there now."""
    head = fake_sha()
    assert intend(world, integrating, "push", head)
    world.finish(integrating, outcome, reason="x", head_sha=head, code_tree=fake_sha())
    assert world.task("DEMO-1")["head_sha"] == head and world.task("DEMO-1")["pushing"] == []


def test_an_intention_survives_its_worker(world, integrating):
    """R-6: whoever goes on is told which heads are ours; who was fenced cannot say any more."""
    head = fake_sha()
    assert intend(world, integrating, "push", head) and intend(world, integrating, "push", head)
    world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
    world.process, world.epoch = world.add_process(pid=2)
    again = world.claim()
    assert (again["job_id"], again["pushing"], again["rebase_always"]) == (integrating["job_id"], f"{{{head}}}", True)
    assert not intend(world, integrating, "push", fake_sha())
    assert world.task("DEMO-1")["pushing"] == [head]


def test_what_runs_are_told(world, integrating):
    """M-1, M-4: whether the head is tested, and on what; the command; the markers."""
    assert integrating["tested"] and integrating["tested_base"] is None and integrating["command"] == "true"
    world.operate("project_command_set", "demo", "retest", "make retest")
    world.operate("project_set", "demo", "integrity_markers", "README.md:Keep me\nLICENSE")
    base = fake_sha()
    world.finish(integrating, base_sha=base, evidence=[{"gate": "merge_ready", "value": "ready"}])
    world.operate("approve", "DEMO-1", None)
    again = world.claim()
    assert (again["tested_base"], again["command"], again["integrity_markers"]) == (base, "make retest", "README.md:Keep me\nLICENSE")


# --- the merge ------------------------------------------------------------------------------------------------------

@pytest.fixture
def merging(world, integrating):
    world.succeed(integrating)
    world.operate("approve", "DEMO-1", None)
    return world.until("merger")


def test_a_mismatch_freezes_and_asks_a_person(world, merging):
    """M-4: neither done nor sent back: frozen, alerted once, Blocked; the freeze outlives the approval."""
    world.finish(merging, evidence=[{"gate": "merge_verified", "value": "mismatch"}], reason="main has another tree")
    assert world.task("DEMO-1")["stage"] == "deploy" and world.waits("DEMO-1") == ["person"]
    frozen = world.operate("freeze_list")["freezes"]
    assert len(frozen) == 1 and "main has another tree" in frozen[0]["reason"] and frozen[0]["work_item"] == "DEMO-1"
    assert world.shown("DEMO-1")[-1] == "blocked" and len(world.effects("alert", "DEMO-1")) == 1
    assert answer(world, "merge_verified")["result"] == "inconclusive"
    world.operate("approve", "DEMO-1", "looked at it")
    assert world.db.value("select stage from orch.task where work_item = 'DEMO-1'") == "done"
    assert len(world.operate("freeze_list")["freezes"]) == 1 and holder(world) is None


def test_a_rejected_mismatch_goes_back_to_development(world, merging):
    """M-4, P-9."""
    world.finish(merging, evidence=[{"gate": "merge_verified", "value": "mismatch"}], reason="x")
    world.operate("reject", "DEMO-1", "our work is gone, do it again")
    assert world.task("DEMO-1")["stage"] == "development" and "our work is gone" in world.claim()["input"]


def test_a_merge_on_a_base_that_was_tested_again_is_in_the_ledger(world, merging):
    """M-4: said before the merge, so that whoever goes on after a crash knows what it was tested on."""
    base = fake_sha()
    assert merging["tested_base"] is None
    assert intend(world, merging, "merge", world.task("DEMO-1")["head_sha"], base)
    world.db.query("update orch.evidence set base_sha = %s where gate = 'merge_ready'", fake_sha())
    assert intend(world, merging, "merge", world.task("DEMO-1")["head_sha"], base)
    assert intend(world, merging, "merge", world.task("DEMO-1")["head_sha"], base)
    assert world.db.column("select detail ->> 'reason' from orch.evidence where gate = 'merge_ready' and base_sha = %s", base) == \
        ["merged with a base that has moved, it was tested again"]
    world.succeed(merging)
    assert world.task("DEMO-1")["stage"] == "done"


def test_a_stale_reading_of_the_code_does_not_count(world, integrating):
    """M-1, P-4: what was ready is not once the code is another."""
    world.succeed(integrating)
    world.db.query("update orch.task set code_tree = %s", fake_sha())
    assert answer(world, "merge_ready")["result"] == "wait"


def test_what_an_agent_is_about_to_push_is_noted(world):
    """P-4, T-5, B-5: for its run only, and its base stays; said by workers of the release before in their own words; fenced as ever."""
    item = world.item()
    job = world.claim()
    world.call("job_started", job["job_id"], job["epoch"], job["token"], 7, "/log", "b" * 40)
    said = lambda: world.db.row("select head_sha, base_sha from orch.run order by id desc limit 1")
    assert world.call("job_intent", job["job_id"], job["epoch"], job["token"], "push", "1" * 40, "")[0]["job_intent"]
    assert said() == {"head_sha": "1" * 40, "base_sha": "b" * 40} and world.task(item)["pushing"] == []
    assert world.call("job_pushing", job["job_id"], job["epoch"], job["token"], "2" * 40)[0]["job_pushing"]
    assert said() == {"head_sha": "2" * 40, "base_sha": "b" * 40}
    world.operate("cancel", item, "not wanted")
    assert not world.call("job_intent", job["job_id"], job["epoch"], job["token"], "push", "3" * 40, "")[0]["job_intent"]
    assert said()["head_sha"] == "2" * 40
