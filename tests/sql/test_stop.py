"""STOP, rule by rule, as far as rows go (C-1 to C-8). How a task is cancelled in each stage is in test_cancel.py."""

import psycopg2
import pytest
from world import World

DOUBT = "create or replace function orch.in_critical_window(t orch.task) returns boolean language plpgsql stable as $$ begin raise exception 'no answer'; end $$"


def stopped(world, item):
    """The task of an item that was cancelled in full, and what must hold of it (C-3)."""
    task = world.db.row("select * from orch.task where work_item like %s order by id desc limit 1", f"{item}#cancelled-%")
    assert task["stage"] == "cancelled" and task["cancelled_at"] and task["cancel_requested_at"] is None
    assert task["work_item"] == f"{item}#cancelled-{task['id']}" and task["tracker_id"].endswith(f"#cancelled-{task['id']}")
    for table in ("merge_lease", "transition_lease"):
        assert world.db.value(f"select count(*) from orch.{table} where task_id = %s", task["id"]) == 0
    assert world.db.value("select count(*) from orch.job where active and task_id = %s", task["id"]) == 0
    return task


def footprint(world):
    """All that an act could leave behind, but for the audit of who asked."""
    return [world.db.query(f"select * from orch.{table} order by id") for table in ("task", "job", "effect", "history", "decision", "run", "deploy_record")]


def heal(world, definition):
    world.db.query("create or replace " + definition.removeprefix("CREATE OR REPLACE "))


@pytest.fixture
def doubt(world):
    """C-5: whether a task is in the critical window cannot be found out; call it to end that."""
    definition = world.db.value("select pg_get_functiondef('orch.in_critical_window(orch.task)'::regprocedure)")
    world.db.query(DOUBT)
    return lambda: heal(world, definition)


# --- C-1, C-2 ------------------------------------------------------------------------------------------------------

def test_stop_comes_before_everything_else(world):
    """C-1: also of an item whose dependencies cannot be read, whose gate is broken, that is paused or escalated."""
    a, b = world.item(), world.item()
    world.work(until="analysis", item=a)
    world.operate("pause", a, None)
    world.db.query("update orch.local_item set blocked_by = array[%s] where work_item = %s", a, a)
    world.db.query("create or replace function orch.gate_ask(t orch.task, p_gate text) returns orch.gate_answer language plpgsql stable"
                   " as $$ begin raise exception 'the gate is broken'; end $$")
    assert "is cancelled" in world.move(a, "stop")
    stopped(world, a)
    assert "is cancelled" in world.move(b, "stop")


def test_stop_of_what_is_not_there(world):
    """C-2: absent: nothing happens, and nothing is kept for later."""
    with pytest.raises(psycopg2.Error, match="there is no work item"):
        world.operate("cancel", "DEMO-77", None)
    item = world.item(handle=False)
    world.db.query("delete from orch.event")
    before = footprint(world)
    assert world.move(item, "stop") == "ignored: nothing to stop"
    assert footprint(world) == before
    assert "taken in" in world.move(item, "to_analyse")


@pytest.mark.parametrize("until", ["done", "cancelled"])
def test_stop_of_what_is_over(world, until):
    """C-2: done or cancelled: no effect of any kind, no second message."""
    item = world.item()
    if until == "done":
        world.work(until="done", item=item)
    else:
        world.operate("cancel", item, None)
    before = footprint(world)
    assert "nothing to cancel" in world.operate("cancel", item, None)["message"]
    assert world.move(item, "stop").startswith(("ignored", "nothing to cancel"))
    assert footprint(world) == before


def test_stop_of_what_is_being_stopped(world):
    """C-2: the running agent is told once; asking again changes nothing."""
    item = world.item()
    world.claim()
    world.operate("cancel", item, None)
    before = footprint(world)
    world.operate("cancel", item, None)
    world.move(item, "stop")
    assert footprint(world) == before


