"""Payload files from outside the repository: the folder that ORCH_EXTRA_FIXTURES names, with webhooks/*.json.

Unset, the tests run on the repository's own fixtures, so that they are never skipped."""

import os
import pathlib

import pytest

from support.deliveries import FIXTURES, deliveries_in

EXTRA = os.environ.get("ORCH_EXTRA_FIXTURES")
DELIVERIES = deliveries_in(pathlib.Path(EXTRA) / "webhooks" if EXTRA else FIXTURES)


def test_there_are_some():
    assert DELIVERIES, f"no gitea-*.json or plane-*.json in {EXTRA}/webhooks"


@pytest.mark.parametrize("delivery", DELIVERIES, ids=str)
def test_delivery_is_stored(shared, delivery):
    """I-3: posted, signed, with the right headers: stored as it is."""
    response = shared.post_file(delivery)
    assert response.status == 202
    stored = shared.database.value("select body from orch.event where id = %s", response.json()["event"])
    assert bytes(stored) == delivery.body


def test_all_are_consumed_and_none_is_malformed(suite, database):
    """I-3: a worker routes and handles each of them; what concerns no project of ours is ignored, not refused."""
    for delivery in DELIVERIES:
        if delivery.source == "gitea":
            response = suite.post_gitea(delivery.body, delivery.event, event_type=delivery.event_type)
        else:
            response = suite.post_plane(delivery.body, delivery.event)
        assert response.status in (200, 202), delivery
    suite.wait_for(lambda: not database.column("select id from orch.event where status in ('received', 'routed')"),
                   what="all events are consumed")
    refused = database.query("select id, status, outcome from orch.event where status in ('malformed', 'dead')")
    assert refused == []
    assert database.value("select count(*) from orch.event") == len({(d.source, d.body) if d.source == "plane" else d.name
                                                                     for d in DELIVERIES})
