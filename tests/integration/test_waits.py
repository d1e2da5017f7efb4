"""Waits that the running suite finds by itself (B-6)."""

from support.pipeline import Pipeline


def test_the_reconciler_finds_a_deadlock_and_people_are_told(make_suite, project):
    """B-6: it is named in the log and in one alert; the act that the alert names opens it."""
    suite = make_suite(reconcile_interval="300ms").start()
    line = Pipeline(suite, project)
    repo = project.name
    suite.orchctl("freeze", repo, "--reason", "so that both are there first")
    first, second = line.item("First"), line.item("Second")
    suite.wait_for(lambda: line.task(first) and line.task(second), 30, "both are taken in")
    mark = suite.log.mark()
    suite.orchctl("dependency", "add", first, second)
    suite.log.wait("reconcile.deadlock", since=mark)
    suite.orchctl("unfreeze", repo)
    alert = "select payload ->> 'text' from orch.effect where kind = 'alert' and status = 'done'"
    suite.wait_for(lambda: line.db.column(alert), 30, "people are told")
    assert line.db.column(alert)[0].endswith(f"Cheapest way out: orchctl pause {first}")
    suite.orchctl("pause", first)
    line.wait_shown(second, "in_review")
    suite.wait_for(lambda: line.db.value("select count(*) from orch.wait_finding where ended_at is null") == 0, 30, "the finding has ended")
    assert len(line.db.column(alert)) == 1
