"""What happens when an axis cannot be evaluated (S-13), and the list that axes are on (B-1)."""

import json

import psycopg2
import pytest

AXES = {"cancel": "axis_cancel", "freeze": "axis_freeze", "pause": "axis_pause", "dependency": "axis_dependency",
        "active-task": "axis_serial", "backoff": "axis_backoff"}
CLOSED = {"cancel", "freeze"}


class Broken:
    """A view that raises for every row, as bad data would; mend() puts the true one back."""

    def __init__(self, world, axis):
        self.world, self.view = world, AXES[axis]
        self.true = world.db.value("select pg_get_viewdef(%s::regclass)", f"orch.{self.view}")
        world.db.query(f"create or replace view orch.{self.view} as select j.id as job_id, "
                       "(case when j.id > 0 then 1 / (j.id - j.id) end)::text as reason, ''::text as ends_when "
                       "from orch.job j where j.status = 'queued'")

    def mend(self):
        self.world.db.query(f"create or replace view orch.{self.view} as {self.true}")


def faults(world):
    return world.db.column("select axis from orch.axis_fault where cleared_at is null order by axis")


def alerts(world, axis):
    return world.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and object_key = %s", f"alert:axis:{axis}")


def metric(world, name, axis):
    return world.db.value("select value from orch.metric where name = %s and labels like %s", name, f'%axis="{axis}"%')


def beat(world):
    return world.call("process_beat", world.process, world.epoch, False)[0]


@pytest.mark.parametrize("axis", AXES)
def test_a_broken_axis_fails_in_its_direction(world, axis):
    """S-13: with freeze or cancel broken entry jobs are withheld; without the others the claim goes on. Counted, and one
    alert, however often it is met; people see it, and nothing else breaks."""
    world.set("axis_fault_clear_s", "0")
    a = world.item()
    broken = Broken(world, axis)
    claims = [world.claim() for _ in range(3)]
    if axis in CLOSED:
        assert claims == [None] * 3 and world.waits(a) == [axis]
        assert "cannot be evaluated" in world.call("why", a, user="orch_readonly")[0]["reason"]
    else:
        assert claims[0]["work_item"] == a
    assert faults(world) == [axis] and len(alerts(world, axis)) == 1
    assert metric(world, "orch_axis_failing", axis) == 1 and metric(world, "orch_axis_failures_total", axis) >= 1
    queue = world.call("queue_snapshot", user="orch_readonly")[0]["queue_snapshot"]
    assert [f["axis"] for f in queue["axis_faults"]] == [axis] and "error" not in json.dumps(queue["waiting"])
    world.item()
    broken.mend()
    beat(world)
    assert faults(world) == [] and metric(world, "orch_axis_failing", axis) == 0
    if axis in CLOSED:
        assert world.claim()["work_item"] == a
    assert len(alerts(world, axis)) == 1


@pytest.mark.parametrize("axis", AXES)
def test_work_under_way_goes_on_without_any_axis(world, axis):
    """S-13: a broken axis holds no job of a task under way."""
    a = world.item()
    world.work(until="architecture", item=a)
    Broken(world, axis)
    assert world.claim()["role"] == "architect"


@pytest.mark.parametrize("view", sorted(AXES.values()) + ["active_task", "lane_head", "job_block"])
def test_a_view_that_is_gone(world, view):
    """S-13: also when somebody has dropped it, and with it all that was made of it."""
    a, b = world.item(), world.item()
    world.db.query(f"drop view orch.{view} cascade")
    job = world.claim()
    if view in ("axis_cancel", "axis_freeze"):
        assert job is None and faults(world) == [view.removeprefix("axis_")]
    else:
        assert job["work_item"] == a
    assert world.waits(b)
    assert "error" not in json.dumps(world.call("queue_snapshot", user="orch_readonly")[0]["queue_snapshot"]["waiting"])


def test_without_the_serial_axis_more_than_one_starts(world):
    """S-13: fail-open means as if the axis did not exist; its order stays that of S-11."""
    a, b = world.item(), world.item()
    Broken(world, "active-task")
    assert [world.claim()["work_item"], world.claim()["work_item"], world.claim()] == [a, b, None]


def test_without_the_pause_axis_a_paused_entry_job_starts(world):
    """S-13: the claim really goes on without the axis, also for a job before the head of its lane."""
    a, b = world.item(), world.item()
    world.operate("pause", a, None)
    Broken(world, "pause")
    assert [world.claim()["work_item"], world.claim()["work_item"]] == [a, b]


