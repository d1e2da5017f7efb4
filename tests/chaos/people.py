"""Those outside of the suite while it is broken: people who make items, approve and cancel, and forges that send
deliveries. They try again until they are answered, and remember what was acknowledged: that must not be lost."""

import hashlib
import itertools
import json
import random
import threading
import uuid

import psycopg2

from support.http import gitea_headers
from support.suite import SECRETS

JOBS_PER_ITEM = 12
LIVE_PER_REPO = 2  # one is worked at, one waits for it
AHEAD = 4          # items that are there before their time, so that no moment is without work


class Worker(threading.Thread):
    """Does one step after the other until it is told to stop. A defect of ours ends the run: see `failure`."""

    pause_s = 0.1

    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.over, self.failure = threading.Event(), None

    def run(self):
        try:
            while not self.over.wait(self.pause_s):
                self.step()
        except Exception as error:
            self.failure = error

    def finish(self):
        self.over.set()
        self.join(30)


class People(Worker):
    """Keep as many items in the pipeline as the time that has passed asks for, so that there is work in every moment
    of the run, and decide at the gates."""

    pause_s = 0.2

    def __init__(self, world, promises, jobs):
        super().__init__("people")
        self.world, self.promises, self.jobs = world, promises, jobs
        self.doors = itertools.cycle((None, *world.hosts))
        self.share = 0.0  # of the run that has passed; whoever conducts it sets it

    def ask(self, statement, *args):
        """Rows, or None: not acknowledged, whatever has become of it."""
        try:
            return self.world.pair.primary.query(statement, *args)
        except psycopg2.Error:
            return None

    def step(self):
        self.create()
        self.decide()

    def create(self):
        counts = self.ask("select p.name, count(i.id), count(i.id) filter (where not coalesce(t.terminal, false))"
                          " from orch.project p left join orch.local_item i on i.project_id = p.id"
                          " left join orch.task t on t.project_id = p.id and t.tracker_id in (i.id::text,"
                          " i.id::text || '#cancelled-' || t.id) group by p.name order by count(i.id), p.name")
        if not counts:
            return
        wanted = self.jobs * self.share + JOBS_PER_ITEM * AHEAD
        made = sum(count for _, count, _ in counts)
        for project, _, live in counts:
            if live < LIVE_PER_REPO and made * JOBS_PER_ITEM < min(wanted, self.jobs):
                answer = self.ask("select orch.item_create(%s, 'Chaos', '', null) ->> 'work_item'", project)
                if answer:
                    self.promises.items.add(answer[0][0])
                    made += 1

    def decide(self):
        rows = self.ask("select t.work_item, t.stage, exists (select from orch.task_wait w where w.task_id = t.id"
                        " and w.axis = 'person') from orch.task t where not t.terminal and t.cancel_requested_at is null")
        for item, stage, waits in rows or []:
            if self.whim(item) == stage and self.act(item, "cancel"):
                self.promises.cancels.add(item)
            elif waits and self.whim(item) != stage and self.act(item, "approve"):
                self.promises.approvals.add((item, stage))

    def act(self, item, act):
        """By psql, or at the operator port of one of the hosts: whichever comes next. True: it was acknowledged."""
        host = next(self.doors)
        if host is None:
            return bool(self.ask(f"select orch.{act}(%s)", item))
        try:
            response = host.operator.ask("POST", f"/tasks/{item}/{act}")
        except OSError:
            return False
        return response is not None and response.status == 200

    def whim(self, item):
        """The stage in which people cancel that item; None for most."""
        rng = random.Random(f"{self.world.seed} {item}")
        return rng.choice(("analysis", "development", "testing", "deploy")) if rng.random() < 0.15 else None


class Sender(Worker):
    """Posts deliveries to one host, about 256 commits: those about one are handled in order."""

    def __init__(self, host, promises):
        super().__init__(f"sender to {host.name}")
        self.host, self.promises, self.turned_away = host, promises, 0

    def step(self):
        delivery = str(uuid.uuid4())
        body = json.dumps({"sha": hashlib.sha1(delivery[:2].encode()).hexdigest(), "state": "success", "context": delivery,
                           "repository": {"full_name": "chaos/none"}}).encode()
        try:
            response = self.host.suite.public.request("POST", "/webhook/gitea", body,
                                                      gitea_headers(body, SECRETS["gitea"], "status", delivery))
        except OSError:
            response = None
        if response is not None and 200 <= response.status < 300:
            self.promises.deliveries.add(delivery)
        else:
            self.turned_away += 1
