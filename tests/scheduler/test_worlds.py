"""S-1 to S-12, S-14: random worlds. What blocks each job, what is claimable and the order of claims are what oracle.py says.

ORCH_WORLDS=N looks at N worlds, ORCH_WORLDS_SEED=N begins at that seed. A world that fails is made smaller and printed.
"""

import os
import pprint

import pytest

import oracle
import worlds

CHUNKS = 8
COUNT = int(os.environ.get("ORCH_WORLDS", "2000"))
FIRST = int(os.environ.get("ORCH_WORLDS_SEED", "1"))
PRECEDENCE = ("cancel", "freeze", "pause", "dependency", "active-task", "backoff", "capacity", "lease", "budget")


def differences(scheduler, what):
    """What the views say of the world, against the oracle."""
    world = worlds.snapshot(scheduler.db.cursor)
    said, claimable = worlds.views(scheduler.db.cursor)
    expected = oracle.blocks(world)
    if set(said) != expected:
        yield f"{what}: job_block has too much {set(said) - expected}, and lacks {expected - set(said)}"
    if claimable != (jobs := {job["id"] for job in oracle.claimable(world)}):
        yield f"{what}: claimable_job has too much {claimable - jobs}, and lacks {jobs - claimable}"
    first = dict(reversed(said))
    for job, axis in first.items():
        if axis != (wanted := min((a for j, a in expected if j == job), key=PRECEDENCE.index)):
            yield f"{what}: the axis named first for job {job} is {axis}, not {wanted}"


def claims(scheduler, number, limit, what):
    """Some claims, one by one or several at once, against what the oracle claims."""
    # as if lane_poll_s had passed since: an axis that does not announce its end is asked again then
    scheduler.db.cursor.execute("update orch.repo set look_at = clock_timestamp() where look_for = 'poll'")
    world = worlds.snapshot(scheduler.db.cursor)
    for _ in range(number):
        expected = [job for job in (oracle.claim(world) for _ in range(limit)) if job is not None]
        if (said := scheduler.claim_many(limit)) != expected:
            yield f"{what}: claimed {said} instead of {expected}"
            return


def act(scheduler, step):
    verb, *args = step
    item = f"T-{args[0]}" if args else None
    match verb:
        case "pause" | "resume" | "cancel" | "retry":
            scheduler.operate(verb, item)
        case "depend":
            scheduler.operate("dependency_add", item, f"T-{args[1]}")
        case "undepend":
            scheduler.operate("dependency_remove", item, f"T-{args[1]}")
        case "priority":
            scheduler.operate("priority_set", item, args[1])
        case "freeze":
            scheduler.operate("freeze", f"r{args[0]}", "a reason")
        case "unfreeze":
            scheduler.operate("unfreeze", f"r{args[0]}")
        case "limit":
            scheduler.operate("limit_set", *args)
        case "unlimit":
            scheduler.operate("limit_remove", *args)
        case "set":
            scheduler.set(*args)
        case "intake":
            scheduler.item("A new thing", f"r{args[0]}", args[1])
        case "end":
            scheduler.end(args[0])


def failures(scheduler, case):
    """What is wrong in one world, from its making to when nothing is claimable any more."""
    scheduler.begin()
    cursor = scheduler.db.cursor
    try:
        worlds.build(cursor, case, scheduler.processes[0][0])
        yield from differences(scheduler, "at first")
        for number, step in enumerate(case["steps"]):
            if step[0] == "claim":
                yield from claims(scheduler, *((step[1], 1) if number % 2 else (1, step[1])), f"step {number} {step}")
            else:
                with scheduler.db.unless_refused():
                    act(scheduler, step)
                yield from differences(scheduler, f"after step {number} {step}")
        yield from claims(scheduler, 1, len(case["tasks"]) + 8, "in the end")
        yield from claims(scheduler, 1, 1, "after the end")
        if drifts := scheduler.db.value("select coalesce(sum((to_jsonb(r) ->> 'drifts')::int), 0) from orch.repo r"):
            yield f"{drifts} drifts"
    finally:
        scheduler.db.rollback()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_worlds_are_scheduled_as_the_rules_say(scheduler, chunk):
    """S-1, S-2, S-3, S-4, S-5, S-6, S-7, S-8, S-9, S-10, S-11, S-12, S-14, B-1: sets of blocks, first axis, claimable jobs, order of claims."""
    def first_failure(case):
        return next(failures(scheduler, case), None)

    for seed in range(FIRST + chunk, FIRST + COUNT, CHUNKS):
        case = worlds.make(seed)
        if first_failure(case):
            small = worlds.minimise(case, first_failure)
            pytest.fail(f"seed {seed}: {first_failure(small)}\n{pprint.pformat(small, width=150)}", pytrace=False)
