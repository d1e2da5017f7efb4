"""S-11: whatever one repo floods the queue with, the others' wait is bounded."""

import worlds

AGEING_S = 600
FLOOD = 1


def flooded(priority, others, age_s, flood=40):
    """Repo 1 has many of the most urgent items, queued just now; each other repo has one, of that priority and age. No serial gate."""
    tasks = [worlds.plain_task(n, FLOOD, priority=0) for n in range(100, 100 + flood)]
    tasks += [worlds.plain_task(n, n, priority=priority, age_s=age_s) for n in others]
    tasks.sort(key=lambda task: task["id"])
    return {"settings": {"serial_gate_enabled": "off", "priority_ageing_s": str(AGEING_S)}, "dependencies": [], "limits": [], "tasks": tasks,
            "repos": [{"id": n, "name": f"r{n}", "last_s": None, "freezes": []} for n in [FLOOD, *others]]}


def claimed(scheduler, case, number):
    scheduler.begin()
    worlds.build(scheduler.db.cursor, case, scheduler.processes[0][0])
    return [job for _ in range(number) for job in scheduler.claim_many(1)]


def test_repos_of_one_priority_take_turns(scheduler):
    """S-11: the second claim is not the flood's, and so on: each repo waits for as many claims as there are repos."""
    others = [11, 12, 13, 14]
    order = claimed(scheduler, flooded(0, others, 5.0), len(others) + 1)
    assert set(others) < set(order)


def test_the_least_urgent_waits_for_a_bounded_time(scheduler):
    """S-11: an item of priority 4 that has waited four times the ageing is as urgent as can be; then it waits for its turn only."""
    others = [11, 12]
    assert not set(others) & set(claimed(scheduler, flooded(4, others, AGEING_S * 3.5), 10)), "it is not due yet"
    scheduler.db.rollback()
    assert set(others) < set(claimed(scheduler, flooded(4, others, AGEING_S * 4.5), len(others) + 1))


def test_a_hint_grows_old_too(scheduler):
    """S-11: the claim has looked at the lanes already; time passes, and the flood goes on."""
    others = [11, 12]
    assert not set(others) & set(claimed(scheduler, flooded(4, others, AGEING_S * 3.5), 5))
    db = scheduler.db
    db.query("update orch.job set created_at = created_at - make_interval(secs => %s) where status = 'queued' and repo_id <> %s", AGEING_S, FLOOD)
    db.query("update orch.repo set look_at = clock_timestamp() where look_for = 'ageing'")  # its time has come
    assert set(others) < {job for _ in range(len(others) + 1) for job in scheduler.claim_many(1)}


def test_without_ageing_priority_alone_decides(scheduler):
    """S-11: switched off, it is as if there were none."""
    case = flooded(4, [11], AGEING_S * 100.0, flood=6)
    case["settings"]["priority_ageing_s"] = "0"
    assert claimed(scheduler, case, 7)[-1] == 11
