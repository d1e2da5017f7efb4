"""`orchctl why` is complete and true (S-14, B-1): in random worlds no live task is without a reason, every reason says what would end
it, and the scheduler starts exactly the jobs that are said to be ready."""

import random

import psycopg2
import pytest

SWITCHES = ("serial_gate_enabled", "serial_gate_freeze_enabled", "serial_gate_pause_enabled", "task_deps_enabled", "transition_lease_enabled")
REFUSALS = ("OR001", "OR002", "OR003")


class Story:
    """Random acts on a world. What the acts refuse is no act."""

    def __init__(self, world, seed):
        self.world, self.random = world, random.Random(seed)
        self.repos = ["demo", "shop"]
        world.add_project("shop", "SHOP")
        self.items, self.running = [], []
        for _ in range(4):
            self.new_item()

    def new_item(self):
        self.items.append(self.world.item(project=self.random.choice(self.repos), priority=self.random.randrange(5)))

    def claim(self):
        if job := self.world.claim():
            self.running.append(job)

    def end(self):
        if self.running:
            job = self.running.pop(self.random.randrange(len(self.running)))
            if self.random.random() < 0.75:
                self.world.succeed(job)
            else:
                self.world.finish(job, self.random.choice(["failed", "transient", "timeout"]), reason="bad luck")

    def work_on(self):
        """Some steps forward, so that late stages are seen as well."""
        for _ in range(8):
            self.claim()
            if self.running:
                self.world.succeed(self.running.pop())
            for item in self.world.db.column("select work_item from orch.task t where orch.waits_for_person(t)"):
                self.operate("approve", item, None)

    def operate(self, act, *args):
        try:
            self.world.operate(act, *args)
        except psycopg2.Error as refused:
            assert refused.pgcode in REFUSALS, refused

    def act(self):
        item, other, repo = self.random.choice(self.items), self.random.choice(self.items), self.random.choice(self.repos)
        kind = self.random.choice(["new", "claim", "claim", "end", "end", "work", "work", "work", "approve", "pause", "resume", "cancel", "freeze", "unfreeze",
                                   "depend", "retry", "priority", "switch", "limit", "unlimit", "time", "lease"])
        {"new": self.new_item, "claim": self.claim, "end": self.end, "work": self.work_on,
         "approve": lambda: self.operate("approve", item, None), "pause": lambda: self.operate("pause", item, "x"),
         "resume": lambda: self.operate("resume", item), "cancel": lambda: self.operate("cancel", item, "x") if self.random.random() < 0.3 else None,
         "freeze": lambda: self.operate("freeze", repo, "x", None), "unfreeze": lambda: self.operate("unfreeze", repo),
         "depend": lambda: self.operate("dependency_add", item, other), "retry": lambda: self.operate("retry", item, None),
         "priority": lambda: self.operate("priority_set", item, self.random.randrange(5)),
         "switch": lambda: self.world.set(self.random.choice(SWITCHES), self.random.choice(["on", "on", "off"])),
         "limit": lambda: self.operate("limit_set", "repo", repo, self.random.randrange(3)),
         "unlimit": lambda: self.operate("limit_remove", "repo", repo),
         "time": lambda: self.world.db.query("update orch.job set run_at = now() where status = 'queued'"),
         "lease": lambda: self.operate("lease_release", item)}[kind]()
        return f"{kind} {item} {other} {repo}"


def waits(database):
    """Work item -> axes, of every live task."""
    rows = database.query("""select t.work_item, coalesce(array_agg(w.axis order by w.precedence) filter (where w.task_id is not null), '{}') as axes,
                                    bool_and(coalesce(w.reason, '') <> '' and coalesce(w.ends_when, '') <> '') as said
                             from orch.task t left join orch.task_wait w on w.task_id = t.id where not t.terminal group by t.id""")
    silent = [row["work_item"] for row in rows if not row["axes"] or not row["said"]]
    assert silent == [], "live tasks without a reason, or with one whose end is not named"
    return {row["work_item"]: row["axes"] for row in rows}


def claimable_alone(world, item):
    """Whether a worker starts the item's queued job when there is no other to start. Nothing of this stays."""
    connection = world.db.connect()
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("""update orch.job set run_at = now() + interval '1 day' where status = 'queued'
                              and task_id <> (select id from orch.task where work_item = %s)""", [item])
            cursor.execute("select work_item from orch.job_claim(%s, %s)", [world.process, world.epoch])
            return [row[0] for row in cursor.fetchall()] == [item]
    finally:
        connection.close()


@pytest.mark.parametrize("seed", range(10))
def test_what_is_said_is_what_happens(world, seed):
    """S-14, B-1: after each of many random acts."""
    story, told = Story(world, seed), []
    for _ in range(30):
        told.append(story.act())
        axes = waits(world.db)
        queued = world.db.column("select t.work_item from orch.job j join orch.task t on t.id = j.task_id where j.status = 'queued' order by t.id")
        for item in story.random.sample(queued, min(3, len(queued))):
            claimable, now = claimable_alone(world, item), waits(world.db)[item]
            # a backoff may end between the two looks, and nothing else changes by itself
            assert claimable in (axes[item] == ["slot"], now == ["slot"]), (item, axes[item], now, told)


def test_another_merge_is_named(world):
    """M-1, S-14: a merge waits for the one before it, and says so."""
    world.set("serial_gate_enabled", "off")
    a, b = world.item(), world.item()
    for item in (a, b):
        world.db.query("update orch.job set priority = 4; update orch.job set priority = 0 where task_id = %s", world.task_id(item))
        while (job := world.claim())["role"] not in ("integrator", "merger") or job["work_item"] != item:
            world.succeed(job)
            for waiting in world.db.column("select work_item from orch.task t where orch.waits_for_person(t)"):
                world.operate("approve", waiting, None)
            if world.waits(item) == ["lease"]:
                assert "DEMO-1 has the merge lease of repo demo since" in world.call("why", item, user="orch_readonly")[0]["reason"]
                return
    raise AssertionError("both merge at once")


def test_ready_and_nobody_to_do_it(world):
    """S-14: that no worker is alive is said, and what ends it."""
    a = world.item()
    assert world.waits(a) == ["slot"]
    world.db.query("update orch.process set ended_at = now(), end_reason = 'test'")
    said = world.call("why", a, user="orch_readonly")[0]
    assert "no worker is alive" in said["reason"] and "orchctl up" in said["ends_when"]


def test_what_no_worker_has_taken_in(world):
    """S-14: an item in To Analyse is not told to be moved there; one that is elsewhere is, with what was said of it since."""
    item = world.item(handle=False)
    said, = world.call("why", item, user="orch_readonly")
    assert (said["axis"], said["reason"]) == ("intake", "no worker has taken it in yet") and "orchctl up" in said["ends_when"]
    with pytest.raises(psycopg2.Error) as error:
        world.operate("pause", item)
    assert error.value.diag.message_hint == f"It is not taken in: orchctl why {item}"
    world.operate("item_move", item, "backlog", None)
    said, = world.call("why", item, user="orch_readonly")
    assert said["reason"] == "it is not in the pipeline" and said["ends_when"].endswith(f"orchctl item move {item} to_analyse")
    world.operate("item_move", item, "to_analyse", None)
    world.call("local_item_comment", item, "m", "Not taken in: the title is too short")
    said, = world.call("why", item, user="orch_readonly")
    assert said["reason"] == "Not taken in: the title is too short" and "to_analyse" in said["ends_when"]
