"""Fixtures of the integration tests: single daemons."""

import pytest

from support.webhookd import Webhookd


@pytest.fixture
def make_webhookd(request, folder):
    """Makes webhookds that are not started yet; those that still run at the end must stop cleanly."""
    made = []

    def make(dsn, **options):
        made.append(Webhookd(dsn, folder / f"webhookd{len(made)}", **options))
        return made[-1]

    yield make
    report = getattr(request.node, "report_call", None)
    failed = report is None or report.failed
    try:
        for webhookd in made:
            if failed:
                request.node.add_report_section("call", f"log of {webhookd.folder.name}", webhookd.log.tail())
            else:
                webhookd.stop()
    finally:
        for webhookd in made:
            webhookd.destroy()


@pytest.fixture
def webhookd(make_webhookd, database):
    """One webhookd whose database is up."""
    return make_webhookd(database.dsn()).start().wait_database()
