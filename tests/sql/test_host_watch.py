"""Room on the disks of hosts and their cache pruners: who is alerted, and when (R-9)."""

import pytest


@pytest.fixture
def reaper(world):
    return world.add_process("reaperd", pid=9, user="orch_reaperd")


def report(world, reaper, free, inodes=10 ** 6, path="/data", least=1000, error=None):
    rows = world.call("disk_report", *reaper, "[]", least, 1000, user="orch_reaperd") if path is None else world.db.query(
        "select * from orch.disk_report(%s, %s, jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('path', %s::text, 'bytes', %s::bigint, 'inodes', %s::bigint, 'error', %s::text))), %s, 1000)",
        *reaper, path, free, inodes, error, least, user="orch_reaperd")
    return [row["bad"] for row in rows]


def alerts(world):
    return world.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' order by id")


def test_a_line_is_crossed_once_each_way(world, reaper):
    """R-9: an alert when room falls below the line, one when there is a quarter more than that, none between."""
    assert [report(world, reaper, free) for free in (5000, 999, 10, 1100, 1249, 1250, 1100, 1000, 999)] == [[], [True], [], [], [], [False], [], [], [True]]
    texts = alerts(world)
    assert len(texts) == 3 and "only 999 bytes are free in /data" in texts[0] and texts[0].startswith("host testhost: ")
    assert "1250 bytes are free" in texts[1] and "only" not in texts[1]


def test_files_count_as_bytes_do(world, reaper):
    """R-9: a disk with room for bytes and none for files is full; a file system that counts no files is not."""
    assert report(world, reaper, 5000, inodes=999) == [True] and report(world, reaper, 5000, inodes=1249) == []
    assert report(world, reaper, 5000, inodes=None) == [False]
    assert "more files" in alerts(world)[0]


def test_a_disk_that_cannot_be_looked_at_is_bad(world, reaper):
    """R-9: a path that is not there is no path with room."""
    assert report(world, reaper, None, None, error="No such file or directory") == [True]
    assert "cannot be looked at: No such file" in alerts(world)[0]
    assert report(world, reaper, None, None, error="No such file or directory") == []


def test_the_state_outlives_the_reaper_and_a_path_that_is_no_longer_watched_does_not(world, reaper):
    """R-9, R-8: another reaper of the host goes on where the one before stood; a stranger says nothing."""
    report(world, reaper, 10)
    world.db.query("update orch.process set ended_at = now(), end_reason = 'left' where pid = 9")
    assert report(world, reaper, 5000) == []
    other = world.add_process("reaperd", pid=10, user="orch_reaperd")
    assert report(world, other, 10) == [] and report(world, other, 5000) == [False]
    metric = lambda: world.db.query("select labels, value from orch.metric where name = 'orch_disk_free_bytes'", user="orch_readonly")
    assert [(m["labels"], m["value"]) for m in metric()] == [('scope="cluster",host="testhost",path="/data"', 5000)]
    assert report(world, other, None, path=None) == [] and metric() == []
    report(world, other, 10, path='/a "b\\')
    assert metric()[0]["labels"].endswith('path="/a \\"b\\\\"')


def test_a_pruner_that_fails_is_one_alert(world, reaper):
    """R-9: not one for each run; and one when it works again."""
    told = lambda failed: world.call("prune_report", *reaper, failed, "exited with 3", user="orch_reaperd")[0]["prune_report"]
    assert [told(f) for f in (False, True, True, True, False, True)] == [False, True, False, False, True, True]
    assert [("failed" in a, "again" in a) for a in alerts(world)] == [(True, False), (False, True), (True, False)]


def test_a_host_without_room_runs_no_job_of_any_role(world):
    """S-7, S-14: `*` in what a worker reports stands for all roles, and is said."""
    item = world.item()
    world.db.query("select orch.process_report(%s, %s, '{}', %s)", world.process, world.epoch,
                   '{"*": "too little room in /state"}', user="orch_workerd")
    assert world.claim() is None and world.blocks(item) == ["capacity"]
    assert "host testhost: too little room in /state" in [w["reason"] for w in world.call("why", item, user="orch_readonly")]
    world.db.query("select orch.process_report(%s, %s, '{}', '{}')", world.process, world.epoch, user="orch_workerd")
    assert world.claim()["role"] == "analyst"