# --- C-3 -----------------------------------------------------------------------------------------------------------

def test_stop_and_at_once_to_analyse(world):
    """C-3, P-10: nobody has to wait until the agent is gone to ask for a new beginning."""
    item = world.item()
    job = world.claim()
    world.operate("item_move", item, "stop", None)
    world.operate("item_move", item, "to_analyse", None)
    world.handle_events()
    assert world.task(item)["id"] == job["task_id"], "a second task while the first has an agent"
    world.finish(job, "cancelled")
    world.db.query("update orch.event set run_at = now() where status = 'routed'")
    assert "taken in" in world.handle_events()[-1]
    assert stopped(world, item)["id"] == job["task_id"] < world.task_id(item)
    assert not [c for c in world.effects("comment", item) if "by hand" in c["text"]]


def test_created_again_while_the_branch_is_still_to_go(world):
    """C-3: the new task gets another branch as long as the deletion of the old one is to come; then the plain name again."""
    item = world.item()
    branches = []
    for _ in range(3):
        job = world.claim()
        branches.append(world.task(item)["branch"])
        world.operate("cancel", item, None)
        world.finish(job, "cancelled")
        stopped(world, item)
        if len(branches) == 2:
            world.db.query("update orch.effect set status = 'done', ended_at = now() where kind = 'delete_branch'")
        assert "taken in" in world.move(item, "to_analyse")
    second = world.db.column("select id from orch.task order by id")[1]
    assert branches == [branches[0], f"{branches[0]}-{second}", branches[0]]


def test_a_push_that_comes_late_is_looked_for(world):
    """C-3, C-7: who died in the middle of a push may be outlived by it: the branch is looked at again, later."""
    item = world.item()
    world.claim()
    world.operate("cancel", item, None)
    world.call("process_gone", world.process, "pid gone", True, user="orch_reaperd")
    stopped(world, item)
    first, second = world.db.query("select *, extract(epoch from run_at - created_at) as wait_s from orch.effect where kind = 'delete_branch' order by id")
    assert first["payload"] == second["payload"] and first["wait_s"] < 1 < second["wait_s"]
    assert "taken in" in world.move(item, "to_analyse")
    process, epoch = world.add_process(pid=2)
    assert world.claim(process, epoch)["branch"] != first["payload"]["branch"], "the late push would be the new task's"


# --- C-5: doubt ----------------------------------------------------------------------------------------------------

def test_doubt_is_critical(world, doubt):
    """C-5, C-6: what cannot be found out is left alone: stamped once, one message, queued jobs cancelled, nothing new begins."""
    a, b = world.item(), world.item()
    job = world.claim()
    for _ in range(2):
        assert "deferred" in world.operate("cancel", a, None)["message"]
    task = world.task(a)
    assert task["cancel_requested_at"] and len([c for c in world.effects("comment", a) if "deferred" in c["text"]]) == 1
    assert world.jobs(a)[0]["status"] == "running" and world.jobs(a)[0]["stop_requested_at"] is None
    world.succeed(job)
    assert world.task(a)["stage"] == "analysis" and len(world.jobs(a)) == 1
    assert "deferred" in world.operate("cancel", b, None)["message"]
    assert [j["status"] for j in world.jobs(b)] == ["cancelled"]
    world.set("stage_grace_s", "0")
    world.call("reconcile_gates", 100, user="orch_reconcilerd")
    assert [world.task(i)["stage"] for i in (a, b)] == ["analysis", "analysis"]
    doubt()
    world.call("reconcile_gates", 100, user="orch_reconcilerd")
    stopped(world, a)
    stopped(world, b)


