"""The end of a run that the database cannot take at once."""

import contextlib

from support.pipeline import Pipeline


@contextlib.contextmanager
def held(line):
    """Somebody, in psql say, keeps the task locked for longer than a statement waits."""
    person = line.db.connect()
    person.autocommit = False
    try:
        person.cursor().execute("select from orch.task for no key update")
        yield
    finally:
        person.rollback()
        person.close()


def test_a_push_that_cannot_be_announced_waits(suite, project, agents, gate):
    """P-4, J-4: a run says what it is about to push; until it could, it neither pushes nor fails."""
    gate.hold("analyst")
    line = Pipeline(suite, project)
    item = line.item()
    line.wait_running(item, "analyst")
    with held(line):
        gate.open()
        line.wait(lambda: [r for r in suite.log.records("job.retry") if r["code"] == "55P03"], 30, "the worker has not got the lock")
    line.wait_shown(item, "in_review")
    assert [(run["outcome"], run["attempt"]) for run in line.runs(item)] == [("success", 1)]


def test_a_lock_that_is_held_for_long_costs_no_attempt(suite, project, agents, gate):
    """T-6, J-4: the run that ends meanwhile has succeeded, and is recorded so as soon as it can be."""
    project.test_command = f"flock --shared {gate.path} true"
    line = Pipeline(suite, project)
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "ci")
    with held(line):
        gate.open()
        line.wait(lambda: suite.log.records("job.end-not-recorded"), 60, "the worker has not got the lock")
    line.wait_stage(item, "review", "testing", "deploy-staging", "deploy", timeout=60)
    assert [(run["outcome"], run["attempt"]) for run in line.runs(item, "ci")] == [("success", 1)]
