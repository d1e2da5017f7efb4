"""Runs that outlive their worker, reaper tiers and transition leases, as far as rows go (J-6, J-8, M-1, R-6, R-7, T-1 to T-5)."""

import pytest


def start(world, job, pid=4711):
    return world.call("job_started", job["job_id"], job["epoch"], job["token"], pid, "/log", None)[0]["job_started"]


def gone(world, process, host_dead=False):
    return world.call("process_gone", process, "pid 1 does not exist", host_dead, user="orch_reaperd")[0]["process_gone"]


def orphans(world, process, epoch):
    return [row["job_id"] for row in world.call("orphans", process, epoch)]


def adopt(world, process, epoch, job):
    rows = world.call("job_adopt", process, epoch, job["job_id"], job["epoch"])
    return rows[0] if rows else None


def wants_orphans(world, process, epoch):
    return world.call("process_beat", process, epoch, False)[0]["orphans_wanted"]


def test_job_of_a_dead_worker_is_adopted(world):
    """J-8, T-5: same epoch, new token; the old owner is fenced, the run is the same."""
    world.item()
    job = world.claim()
    assert start(world, job)
    assert gone(world, world.process) == 1
    heir = world.add_process(pid=2)
    assert wants_orphans(world, *heir) and orphans(world, *heir) == [job["job_id"]]
    mine = adopt(world, *heir, job)
    assert (mine["epoch"], mine["attempt"], mine["docs_dir"]) == (job["epoch"], 1, job["docs_dir"]) and mine["token"] != job["token"]
    assert world.succeed(job) == "fenced" and not start(world, job)
    assert not wants_orphans(world, *heir)
    assert world.succeed(mine) == "recorded"
    assert world.db.column("select outcome from orch.run") == ["success"]


def test_one_heir_only(world):
    """J-1: of two that adopt, one does."""
    world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    a, b = world.add_process(pid=2), world.add_process(pid=3)
    assert [adopt(world, *a, job) is None, adopt(world, *b, job) is None] == [False, True]


def test_an_orphan_is_not_claimable_and_runs_once(world):
    """J-1: while it waits for adoption nobody else gets it, and its repo's gate stays closed."""
    _, b = world.item(), world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    heir = world.add_process(pid=2)
    assert world.claim(*heir) is None and world.blocks(b) == ["active-task"]


@pytest.mark.parametrize("host, boot", [("otherhost", "boot-1"), ("testhost", "boot-2")])
def test_only_the_same_host_and_boot_adopts(world, host, boot):
    """T-2, J-8: shims live on one host, during one boot."""
    world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    stranger = world.add_process(pid=2, host=host, boot=boot)
    assert not wants_orphans(world, *stranger) and orphans(world, *stranger) == [] and adopt(world, *stranger, job) is None
    assert not world.call("orphan_lost", *stranger, job["job_id"], job["epoch"], "none here", user="orch_reaperd")[0]["orphan_lost"]


def test_a_dead_host_s_jobs_are_given_back(world):
    """R-6, J-8: after a crash of the host nothing is left to adopt."""
    world.item()
    job = world.claim()
    start(world, job)
    assert gone(world, world.process, host_dead=True) == 1
    again = world.claim(*world.add_process(pid=2, host="otherhost"))
    assert again["job_id"] == job["job_id"] and again["epoch"] > job["epoch"] and again["attempt"] == 1
    assert world.succeed(job) == "fenced"


def test_a_job_without_a_shim_is_given_back(world):
    """R-6: a claim whose agent was never started has nothing that could live on."""
    world.item()
    job = world.claim()
    gone(world, world.process)
    assert world.claim(*world.add_process(pid=2))["job_id"] == job["job_id"]


def test_an_orphan_without_a_shim_is_lost(world):
    """R-6: the second signal; asked again it changes nothing."""
    world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    heir = world.add_process(pid=2)

    def lost():
        return world.call("orphan_lost", *heir, job["job_id"], job["epoch"], "the lock is free, there is no status", user="orch_reaperd")[0]["orphan_lost"]

    assert [lost(), lost()] == [True, False]
    assert world.db.row("select status, crashes from orch.job") == {"status": "queued", "crashes": 1}
    assert world.claim(*heir)["crashed"]


def test_one_more_beat_is_no_silence(world):
    """R-6: who was silent and has beaten since is not dead; said twice of a dead one, it is heard once (R-8)."""
    world.item()
    job = world.claim()
    start(world, job)

    def silent(beats):
        return world.call("process_gone", world.process, "silent for 75 s", True, beats, user="orch_reaperd")[0]["process_gone"]

    seen = world.db.value("select beat_count from orch.process where id = %s", world.process)
    world.call("process_beat", world.process, world.epoch, False)
    assert silent(seen) is None and world.db.value("select status from orch.job") == "running"
    assert [silent(seen + 1), silent(seen + 1)] == [1, None]
    assert world.db.row("select status, crashes from orch.job") == {"status": "queued", "crashes": 1}