@pytest.mark.parametrize("way_back", ["transient", "released", "lost", "failed"])
def test_doubt_while_the_agent_ends(world, doubt, way_back):
    """C-5, J-6: whoever ends the step cannot find out either: it is recorded, and a worker that reports gets no error."""
    world.set("job_max_attempts", "1")
    item = world.item()
    job = world.claim()
    world.operate("cancel", item, None)
    if way_back == "released":
        world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")
    elif way_back == "lost":
        world.call("process_gone", world.process, "pid gone", True, user="orch_reaperd")
    else:
        world.finish(job, way_back, reason="exit 1")
    assert world.db.value("select status from orch.job") != "running"
    assert world.claim() is None
    doubt()
    world.set("stage_grace_s", "0")
    world.operate("cancel", item, None)
    stopped(world, item)


# --- C-5: the merge lease -----------------------------------------------------------------------------------------

def take_merge_lease(world, item):
    task = world.task(item)
    world.db.query("insert into orch.merge_lease (repo_id, task_id) values (%s, %s) on conflict do nothing", task["repo_id"], task["id"])


def test_a_running_job_under_the_merge_lease_is_critical(world):
    """C-5, C-6: it is left alone, and whoever ends it applies the cancellation, which gives the lease back."""
    item = world.item()
    world.work(until="deploy-staging", item=item)
    job = world.claim()
    take_merge_lease(world, item)
    assert "deferred" in world.operate("cancel", item, None)["message"]
    assert world.jobs(item)[-1]["status"] == "running" and world.jobs(item)[-1]["stop_requested_at"] is None
    world.succeed(job)
    stopped(world, item)


@pytest.mark.parametrize("running", [False, True])
def test_the_merge_lease_alone_is_not_critical(world, running):
    """C-5: parked, for a person or for a worker, with the lease: a full reset, which gives it back; another task's running job is none of its."""
    item, other = world.item(), world.item()
    world.work(until="deploy", item=item)
    take_merge_lease(world, item)
    if running:
        world.set("serial_gate_enabled", "off")
        assert world.claim()["work_item"] == other
    assert "is cancelled" in world.operate("cancel", item, None)["message"]
    stopped(world, item)


# --- C-5, C-6: the deploy ---------------------------------------------------------------------------------------------

def begin_deploy(world, item):
    """The finalizer's job of a deploy that was initiated."""
    world.command("deploy", "true")
    world.work(until="deploy", item=item)
    world.operate("approve", item, None)
    while (job := world.claim())["role"] != "finalizer":
        world.succeed(job)
    return job


def test_paused_and_stopped_it_can_be_resumed(world):
    """C-6, S-8: the deferred cancellation waits for the finalizer, which a pause holds back: resume is not refused."""
    item = world.item()
    job = begin_deploy(world, item)
    world.operate("pause", item, None)
    assert "deferred" in world.operate("cancel", item, None)["message"]
    world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")
    assert world.claim() is None and world.task(item)["stage"] == "deploy"
    world.operate("resume", item)
    world.work()
    assert world.task(item)["stage"] == "done" and world.task(item)["cancel_requested_at"] is None


def test_deployed_and_not_to_be_merged(world):
    """C-6: the deferred cancellation waits for the merge of what was deployed; when that fails it is applied: there is no other round."""
    item = world.item()
    job = begin_deploy(world, item)
    assert "deferred" in world.operate("cancel", item, None)["message"]
    world.succeed(job)
    assert world.task(item)["stage"] == "deploy"
    merger = world.claim()
    assert merger["role"] == "merger"
    world.succeed(merger, "failed")
    assert stopped(world, item)["developer_rounds"] == 0


def test_given_up_while_the_deploy_is_under_way(world):
    """C-5, C-6, P-5: the finalizer fails for good, and nobody knows what came of the deploy: not cancelled; a person is told, and has a way."""
    world.set("job_max_attempts", "1")
    item = world.item()
    job = begin_deploy(world, item)
    assert "deferred" in world.operate("cancel", item, None)["message"]
    world.finish(job, "failed", reason="no disk")
    assert world.task(item)["stage"] == "deploy" and world.waits(item)[0] == "escalated"
    assert "deferred" in world.operate("cancel", item, None)["message"]
    world.set("stage_grace_s", "0")
    world.call("reconcile_gates", 100, user="orch_reconcilerd")
    assert world.task(item)["stage"] == "deploy" and not [j for j in world.jobs(item) if j["active"]]
    world.operate("retry", item, None)
    world.succeed(world.claim(), "FAILED")
    stopped(world, item)


