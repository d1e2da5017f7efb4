"""The checker of the chaos runs finds what it is there to find: each invariant refuses the histories below that break
it, and none refuses the one in which all is well."""

import copy

import pytest

from . import checker, facts as f
from .histories import good

BREAKS = []


def breaks(name):
    """Registers a change to a good history, which the invariant `name` must refuse."""
    def register(function):
        BREAKS.append(pytest.param(name, function, id=f"{name}-{function.__name__}"))
        return function
    return register


def row(facts, table, **fields):
    return facts.rows(table, **fields)[0]


def add_history(facts, like, **changes):
    """A copy of a row of the history, later than all."""
    last = facts.tables["history"][-1]
    facts.tables["history"].append({**like, "id": last["id"] + 1, "at": last["at"], **changes})


def add_line(facts, what, epoch, job=1):
    like = next(line for line in facts.lines if line.job == job)
    new = copy.copy(like)
    new.what, new.epoch, new.number = what, epoch, len(facts.lines)
    facts.lines.append(new)


@breaks("no_acknowledged_event_is_lost")
def lost(facts):
    del facts.tables["event"][0]


@breaks("no_acknowledged_event_is_lost")
def stored_twice(facts):
    facts.tables["event"].append(dict(facts.tables["event"][0], id=99))


@breaks("no_acknowledged_event_is_lost")
def never_consumed(facts):
    facts.tables["event"][0].update(status="received", ended_at=None)


@breaks("no_acknowledged_event_is_lost")
def dead_letter(facts):
    facts.tables["event"][0]["status"] = "dead"


@breaks("no_act_of_a_person_is_lost")
def item_lost(facts):
    facts.promises.items.add("DEMO-3")


@breaks("no_act_of_a_person_is_lost")
def item_not_taken_in(facts):
    facts.promises.items.add("DEMO-3")
    facts.tables["local_item"].append({"id": 3, "work_item": "DEMO-3"})


@breaks("no_act_of_a_person_is_lost")
def approval_lost(facts):
    facts.promises.approvals.add(("DEMO-1", "architecture"))


@breaks("no_act_of_a_person_is_lost")
def cancellation_lost(facts):
    row(facts, "task", item="DEMO-2")["stage"] = "analysis"


@breaks("claims_follow_each_other")
def two_open_claims(facts):
    facts.tables["history"].remove(row(facts, "history", kind="reap", job_id=1))


@breaks("claims_follow_each_other")
def epoch_given_twice(facts):
    for claim in facts.rows("history", job_id=2):
        claim["epoch"] = 1


@breaks("claims_follow_each_other")
def outcome_of_a_fenced_claim(facts):
    add_history(facts, row(facts, "history", kind="outcome", job_id=1), epoch=1)


@breaks("claims_follow_each_other")
def adopted_after_its_end(facts):
    add_history(facts, row(facts, "history", kind="outcome", job_id=1), kind="adopt")


@breaks("at_most_one_live_run")
def two_agents_for_one_claim(facts):
    add_line(facts, "start", epoch=3)


@breaks("at_most_one_live_run")
def begun_for_an_old_claim(facts):
    add_line(facts, "start", epoch=1)


@breaks("nothing_acts_after_it_was_fenced")
def tick_of_a_fenced_agent(facts):
    add_line(facts, "tick", epoch=1)


@breaks("nothing_acts_after_it_was_fenced")
def effect_of_a_fenced_agent(facts):
    add_line(facts, "effect", epoch=1)


@breaks("runs_are_closed_and_one_succeeds")
def open_run(facts):
    row(facts, "run", job_id=1, epoch=1).update(ended_at=None, outcome=None)


@breaks("runs_are_closed_and_one_succeeds")
def two_successes(facts):
    row(facts, "run", job_id=1, epoch=1)["outcome"] = "success"


@breaks("runs_are_closed_and_one_succeeds")
def done_without_success(facts):
    row(facts, "run", job_id=1, epoch=3)["outcome"] = "failed"


@breaks("runs_are_closed_and_one_succeeds")
def success_of_a_cancelled_job(facts):
    row(facts, "run", outcome="cancelled")["outcome"] = "success"


@breaks("every_agent_was_announced")
def agent_of_no_claim(facts):
    add_line(facts, "start", epoch=5)


@breaks("every_agent_was_announced")
def agent_at_another_item(facts):
    facts.lines[0].item = "DEMO-2"


@breaks("every_agent_was_announced")
def done_and_never_worked(facts):
    facts.lines = [line for line in facts.lines if (line.job, line.what) != (1, "end")]


@breaks("the_dead_claim_nothing")
def claim_after_its_end(facts):
    add_history(facts, row(facts, "history", kind="claim", job_id=1), epoch=5)
    row(facts, "process", id=1)["ended_at"] = facts.tables["history"][0]["at"]


@breaks("attempts_are_within_bounds")
def too_many_attempts(facts):
    row(facts, "job", id=1)["attempts"] = 4


@breaks("attempts_are_within_bounds")
def too_many_refunds(facts):
    row(facts, "job", id=1)["attempts"] = 0


@breaks("attempts_are_within_bounds")
def too_many_crashes(facts):
    row(facts, "job", id=1)["crashes"] = 6


@breaks("everything_ends")
def queued_for_ever(facts):
    row(facts, "job", id=1)["status"] = "queued"


@breaks("everything_ends")
def job_given_up(facts):
    row(facts, "job", id=1)["status"] = "failed"


