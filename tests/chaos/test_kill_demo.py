"""Work items are carried to done while every kind of process is killed under them, PostgreSQL too.

ORCH_CHAOS_SEED=N repeats an order of kills, ORCH_CHAOS_KILLS=N makes more of them.
"""

import json
import os
import time
import uuid

import psycopg2
import pytest

from support import history
from support.agents import Agents
from support.http import gitea_headers
from support.nemesis import Nemesis
from support.suite import SECRETS
from support.wait import wait_for

KILLS = int(os.environ.get("ORCH_CHAOS_KILLS", "20"))
# More lives than people would give a job: what is tested here is that none is done twice, not when we give up.
SETTINGS = {"job_max_crashes": 100, "job_max_attempts": 20, "job_backoff_s": 1, "effect_backoff_s": 1, "stage_grace_s": 2,
            "process_dead_after_s": 5}

# An agent that is at work for a while, now and then for so long that its successor would meet it; that does not heed
# SIGTERM; and that has a child which has left its process group.
STUBBORN = "trap '' TERM; timeout --signal=KILL $((RANDOM % 4 ? 0 : 4)).3 tail -f /dev/null || :"


class Operator:
    """A person at the two gates, who tries again when the database is away."""

    def __init__(self, database, project):
        self.database, self.project = database, project

    def ask(self, statement, *args):
        """The first column of the answer; [] when the database is away or refuses."""
        try:
            return self.database.column(statement, *args)
        except psycopg2.Error:
            return []

    def create(self):
        self.ask("select orch.item_create(%s, 'Chaos item', '', null)", self.project.name)

    def items(self):
        return self.ask("select work_item from orch.local_item order by id")

    def pass_gates(self):
        for work_item in self.ask("select work_item from orch.task t join orch.task_wait w on w.task_id = t.id"
                                  " where w.axis = 'person'"):
            self.ask("select orch.approve(%s)", work_item)

    def all_done(self):
        """Each item has a task, and that is done; asked in one statement, because the next one may fail."""
        return self.ask("select bool_and(t.stage is not distinct from 'done') from orch.local_item i"
                        " left join orch.task t on t.work_item = i.work_item") == [True]


class Sender:
    """Posts deliveries and remembers those that were acknowledged."""

    def __init__(self, suite):
        self.suite = suite
        self.acknowledged, self.turned_away, self.last = set(), 0, 0.0

    def post(self):
        """Ten a second are plenty."""
        if time.monotonic() - self.last < 0.1:
            return
        self.last = time.monotonic()
        delivery = str(uuid.uuid4())
        body = json.dumps({"sha": "0" * 40, "state": "success", "context": delivery,
                           "repository": {"full_name": "chaos/none"}}).encode()
        headers = gitea_headers(body, SECRETS["gitea"], "status", delivery)
        try:
            response = self.suite.public.request("POST", "/webhook/gitea", body, headers)
        except OSError:
            response = None
        if response is not None and 200 <= response.status < 300:
            self.acknowledged.add(delivery)
        else:
            self.turned_away += 1


@pytest.mark.timeout(200 + 10 * KILLS)
def test_items_survive_the_death_of_everything(cluster, database, folder, project, make_suite):
    """J-1, J-6, P-7, P-8, P-12, T-5, I-3, R-6, S-5: exactly once, whatever dies."""
    for key, value in SETTINGS.items():
        database.query("select orch.setting_set(%s, %s)", key, str(value))
    agents = Agents(folder / "agents", before=STUBBORN)
    suite = make_suite(webhookd_count=2, workerd_count=2, log_level="info", **agents.options()).start()
    suite.add_project(project)
    operator, sender = Operator(database, project), Sender(suite)
    operator.create()
    operator.create()
    nemesis = Nemesis(suite, cluster, kills=KILLS, seed=os.environ.get("ORCH_CHAOS_SEED"))

    def carried():
        nemesis.step()
        sender.post()
        operator.pass_gates()
        if not operator.all_done():
            return False
        if nemesis.pending:
            operator.create()
        return not nemesis.pending

    begun = time.monotonic()
    wait_for(carried, 120 + 10 * KILLS, "all items are done", lambda: explain(suite, database, nemesis))
    items = operator.items()
    print(f"{len(items)} items done after {time.monotonic() - begun:.1f} s and {len(nemesis.done)} kills;"
          f" {len(sender.acknowledged)} deliveries acknowledged, {sender.turned_away} turned away; runs:"
          f" {database.query('select outcome, count(*) from orch.run group by outcome order by outcome')}")

    suite.wait_ready()
    suite.wait_for(lambda: settled(database), what="inbox and outbox are empty")
    suite.wait_for(lambda: not history.trees(suite), what="the worktrees of the dead are removed")
    for item in items:
        history.check_stages(database, item)
    history.check_jobs(database)
    history.check_runs(database)
    history.check_commits(database, project)
    history.check_agents(agents, items)
    history.check_deliveries(database, sender.acknowledged)
    history.check_effects(database)
    assert second_contains_first(database, project, items)
    suite.stop()
    history.check_nothing_left(suite, project)


def settled(database):
    return database.value("select not exists (select from orch.event where ended_at is null)"
                          " and not exists (select from orch.effect where ended_at is null)")


def second_contains_first(database, project, items):
    """P-8, S-5: the second item's branch was cut from main after the first one's merge."""
    first_done = database.value("select max(h.at) from orch.history h join orch.task t on t.id = h.task_id"
                                " where t.work_item = %s and h.to_stage = 'done'", items[0])
    second_cut = database.value("select min(h.at) from orch.history h join orch.task t on t.id = h.task_id"
                                " where t.work_item = %s and h.kind = 'claim'", items[1])
    return first_done < second_cut and all(f"src/{item}.txt" in project.files() for item in items)


def explain(suite, database, nemesis):
    jobs = database.query("select t.work_item, t.stage, j.id, j.role, j.status, j.attempts, j.crashes, j.outcome, j.reason"
                          " from orch.job j join orch.task t on t.id = j.task_id order by j.id")
    return "\n".join([f"kills done: {nemesis.done}", f"kills left: {nemesis.pending}", *map(str, jobs), suite.log.tail(80)])