def stranded(world, job):
    rows = [row for row in world.call("orphan_list", 10, user="orch_reaperd") if row["stranded"]]
    assert all((row["job_id"], row["host"], row["boot_id"]) == (job["job_id"], "testhost", "boot-1") for row in rows)
    given_back = world.call("orphan_stranded", job["job_id"], job["epoch"], "no worker", user="orch_reaperd")[0]["orphan_stranded"]
    assert given_back == (len(rows) == 1)
    return given_back


def test_an_orphan_of_a_host_without_workers_is_given_back(world):
    """R-6, J-8: the host died, or lost its last worker, after the run had become an orphan."""
    world.item()
    job = world.claim()
    assert not stranded(world, job)
    start(world, job)
    gone(world, world.process)
    heir, epoch = world.add_process(pid=2)
    world.add_process(pid=3, host="otherhost")
    assert not stranded(world, job)
    world.call("process_handover", heir, epoch)
    world.add_process(pid=2, boot="boot-2")
    assert [stranded(world, job), stranded(world, job)] == [True, False]
    assert world.db.row("select status, crashes from orch.job") == {"status": "queued", "crashes": 1}


def test_handover_keeps_runs_and_releases_the_rest(world):
    """J-8: a worker that leaves in order."""
    world.set("serial_gate_enabled", "off")
    world.item("a")
    world.item("b")
    runs, waits = world.claim(), world.claim()
    start(world, runs)
    assert world.call("process_handover", world.process, world.epoch)[0]["process_handover"] == 2
    rows = world.db.query("select id, status, attempts, orphaned_at is not null as orphan from orch.job order by id")
    assert rows == [{"id": runs["job_id"], "status": "running", "attempts": 1, "orphan": True},
                    {"id": waits["job_id"], "status": "queued", "attempts": 0, "orphan": False}]
    assert world.call("process_handover", world.process, world.epoch)[0]["process_handover"] == 0
    assert adopt(world, *world.add_process(pid=2), runs)["claimed_s"] >= 0


def test_a_cancelled_orphan_is_stopped_by_its_heir(world):
    """C-3, J-6: the wish to stop waits for whoever adopts; a lost one ends the cancellation."""
    a = world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    world.operate("cancel", a, None)
    heir = world.add_process(pid=2)
    mine = adopt(world, *heir, job)
    assert world.call("process_beat", *heir, False)[0]["stop_jobs"] == [job["job_id"]]
    world.finish(mine, "cancelled")
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_a_cancelled_orphan_that_is_lost_is_cancelled(world):
    """J-6: nothing of a cancelled task is requeued, here neither."""
    a = world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    world.operate("cancel", a, None)
    world.call("orphan_lost", *world.add_process(pid=2), job["job_id"], job["epoch"], "gone", user="orch_reaperd")
    assert world.db.value("select stage from orch.task") == "cancelled"


def test_ceiling_takes_back_whatever_the_owner_claims(world):
    """R-6, T-3: tier 3 needs no signal, alerts, and fences the owner."""
    a = world.item()
    job = world.claim()
    start(world, job)
    assert world.call("reap_overdue", 10, user="orch_reaperd")[0]["reap_overdue"] == 0
    world.db.query("update orch.job set claimed_at = now() - interval '1 day'")
    assert world.call("reap_overdue", 10, user="orch_reaperd")[0]["reap_overdue"] == 1
    assert world.succeed(job) == "fenced" and "taken back" in world.effects("alert", a)[0]["text"]
    assert world.db.value("select status from orch.job") == "queued"


def to_merger(world, item):
    world.work(until="deploy", item=item)
    world.operate("approve", item, None)
    return world.until("merger")


def leases(world):
    return world.db.query("select work_item, purpose, alive from orch.lease", user="orch_readonly")


def test_side_effects_need_the_transition_lease(world):
    """T-1: rebase, deploy and merge own it while they run; nothing else does."""
    a = world.item()
    world.work(until="deploy", item=a)
    assert leases(world) == []
    world.operate("approve", a, None)
    for role in ("integrator", "releaser", "finalizer", "merger"):
        job = world.claim()
        assert leases(world) == [{"work_item": a, "purpose": role, "alive": True}]
        world.succeed(job)
        assert leases(world) == []
    assert world.task(a)["stage"] == "done"


