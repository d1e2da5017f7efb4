"""What a worker takes in one claim: as many jobs as it has free slots, and never more."""

from support.pipeline import Pipeline
from support.wait import stays


def test_free_slots_are_filled_by_one_claim(make_suite, project, gate):
    """J-1: four jobs become claimable at once; a worker with three slots takes three in one transaction, and leaves the fourth."""
    gate.hold("analyst")
    suite = make_suite(worker_slots=3).start()
    line = Pipeline(suite, project)
    suite.orchctl("config", "set", "serial_gate_enabled", "off")
    suite.orchctl("limit", "set", "global", "0")
    items = [line.item() for _ in range(4)]
    line.wait(lambda: line.db.value("select count(*) from orch.job where status = 'queued'") == 4, 60, "all are queued")
    suite.orchctl("limit", "remove", "global")
    for item in items[:3]:
        line.wait_running(item, "analyst")
    assert line.db.value("select count(distinct xmin::text) from orch.history where kind = 'claim'") == 1
    stays(lambda: line.db.value("select count(*) from orch.history where kind = 'claim'") == 3, 1)
    gate.open()
