"""The end of a run is recorded as it was, whatever the database needs for it."""

from support.pipeline import Pipeline


def test_a_lock_that_is_held_for_long_costs_no_attempt(suite, project, agents, gate):
    """T-6, J-4: somebody, in psql say, keeps the task locked for longer than a statement waits. The run that ends meanwhile has
    succeeded, and is recorded so as soon as it can be."""
    gate.hold("analyst")
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    person = line.db.connect()
    person.autocommit = False
    try:
        person.cursor().execute("select from orch.task for no key update")
        gate.open()
        line.wait(lambda: suite.log.records("job.end-not-recorded"), 30, "the worker has not got the lock")
    finally:
        person.rollback()
        person.close()
    line.wait_shown(item, "in_review")
    assert [(run["outcome"], run["attempt"]) for run in line.runs(item)] == [("success", 1)]
