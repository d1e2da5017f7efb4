"""The sending half of a simulated service: webhooks, as each of the two services really delivers them, faults included.

Each delivery is one entry of the service's journal. `lose`, `double` and `late` are probabilities: a delivery that never
leaves, leaves twice, or leaves after others that came later.
"""

import http.client
import queue
import random
import threading
import urllib.parse


class Webhooks:
    def __init__(self, journal, name, seed=0):
        self.journal, self.name, self.random = journal, name, random.Random(seed)
        self.lose = self.double = self.late = 0.0
        self.late_s = 0.5
        self.queue, self.idle = queue.Queue(), threading.Event()
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(3)]  # no order, as there
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for _ in self.threads:
            self.queue.put(None)

    def send(self, hook, event, headers, body, attempts=1, retry_s=0.0, on_given_up=None):
        """Queues one delivery. `headers` is called for each attempt, because some of them are new each time. Only a
        transport error is tried again, up to `attempts`, each after a part of `retry_s`."""
        if self.random.random() < self.lose:
            self.journal.add("delivery", event=event, outcome="lost")
            return
        job = (hook, event, headers, body, attempts, retry_s, on_given_up)
        for _ in range(2 if self.random.random() < self.double else 1):
            if self.random.random() < self.late:
                threading.Timer(self.random.random() * self.late_s, self.queue.put, (job,)).start()
            else:
                self.queue.put(job)

    def work(self):
        while (job := self.queue.get()) is not None:
            self.deliver(*job)

    def deliver(self, hook, event, headers, body, attempts, retry_s, on_given_up):
        for attempt in range(1, attempts + 1):
            try:
                status = post(hook, headers(), body)
                self.journal.add("delivery", event=event, outcome="answered", status=status, attempt=attempt, url=hook)
                return
            except (OSError, http.client.HTTPException) as error:
                self.journal.add("delivery", event=event, outcome="failed", error=str(error), attempt=attempt, url=hook)
            if attempt < attempts and self.ended.wait(self.random.random() * retry_s):
                return
        if on_given_up:
            on_given_up()


def post(url, headers, body, timeout=5.0):
    """The status of the answer. Raises OSError or HTTPException when there is none."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