# --- C-7, C-8 ------------------------------------------------------------------------------------------------------

def outlive(world, item, job, stale):
    """Everything that could bring a task back, tried on one that was cancelled."""
    operator = {"approve": (item, "yes"), "reject": (item, "no"), "retry": (item, None), "resume": (item,), "pause": (item, None),
                "lease_release": (item,), "ack": (item, None), "cancel": (item, None)}
    for act, arguments in operator.items():
        try:
            world.operate(act, *arguments)
        except psycopg2.Error as e:
            assert e.pgcode == "OR002", (act, e)
    for verb in ("approved", "confirm_deploy", "rejected", "needs_input", "stop"):
        world.move(item, verb)
    fence = job["job_id"], job["epoch"], job["token"]
    assert world.finish(job, "success", head_sha="a" * 40) in ("fenced", "recorded")
    assert not world.call("job_release", *fence, "late")[0]["job_release"]
    assert not world.call("job_started", *fence, 1, "/log", None)[0]["job_started"]
    process, epoch = world.add_process(pid=3)
    assert not world.call("job_adopt", process, epoch, job["job_id"], job["epoch"])
    world.call("process_gone", stale, "pid gone", True, user="orch_reaperd")
    world.call("reap_overdue", 100, user="orch_reaperd")
    for _ in range(2):
        world.call("reconcile_gates", 100, user="orch_reconcilerd")
    world.db.query("select orch.advance(id, 'test') from orch.task")
    world.handle_events()
    assert world.claim(process, epoch) is None


@pytest.mark.parametrize("stage", ["analysis", "architecture", "development", "review", "testing", "deploy-staging", "deploy"])
def test_nothing_revives(world, stage):
    """C-7, J-6, C-8: no retry, resume, approval, late report, adoption, reaper, reconciler or restart; and it is neither a rejection nor a rollback."""
    world.set("stage_grace_s", "0")
    item = world.item()
    world.work(until=stage, item=item)
    job = world.claim() or world.db.row("select j.id as job_id, r.epoch, r.token from orch.job j join orch.run r on r.job_id = j.id order by r.id desc limit 1")
    world.operate("cancel", item, None)
    if world.db.value("select count(*) from orch.job where status = 'running'"):
        world.finish(job, "cancelled")
    task = stopped(world, item)
    told = len(world.effects("state", item)) + len(world.effects("comment", item))
    counts = world.db.row("select (select count(*) from orch.decision) as decisions, (select count(*) from orch.repo_freeze) as freezes, (select count(*) from orch.job) as jobs")
    outlive(world, item, job, world.process)
    assert stopped(world, item) == task
    assert (task["developer_rounds"], task["merge_attempts"]) == (0, 0)
    assert len(world.effects("state", item)) + len(world.effects("comment", item)) == told
    assert world.db.row("select (select count(*) from orch.decision) as decisions, (select count(*) from orch.repo_freeze) as freezes, (select count(*) from orch.job) as jobs") == counts


def test_it_holds_no_gate_closed(world):
    """C-7, S-4, S-5: neither the lane nor a dependency waits for what was cancelled."""
    a, b = world.item(), world.item()
    world.operate("dependency_add", b, a)
    assert set(world.blocks(b)) == {"dependency", "active-task"}
    world.operate("cancel", a, None)
    assert world.blocks(b) == []


# --- the property, without processes: tests/pipeline/test_stop_everywhere.py has it with them ------------------------------------

