"""Payload files as deliveries: whose they are and which event they tell of is in their names."""

import pathlib

from .paths import source

FIXTURES = source("tests/fixtures/webhooks")

# What Gitea puts into X-Gitea-Event and X-Gitea-Event-Type, by how the file's name goes on after "gitea-".
GITEA_EVENTS = [
    ("push", "push", "push"),
    ("create", "create", "create"),
    ("delete", "delete", "delete"),
    ("pull-request-synchronized", "pull_request", "pull_request_sync"),
    ("pull-request-comment", "issue_comment", "pull_request_comment"),
    ("pull-request", "pull_request", "pull_request"),
    ("review-approved", "pull_request_approved", "pull_request_review_approved"),
    ("review-rejected", "pull_request_rejected", "pull_request_review_rejected"),
    ("review-comment", "pull_request_comment", "pull_request_review_comment"),
    ("issue-comment", "issue_comment", "issue_comment"),
    ("status", "status", "status"),
    ("workflow-run", "workflow_run", "workflow_run"),
    ("workflow-job", "workflow_job", "workflow_job"),
]


class Delivery:
    """One file: .source, .event, .event_type, .body (the bytes as they are)."""

    def __init__(self, path):
        self.name = path.name
        self.source, _, rest = path.stem.partition("-")
        self.body = path.read_bytes()
        if self.source == "plane":
            self.event = self.event_type = "workitem" if rest.startswith("v2-") else rest.split("-")[0]
        else:
            found = [row for row in GITEA_EVENTS if rest.startswith(row[0])]
            assert found, f"{self.name}: no Gitea event has such a name"
            _, self.event, self.event_type = found[0]

    def __repr__(self):
        return self.name


def deliveries_in(folder):
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    return [Delivery(path) for path in paths if path.name.startswith(("gitea-", "plane-"))]
