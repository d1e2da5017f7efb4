"""Deliveries sent to a suite without pause, and which of them were acknowledged: those must never be lost."""

import threading
import time
import uuid

from .http import gitea_headers
from .suite import SECRETS

BODY = b'{"sha": "%s", "state": "success", "context": "load", "repository": {"full_name": "no/one"}}' % (b"0" * 40)
PAUSE = 0.02  # seconds between two deliveries of one sender


class Load:
    """`with Load(suite) as load: ...`. `acknowledged` maps the id of each delivery that got a 2xx to when it did."""

    def __init__(self, suite, senders=3):
        self.client = suite.public
        self.acknowledged, self.sent, self.refused = {}, {}, []  # refused: when, and how
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(senders)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _send(self):
        while not self.over.wait(PAUSE):
            delivery = str(uuid.uuid4())
            self.sent[delivery] = time.monotonic()
            how = send(self.client, delivery)
            now = time.monotonic()
            if isinstance(how, int) and 200 <= how < 300:
                self.acknowledged[delivery] = now
            else:
                self.refused.append((now, how))

    def since(self, instant):
        """How many were acknowledged since then."""
        return sum(at > instant for at in list(self.acknowledged.values()))

    def first_after(self, instant):
        return min((at for at in list(self.acknowledged.values()) if at > instant), default=None)

    def first_sent_after(self, instant):
        """When the first of those that were sent since then was acknowledged."""
        return min((at for delivery, at in list(self.acknowledged.items()) if self.sent[delivery] > instant), default=None)

    def check_stored(self, database):
        """I-3: each delivery that was acknowledged is stored once, and was consumed."""
        stored = database.query("select delivery, count(*) as n, bool_and(ended_at is not null) as consumed,"
                                " bool_or(status in ('malformed', 'dead')) as bad from orch.event"
                                " where delivery = any(%s) group by delivery", sorted(self.acknowledged))
        lost = set(self.acknowledged) - {row["delivery"] for row in stored}
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged deliveries lost: {sorted(lost)[:5]}"
        wrong = [row for row in stored if row["n"] != 1 or not row["consumed"] or row["bad"]]
        assert not wrong, wrong


def send(client, delivery):
    """The status that a delivery got; or what came instead of one."""
    try:
        response = client.request("POST", "/webhook/gitea", BODY, gitea_headers(BODY, SECRETS["gitea"], "status", delivery))
    except OSError as error:
        return repr(error)
    return response.status if response else "no answer"