@breaks("everything_ends")
def task_forgotten(facts):
    row(facts, "task", id=2)["terminal"] = False


@breaks("only_legal_edges")
def no_such_edge(facts):
    row(facts, "history", from_stage="review")["to_stage"] = "deploy"


@breaks("only_legal_edges")
def version_twice(facts):
    row(facts, "history", from_stage="review")["stage_version"] -= 1


@breaks("only_legal_edges")
def stage_written_beside(facts):
    row(facts, "task", id=1)["stage"] = "testing"


@breaks("people_decide_at_their_gates")
def nobody_approved(facts):
    facts.tables["decision"].remove(row(facts, "decision", stage="deploy"))


@breaks("people_decide_at_their_gates")
def another_visit_approved(facts):
    row(facts, "decision", stage="analysis")["stage_version"] += 1


@breaks("one_item_at_a_time_in_a_repo")
def begun_too_early(facts):
    claim = row(facts, "history", kind="claim", task_id=2)
    facts.tables["history"].remove(claim)
    facts.tables["history"].insert(3, dict(claim, id=3))


@breaks("each_job_is_one_commit")
def work_lost(facts):
    facts.repos["demo"].main.remove(next(c for c in facts.repos["demo"].main if c.trailers.get("Orch-Job") == "1"))


@breaks("each_job_is_one_commit")
def work_twice(facts):
    facts.repos["demo"].main.append(f.Commit("again", ["begin"], {"Orch-Job": "1"}))


@breaks("each_job_is_one_commit")
def work_of_a_cancelled_job(facts):
    cancelled = row(facts, "job", status="cancelled")["id"]
    facts.repos["demo"].main.append(f.Commit("late", ["begin"], {"Orch-Job": str(cancelled)}))


@breaks("each_job_is_one_commit")
def work_twice_on_a_branch(facts):
    facts.repos["demo"].branches["feature/x"] = [f.Commit(sha, [], {"Orch-Job": "1"}) for sha in ("one", "two")]


@breaks("each_item_is_merged_once")
def merged_twice(facts):
    repo = facts.repos["demo"]
    repo.landed.append(f.Commit("merge2", ["merge", repo.landed[0].parents[1]], {}))


@breaks("each_item_is_merged_once")
def never_merged(facts):
    facts.repos["demo"].landed.clear()
    facts.repos["demo"].moves.clear()


@breaks("each_item_is_merged_once")
def pushed_to_main(facts):
    facts.repos["demo"].landed.append(f.Commit("push", ["merge"], {}))


@breaks("each_item_is_merged_once")
def main_set_back(facts):
    facts.repos["demo"].moves += [("merge", "begin"), ("begin", "merge")]


@breaks("nothing_is_merged_but_by_the_steps")
def merged_without_a_test(facts):
    row(facts, "job", kind="integrate")["kind"] = "agent"


@breaks("nothing_is_merged_but_by_the_steps")
def deployed_before_its_test(facts):
    first, second = row(facts, "job", kind="integrate"), row(facts, "job", kind="deploy")
    first["kind"], second["kind"] = "deploy", "integrate"


@breaks("nothing_is_merged_but_by_the_steps")
def merged_without_a_rebase(facts):
    repo = facts.repos["demo"]
    repo.main.append(f.Commit("other", ["begin"], {}))
    repo.landed[0].parents[0] = "other"


@breaks("every_effect_was_carried_out")
def effect_given_up(facts):
    row(facts, "effect", id=1)["status"] = "dead"


@breaks("nothing_is_left_behind")
def lease_left(facts):
    facts.tables["merge_lease"].append({"repo_id": 1, "task_id": 1})


@breaks("nothing_is_left_behind")
def process_row_left(facts):
    row(facts, "process", id=1)["ended_at"] = None


@breaks("nothing_is_left_behind")
def branch_of_a_cancelled_item(facts):
    facts.repos["demo"].branches["feature/DEMO-2"] = []


@breaks("nothing_is_left_behind")
def worktree_left(facts):
    facts.left.append("/state/runs/1-3/tree")


@breaks("nothing_is_left_behind")
def unsaved_work_removed(facts):
    facts.kept.append((1, 1, False))


@breaks("nothing_is_left_behind")
def worktree_of_saved_work_kept(facts):
    facts.kept.append((1, 3, True))


@breaks("no_daemon_crashes")
def segmentation_fault(facts):
    facts.deaths.append("host a: workerd 7 was killed by SIGSEGV")


def test_a_good_history_is_accepted():
    """What the breaks below start from breaks nothing by itself."""
    assert checker.check(good()) == []


@pytest.mark.parametrize("name, change", BREAKS)
def test_a_broken_history_is_refused(name, change):
    """Each invariant refuses the histories that were made to break it, and says which job or item is concerned."""
    facts = good()
    change(facts)
    found = [violation for violation in checker.check(facts) if violation.invariant == name]
    assert found and not any("could not be judged" in violation.text for violation in found), checker.check(facts)


def test_every_invariant_can_refuse():
    """A checker that cannot fail is worth nothing."""
    assert {name for name, _, _ in checker.INVARIANTS} == {param.values[0] for param in BREAKS}


def test_a_history_that_cannot_be_judged_is_refused():
    """Silence of the checker means that all is well, and nothing else."""
    facts = good()
    del facts.tables["event"]
    assert ["no_acknowledged_event_is_lost"] == [violation.invariant for violation in checker.check(facts)]