def test_a_live_owner_keeps_others_out(world):
    """T-1: a second actor that sees a live owner does not start the work at all; a dead owner's lease is taken over."""
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    owner, _ = world.add_process(pid=9)
    world.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose) values (%s, %s, 0, gen_random_uuid(), 'finalizer')",
                   world.task_id(a), owner)
    assert world.claim() is None
    gone(world, owner)
    assert world.claim()["role"] == "integrator"


@pytest.mark.parametrize("key, value", [("transition_lease_enabled", "off"), ("transition_lease_repos", "other")])
def test_lease_switched_off_leaves_the_compare_and_swap(world, key, value):
    """T-4, S-12."""
    world.set(key, value)
    a = world.item()
    merger = to_merger(world, a)
    assert leases(world) == []
    world.succeed(merger)
    assert world.task(a)["stage"] == "done"


def test_operator_releases_by_force(world):
    """T-3, O-2: the job under the lease is taken back, so that its owner is fenced; asked again nothing happens."""
    a = world.item()
    to_merger(world, a)
    assert "will run again" in world.operate("lease_release", a)["message"]
    assert leases(world) == []
    assert "has no transition lease" in world.operate("lease_release", a)["message"]
    world.db.query("update orch.job set run_at = now() where status = 'queued'")  # its agent has surely stopped
    world.succeed(world.claim())
    assert world.task(a)["stage"] == "done"


def test_leases_go_with_an_adopted_run(world):
    """T-2: the lease of a deploy that outlives its worker goes to the heir."""
    a = world.item()
    world.work(until="deploy", item=a)
    world.operate("approve", a, None)
    job = world.until("releaser")
    start(world, job)
    gone(world, world.process)
    world.process, world.epoch = heir = world.add_process(pid=2)
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert leases(world) == [{"work_item": a, "purpose": "releaser", "alive": False}]
    world.succeed(adopt(world, *heir, job))
    assert leases(world) == []
    for _ in range(2):
        world.succeed(world.claim())
    assert world.task(a)["stage"] == "done"


def test_leases_of_the_dead_are_reclaimed(world):
    """R-7: a merge lease of a task in a stage that does not keep it, a transition lease without a living owner."""
    a = world.item()
    world.db.query("insert into orch.merge_lease (repo_id, task_id) select repo_id, id from orch.task")
    dead, _ = world.add_process(pid=8)
    gone(world, dead)
    world.db.query("insert into orch.transition_lease (task_id, process_id, epoch, token, purpose) values (%s, %s, 0, gen_random_uuid(), 'x')", world.task_id(a), dead)
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert world.db.value("select count(*) from orch.merge_lease") == world.db.value("select count(*) from orch.transition_lease") == 0


def test_beats_are_counted(world):
    """T-2: who watches from another host sees a number that moves, and no clock."""
    def count():
        return [r["beat_count"] for r in world.call("process_beats", 10, user="orch_reaperd") if r["process_id"] == world.process]

    first = count()
    world.call("process_beat", world.process, world.epoch, False)
    assert count() == [first[0] + 1]


def test_a_run_that_was_announced_may_have_a_shim(world):
    """J-8: between the announcement and the pid the shim may have been started: nobody else runs the job."""
    world.item()
    job = world.claim()
    assert start(world, job, pid=None)
    gone(world, world.process)
    heir = world.add_process(pid=2)
    assert world.claim(*heir) is None and orphans(world, *heir) == [job["job_id"]]


def test_a_beat_names_what_is_held(world):
    """T-5: a worker whose job was taken back by force sees at its next beat that it holds it no more."""
    world.item()
    job = world.claim()

    def held():
        return world.call("process_beat", world.process, world.epoch, False)[0]["held_jobs"]

    assert held() == [job["job_id"]]
    world.db.query("update orch.job set claimed_at = now() - interval '1 day'")
    world.call("reap_overdue", 10, user="orch_reaperd")
    assert held() == []


def test_which_claims_are_over(world):
    """J-9: what runs, an orphan too, is not over; an earlier epoch and a job that is gone are."""
    world.item()
    job = world.claim()
    start(world, job)
    gone(world, world.process)
    mine = (job["job_id"], job["epoch"])
    asked = [mine, (mine[0], mine[1] + 1), (mine[0], mine[1] - 1), (mine[0] + 100, 1)]
    rows = world.db.query("select * from orch.runs_over(%s, %s)", [a for a, _ in asked], [b for _, b in asked], user="orch_workerd")
    assert [(row["job_id"], row["epoch"]) for row in rows] == asked[1:]
