"""A steady stream of requests while something happens to the suite: each must be answered, and well."""

import threading
import time

from .http import Client, gitea_headers
from .suite import SECRETS

PAUSE = 0.005  # seconds between two requests of one sender


class Stream:
    """`with Stream(suite) as stream: ...`: deliveries on the public port, pages on the status port. `bad` has what was
    refused, reset, closed without an answer or answered with something else than 2xx."""

    PAGES = ("/livez", "/readyz", "/metrics")

    def __init__(self, suite, senders=3):
        self.ports = (suite.public.port, suite.status.port)
        self.over = threading.Event()
        self.bad, self.stored, self.pages = [], 0, 0
        self.counters, self.went_back = {}, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._send) for _ in range(senders)]
        self.threads += [threading.Thread(target=self._look)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _try(self, what, request):
        begun = time.monotonic()
        try:
            response = request()
        except OSError as error:
            response, what = None, f"{what}: {error!r}"
        good = response is not None and 200 <= response.status < 300
        if not good:
            with self.lock:
                self.bad.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {what}: {response} after {time.monotonic() - begun:.3f} s")
        return response if good else None

    def _send(self):
        client = Client(self.ports[0])
        body = b'{"of": "no interest"}'
        while not self.over.wait(PAUSE):
            headers = gitea_headers(body, SECRETS["gitea"])
            if self._try("delivery", lambda: client.request("POST", "/webhook/gitea", body, headers)) is not None:
                with self.lock:
                    self.stored += 1

    def _look(self):
        client = Client(self.ports[1])
        while not self.over.wait(PAUSE):
            for page in self.PAGES:
                response = self._try(page, lambda: client.get(page))
                self.pages += response is not None
                if page == "/metrics" and response is not None:
                    self._compare(counters(response.text))

    def _compare(self, new):
        self.went_back += [f"{name}: {value}, then {new.get(name)}" for name, value in self.counters.items()
                           if new.get(name, -1) < value]
        self.counters = new


def counters(text):
    """The counters of a page of metrics, by name and labels."""
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE") and line.endswith(" counter")}
    lines = (line.rpartition(" ") for line in text.splitlines() if line.split("{")[0] in names)
    return {series: float(value) for series, _, value in lines}