def end_run(world, job, how):
    """What can become of a run whose task was stopped."""
    if how == "lost":
        world.call("process_gone", world.process, "pid gone", True, user="orch_reaperd")
    elif how == "orphaned":
        world.call("job_started", job["job_id"], job["epoch"], job["token"], 1, "/log", None)
        world.call("process_gone", world.process, "pid gone", False, user="orch_reaperd")
        heir, epoch = world.add_process(pid=4)
        for adopted in world.call("job_adopt", heir, epoch, job["job_id"], job["epoch"]):
            world.finish(adopted, "cancelled" if world.call("process_beat", heir, epoch, False)[0]["stop_jobs"] else "failed")
    elif how == "released":
        world.call("job_release", job["job_id"], job["epoch"], job["token"], "drain")
    elif how == "success":
        succeed(world, job)
    elif how == "cancelled" and not world.db.value("select stop_requested_at is not null from orch.job where id = %s", job["job_id"]):
        succeed(world, job) # deferred: nobody has told the worker
    else:
        world.finish(job, how, reason="so it ended")


def succeed(world, job):
    if job["kind"] == "check":
        world.finish(job, check={"state": "pass"})
    else:
        world.succeed(job)


def bring_to(world, item, step, queued):
    """The item's job of that step, claimed; None when it is only queued, or when a person is waited for."""
    while True:
        task = world.task(item)
        if waiting := world.db.column("select (orch.waiting_step(t)).gate from orch.task t where id = %s and orch.waits_for_person(t)", task["id"]):
            if task["stage"] == step["stage"] and waiting == [step["gate"]]:
                return None
            world.operate("approve", item, None)
        elif queued and [j for j in world.jobs(item) if (j["status"], j["stage"], j["role"]) == ("queued", step["stage"], step["role"])]:
            return None
        else:
            job = world.claim()
            if (job["stage"], job["role"]) == (step["stage"], step["role"]):
                return job
            succeed(world, job)


def goes_on(world):
    """Whatever still goes on by itself or because people say no: another worker takes what is claimable."""
    process, epoch = world.add_process(pid=5)
    for _ in range(20):
        world.call("reconcile_gates", 100, user="orch_reconcilerd")
        world.db.query("update orch.job set run_at = now(), due_at = null where status = 'queued'")
        for item in world.db.column("select work_item from orch.task t where orch.waits_for_person(t)"):
            world.operate("reject", item, "it was to be stopped")
        if job := world.claim(process, epoch):
            succeed(world, job)
        elif world.db.value("select bool_and(terminal) from orch.task"):
            return


ENDS = ["cancelled", "success", "failed", "timeout", "transient", "released", "lost", "orphaned"]


@pytest.mark.parametrize("how", ["queued", *ENDS])
def test_stop_at_every_step(cluster, how):
    """C-3, C-5, C-6, C-7, J-6: at each step of the table, and however the step then ends: cancelled in full, or done - and done only if it was told so."""
    database = cluster.fresh()
    try:
        world = World(database)
        world.set("stage_grace_s", "0")
        world.set("serial_gate_enabled", "off")
        for step in database.query("select s.stage, s.role, s.gate, s.command from orch.stage_step s join orch.stage g on g.key = s.stage order by g.position, s.seq"):
            check_step(world, step, how)
            world.process, world.epoch = world.add_process(pid=6)
    finally:
        database.drop()


def check_step(world, step, how):
    item = world.item()
    if step["command"]:
        world.operate("project_command_set", world.project, step["command"], "true")
    job = bring_to(world, item, step, queued=how == "queued")
    said = world.operate("cancel", item, None)["message"]
    if job:
        end_run(world, job, how)
    goes_on(world)
    task = world.db.row("select * from orch.task order by id desc limit 1")
    if task["stage"] == "done":
        assert "deferred" in said and task["cancel_requested_at"] is None, (step, how, said)
    else:
        stopped(world, item)
    if step["command"]:
        world.operate("project_command_remove", world.project, step["command"])
