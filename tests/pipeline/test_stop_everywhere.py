"""The property of STOP: at every step of the pipeline, whatever dies right after it was accepted, the item ends in a clean
`cancelled` or an honest `done` (C-1 to C-8, J-3, J-6, J-8)."""

import signal

import pytest

from support.processes import is_alive, own_programs, send_signal
from support.stops import Stops, steps
from support.wait import stays

SECONDS = 240  # sixteen items at once, on a machine with much else to do


def stop_all(db, items):
    """STOP for all of them at one moment; what each was answered."""
    rows = db.query("select w, orch.cancel(w, 'enough') ->> 'message' as said from unnest(%s) w", items, user="orch_operator")
    return {row["w"]: row["said"] for row in rows}


def kill_everything(suite, stop):
    """STOP while nobody can react, then kill -9 of everything, agents and git too."""
    pids = suite.pause()
    answers = stop()
    suite.kill_all(pids)
    return answers


def kill_daemons(suite, stop):
    """STOP, and kill -9 of the supervisor and all daemons while they react; shims, agents and git live on."""
    pids = [suite.process.pid] + [p.pid for p in own_programs(suite.below()) if p.program.startswith("orch-") and p.program != "orch-shim"]
    answers = stop()
    for pid in pids:
        send_signal(pid, signal.SIGSTOP)
    suite.kill_all(pids)
    return answers


def check_cancelled(stop):
    """C-3, C-7: nothing of it is left but its row, and nothing comes back."""
    line, task = stop.line, stop.task()
    assert task["work_item"] == f"{stop.item}#cancelled-{task['id']}" and task["tracker_id"].endswith(f"#cancelled-{task['id']}")
    assert task["cancelled_at"] and task["cancel_requested_at"] is None and task["escalated_at"] is None
    line.wait_shown(stop.item, "cancelled")
    line.wait(lambda: stop.project.branches() == ["main"], 60, f"the branch of {stop} is gone")
    assert line.db.value("select count(*) from orch.history where task_id = %s and to_stage = 'cancelled'", task["id"]) == 1


def check_done(stop, answer):
    """C-6: only what was deferred may be done, and then it really is: merged, and nothing of the request is left."""
    task = stop.task()
    assert "deferred" in answer, f"{stop} is done, and was answered: {answer}"
    assert task["cancel_requested_at"] is None and task["work_item"] == stop.item
    assert stop.project.trailers("Orch-Job"), f"{stop} is done, and nothing was merged"


def check_nothing_is_left(suite, stops, agents):
    db = suite.database
    assert not db.query("select * from orch.job where active")
    assert not db.query("select * from orch.merge_lease") and not db.query("select * from orch.transition_lease")
    assert not db.query("select * from orch.run where ended_at is null")
    suite.wait_for(lambda: not suite.run_pids(), 30, "no shim, no agent")
    assert not [m for m in agents.marks("start") if is_alive(m.pid)]
    trees = suite.folder / "state/runs"
    suite.wait_for(lambda: not list(trees.glob("*/tree")), 60, "no work tree")
    assert not agents.marks("overlap")


@pytest.mark.parametrize("at, kill", [("queued", kill_everything), ("running", kill_everything), ("running", kill_daemons)],
                         ids=["queued", "running", "running-runs-live"])
@pytest.mark.timeout(600)
def test_stop_at_every_step(make_suite, agents, folder, at, kill):
    """C-1 to C-8, J-3, J-6, J-8: see above. The steps are read from the table, so a new one is stopped, too."""
    suite = make_suite(worker_slots=16, agent_timeout="300s").start()
    with Stops(suite, agents, folder) as places:
        check_stops(suite, agents, [places.item(n, step, at) for n, step in enumerate(steps(suite.database), 1)], kill)


def check_stops(suite, agents, stops, kill):
    suite.wait_for(lambda: all([stop.reached() for stop in stops]), SECONDS, "every item stands at its step")
    answers = kill(suite, lambda: stop_all(suite.database, [stop.item for stop in stops]))
    for stop in stops:
        stop.unlock()
        if "deferred" in answers[stop.item]:
            stop.gate.open() # whoever is at it may end it; nobody else's gate is opened before all is over
    suite.start()
    suite.wait_for(lambda: all([stop.is_over() for stop in stops]), SECONDS, "every item is over")
    for stop in stops:
        if stop.task()["stage"] == "done":
            check_done(stop, answers[stop.item])
        else:
            check_cancelled(stop)
    check_nothing_is_left(suite, stops, agents)
    ended = {stop.item: stop.task() for stop in stops}
    stays(lambda: {stop.item: stop.task() for stop in stops} == ended and not suite.database.query("select * from orch.job where active"), 1.0)
