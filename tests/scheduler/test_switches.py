"""S-12: a switch that is off is as if its axis did not exist; a repo out of scope is as if it were off there. No oracle: the product
is compared with itself, in a world that has nothing of what the axis is about."""

import pytest

import worlds

WORLDS = 40


def without(case, change_task=None, change_repo=None, dependencies=None):
    return {**case, "tasks": [{**t, **(change_task or {})} for t in case["tasks"]],
            "repos": [{**r, **(change_repo(r) if change_repo else {})} for r in case["repos"]],
            "dependencies": case["dependencies"] if dependencies is None else dependencies}


# switch -> the same world without what it is about
ABSENT = {
    "serial_gate_freeze_enabled": lambda case: without(case, change_repo=lambda repo: {"freezes": []}),
    "serial_gate_pause_enabled": lambda case: without(case, change_task={"paused": False}),
    "task_deps_enabled": lambda case: without(case, dependencies=[]),
}


def with_settings(case, **settings):
    return {**case, "settings": {**case["settings"], **settings}}


def schedule(scheduler, case):
    """The blocks, by axis, and the order of claims."""
    scheduler.begin()
    try:
        worlds.build(scheduler.db.cursor, case, scheduler.processes[0][0])
        blocks, claimable = worlds.views(scheduler.db.cursor)
        return sorted(blocks), sorted(claimable), scheduler.claim_many(30)
    finally:
        scheduler.db.rollback()


@pytest.mark.parametrize("switch", ABSENT)
def test_off_is_as_if_the_axis_did_not_exist(scheduler, switch):
    """S-12, S-2, S-3, S-4, S-8: both halves of the pause; a freeze; dependencies."""
    differed = 0
    for seed in range(1, WORLDS + 1):
        case = {**worlds.make(seed), "steps": []}
        on, absent = with_settings(case, **{switch: "on"}), ABSENT[switch](case)
        off = with_settings(case, **{switch: "off"})
        assert schedule(scheduler, off) == schedule(scheduler, with_settings(absent, **{switch: "on"})), f"seed {seed}: {off}"
        differed += schedule(scheduler, on) != schedule(scheduler, off)
    assert differed > WORLDS // 20, "the worlds show too little of this axis"


def test_the_master_switch_is_serial_and_freeze_and_nothing_else(scheduler):
    """S-12: off, only what the other axes say is left."""
    for seed in range(1, WORLDS + 1):
        case = {**worlds.make(seed), "steps": []}
        blocks, _, _ = schedule(scheduler, with_settings(case, serial_gate_enabled="on", serial_gate_repos=""))
        off, claimable, claimed = schedule(scheduler, with_settings(case, serial_gate_enabled="off", serial_gate_repos=""))
        assert off == [b for b in blocks if b[1] not in ("freeze", "active-task")], f"seed {seed}"
        assert set(claimed) <= set(claimable), f"seed {seed}"


def test_a_repo_out_of_scope_is_as_if_it_were_off_there(scheduler):
    """S-12: the scope of the serial gate and of the freeze, repo by repo."""
    for seed in range(1, WORLDS + 1):
        case = {**worlds.make(seed), "steps": []}
        if len(case["repos"]) < 2:
            continue
        on, off = (schedule(scheduler, with_settings(case, serial_gate_enabled=value, serial_gate_repos=""))[0] for value in ("on", "off"))
        inside = case["repos"][0]
        jobs_inside = {t["job"] for t in case["tasks"] if t["repo"] == inside["id"]}
        scoped = schedule(scheduler, with_settings(case, serial_gate_enabled="on", serial_gate_repos=inside["name"]))[0]
        assert scoped == sorted([b for b in on if b[0] in jobs_inside] + [b for b in off if b[0] not in jobs_inside]), f"seed {seed}"


# what is written in the setting, and the repos that it means; "" is all of them
SCOPES = [("r1", "r1"), ("r1 r2", "r1 r2"), ("r1,r2", "r1 r2"), (" r1 ,\t r2\n", "r1 r2"), ("r'1 r2", "r2"), ('"r1" r2', "r2"),
          ("r2; drop schema orch cascade; --", "drop schema orch --"), ("r2'; drop schema orch cascade;", "drop schema orch"), ("%s $1 r2", "r2"),
          ("*", ""), ("é", ""), (" , ,", ""), ("r1/r2", ""), ("'", ""), ("nothing-such", "nothing-such"), ("r2" + "\u00a0" + "x r1", "r1")]


@pytest.mark.parametrize("written, meant", SCOPES)
def test_a_bad_token_is_dropped_and_harms_nothing(scheduler, written, meant):
    """S-12: tokens with quotes and semicolons; a scope with no good token left is an empty one."""
    case = {"settings": {}, "dependencies": [], "limits": [], "repos": [{"id": n, "name": f"r{n}", "last_s": None, "freezes": []} for n in (1, 2, 3)],
            "tasks": [worlds.plain_task(2 * n + m, n) for n in (1, 2, 3) for m in (0, 1)]}
    said = schedule(scheduler, with_settings(case, serial_gate_repos=written))
    assert said == schedule(scheduler, with_settings(case, serial_gate_repos=meant))
    gated = [n for n in (1, 2, 3) if not meant or f"r{n}" in meant.split()]
    assert said[0] == [(2 * n + 1, "active-task") for n in gated]


def test_who_sets_a_bad_token_is_told_once(world):
    """S-12: the answer names the tokens that are dropped; nothing else is said of them, or harmed by them."""
    answer = world.set("serial_gate_repos", "demo; drop table x; 'a' ok")
    assert answer["dropped"] == ["demo;", "x;", "'a'"]
    assert "dropped" not in world.set("serial_gate_repos", "demo ok")
    assert world.db.value("select orch.in_scope('serial_gate_repos', 'demo')")
