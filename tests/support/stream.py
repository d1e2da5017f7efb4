"""A steady stream of requests while something happens to the suite: each must be answered, and well."""

import collections
import threading
import time

from .http import Client, gitea_headers
from .suite import SECRETS

PAUSE = 0.005  # seconds between two requests of one sender, unless a test says otherwise


class Stream:
    """`with Stream(suite) as stream: ...`: deliveries on the public port, pages on the status port. `bad` has what was
    refused, reset, closed without an answer or answered with something else: a delivery with other than 202, a page with
    other than 200."""

    PAGES = ("/livez", "/readyz", "/metrics")

    def __init__(self, suite, senders=3, pause=PAUSE, page_pause=PAUSE):
        self.ports = (suite.public.port, suite.status.port)
        self.over, self.pause, self.page_pause = threading.Event(), pause, page_pause
        self.bad, self.stored, self.pages = [], 0, 0
        self.begun = self.seconds = 0.0
        self.slowest_answer, self.by_second = 0.0, collections.Counter()
        self.counters, self.went_back = {}, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._send) for _ in range(senders)]
        self.threads += [threading.Thread(target=self._look)]

    def __enter__(self):
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.begun

    @property
    def rate(self):
        """Deliveries answered per second, once it is over."""
        return self.stored / self.seconds

    @property
    def slowest_second(self):
        """The fewest deliveries answered within a whole second."""
        return min((self.by_second[second] for second in range(int(self.seconds))), default=0)

    def _try(self, what, wanted, request):
        begun = time.monotonic()
        try:
            response = request()
        except OSError as error:
            response, what = None, f"{what}: {error!r}"
        took = time.monotonic() - begun
        good = response is not None and response.status == wanted
        with self.lock:
            self.slowest_answer = max(self.slowest_answer, took)
            if not good:
                self.bad.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {what}: {response} after {took:.3f} s")
        return response if good else None

    def _send(self):
        client = Client(self.ports[0])
        body = b'{"of": "no interest"}'
        while not self.over.wait(self.pause):
            headers = gitea_headers(body, SECRETS["gitea"])
            if self._try("delivery", 202, lambda: client.request("POST", "/webhook/gitea", body, headers)) is not None:
                with self.lock:
                    self.stored += 1
                    self.by_second[int(time.monotonic() - self.begun)] += 1

    def _look(self):
        client = Client(self.ports[1])
        while not self.over.wait(self.page_pause):
            for page in self.PAGES:
                response = self._try(page, 200, lambda: client.get(page))
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
