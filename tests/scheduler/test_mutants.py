"""The property test must notice what is wrong. Each mutant is the product with one rule broken; the worlds have to find it."""

import pytest

import test_worlds
import worlds

TRIES = 200


def replaced(database, kind, name, old, new):
    """A function or view made anew with something in it replaced."""
    if kind == "view":
        text = f"create or replace view orch.{name} as {database.value('select pg_get_viewdef(%s::regclass)', f'orch.{name}')}"
    else:
        text = database.value("select pg_get_functiondef(%s::regproc)", f"orch.{name}")
    assert old in text, f"{name} has no {old!r} any more: {text}"
    database.query(text.replace(old, new).replace("%", "%%"))


# rule broken, kind, object, what is replaced, by what
MUTANTS = [
    ("S-1 cancel", "view", "axis_cancel", "t.terminal OR", "false OR"),
    ("S-1 requested", "view", "axis_cancel", "t.cancel_requested_at IS NOT NULL", "false"),
    ("S-2 freeze", "view", "axis_freeze", "AND j.entry", "AND NOT j.entry"),
    ("S-2 cleared", "view", "axis_freeze", "(f_1.cleared_at IS NULL)", "true"),
    ("S-3 pause", "view", "axis_pause", "t.paused_at IS NOT NULL", "false"),
    ("S-4 dependency", "view", "axis_dependency", "NOT p.terminal", "NOT p.terminal AND p.paused_at IS NULL"),
    ("S-5 serial", "view", "axis_serial", "j.task_id > h.task_id", "false"),
    ("S-8 active", "view", "active_task", "t.paused_at IS NULL", "true"),
    ("S-9 flow", "view", "axis_serial", "AND j.entry", ""),
    ("S-10 earlier", "view", "axis_serial", "j.task_id > h.task_id", "j.task_id <> h.task_id"),
    ("S-6 backoff", "view", "axis_backoff", "j.run_at > clock_timestamp()", "false"),
    ("S-7 said", "view", "capacity_use", ">= l.slots", "> l.slots"),
    ("S-12 scope", "function", "in_scope", "cardinality(good) = 0", "false"),
    ("S-11 id", "function", "flow_after", "order by k.priority, k.id", "order by k.priority, k.id desc"),
    ("S-11 work first", "function", "flow_after", "k.priority <= p_priority", "k.priority < p_priority"),
]


@pytest.mark.parametrize("rule, kind, name, old, new", MUTANTS, ids=[m[0].replace(" ", "-") for m in MUTANTS])
def test_a_mutant_is_noticed(scheduler, database, rule, kind, name, old, new):
    """A rule that is broken is seen within some worlds (S-1 to S-12)."""
    replaced(database, kind, name, old, new)
    for seed in range(1, TRIES + 1):
        if next(test_worlds.failures(scheduler, worlds.make(seed)), None):
            return
    pytest.fail(f"{TRIES} worlds do not notice that {rule} is broken")