@pytest.mark.parametrize("value, withheld", [("maybe", True), (None, True)])
def test_a_setting_that_is_no_switch_is_a_fault_of_its_axes(world, value, withheld):
    """S-12, S-13: a broken setting is not "off": the freeze axis cannot be evaluated, so nothing is let in."""
    world.item()
    world.db.query("alter table orch.setting_row drop constraint setting_value_fits_kind")
    if value is None:
        world.db.query("delete from orch.setting_row where key = 'serial_gate_freeze_enabled'")
    else:
        world.db.query("update orch.setting_row set value = %s where key = 'serial_gate_freeze_enabled'", value)
    assert (world.claim() is None) == withheld and faults(world) == ["freeze"]


def test_a_chain_of_waits_says_what_it_cannot_see(world):
    """S-13, B-6: a switch that is none breaks the answer of nobody who asks why an item waits: the chain says so and ends there."""
    first, second = world.item(), world.item()
    assert [w["via"] for w in world.call("waits_chain", second, user="orch_readonly")][0] == "active-task"
    world.db.query("alter table orch.setting_row drop constraint setting_value_fits_kind")
    world.db.query("update orch.setting_row set value = 'perhaps' where key = 'task_deps_enabled' returning 1")
    said = world.call("waits_chain", second, user="orch_readonly")
    assert [(w["depth"], w["waiter"], w["via"]) for w in said] == [(1, second, "axis")]
    assert "cannot be evaluated" in said[0]["holder"] and "perhaps" in said[0]["holder"] and first


def test_a_fault_that_comes_back_is_another(world):
    """S-13: one alert for each time that it breaks."""
    world.set("axis_fault_clear_s", "0")
    world.item()
    for n in (1, 2):
        broken = Broken(world, "freeze")
        assert world.claim() is None and len(alerts(world, "freeze")) == n
        broken.mend()
        beat(world)
        assert faults(world) == []


def test_a_fault_lasts_as_long_as_it_is_met(world):
    """S-13: it is not taken back while the axis still fails, nor before axis_fault_clear_s."""
    world.set("axis_fault_clear_s", "0")
    world.item()
    broken = Broken(world, "cancel")
    world.claim()
    beat(world)
    assert faults(world) == ["cancel"]
    world.set("axis_fault_clear_s", "1000")
    broken.mend()
    beat(world)
    assert faults(world) == ["cancel"] and world.claim() is not None
    world.set("axis_fault_clear_s", "0")
    beat(world)
    assert faults(world) == ["cancel"]  # no job is queued: nobody has seen it work
    world.item()
    beat(world)
    assert faults(world) == []


def test_a_lock_timeout_is_no_fault(world):
    """S-13: what has to do with time or memory, and not with the view, is raised: the claim is tried again."""
    world.item()
    world.claim()
    b = world.item(project=world.project)
    other = world.db.connect()
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute("lock table orch.task_dependency in access exclusive mode")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            world.db.query("set lock_timeout = '100ms'; select * from orch.blocks_of((select max(id) from orch.job))")
    other.close()
    assert faults(world) == [] and world.waits(b) == ["active-task"]


def test_the_recipe_for_an_axis(world):
    """B-1: docs/HACKING.md: a view and a line in the list; claim, why, /queue and metrics then know it."""
    a = world.item()
    world.db.query("set role orch_owner; create view orch.axis_moon as select j.id as job_id, 'the moon is full'::text as reason, "
                   "'it wanes'::text as ends_when from orch.job j join orch.task t on t.id = j.task_id where j.status = 'queued' and 'moonlight' = any (t.labels); "
                   "insert into orch.axis (key, precedence, view, applies_to, on_failure, about) values ('moon', 65, 'axis_moon', 'all', 'open', 'No work by moonlight'); "
                   "drop view orch.job_block cascade; select orch.job_block_make(); grant select on orch.axis_moon, orch.job_block to orch_readonly; reset role")
    world.db.query("update orch.task set labels = '{moonlight}'")
    assert world.claim() is None and world.blocks(a) == ["moon"] and world.waits(a) == ["moon"]
    assert metric(world, "orch_axis_failing", "moon") == 0
    world.set("lane_poll_s", "0")
    world.db.query("update orch.task set labels = '{}'")
    assert world.claim()["work_item"] == a
