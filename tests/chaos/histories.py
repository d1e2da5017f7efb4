"""A history made by hand, in which all is well: one item that was carried to done, and one that was cancelled in
analysis. The tests of the checker break one thing in it each."""

import datetime

from . import facts as f

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
STEPS = (("analysis", ("analyst",)), ("architecture", ("architect",)), ("development", ("developer", "ci")),
         ("review", ("reviewer",)), ("testing", ("tester",)), ("deploy-staging", ("deployer", "integrator")),
         ("deploy", ("releaser", "finalizer", "merger")))
STAGES = ["created", *(stage for stage, _ in STEPS), "done"]
AGENTS = ("agent", "ci")  # what runs under a shim of its job
KINDS = {"ci": "ci", "integrator": "integrate", "releaser": "deploy", "finalizer": "finalize", "merger": "merge"}


class Making:
    """The tables as they grow; each act is a second later than the one before."""

    def __init__(self):
        self.tables = {name: [] for name in f.TABLES}
        self.lines, self.main = [], [f.Commit("begin", [], {})]
        self.second = 0
        self.tables["setting"] = [{"key": "job_max_crashes", "value": "5"}, {"key": "job_max_transient", "value": "5"}]
        self.tables["stage_edge"] = [{"from_stage": a, "to_stage": b} for a, b in zip(STAGES, STAGES[1:])] \
            + [{"from_stage": stage, "to_stage": "cancelled"} for stage in STAGES[:-1]]
        self.add("process", daemon="workerd", pid=7, host="a", ended_at=None)

    def now(self):
        self.second += 1
        return BEGIN + datetime.timedelta(seconds=self.second)

    def add(self, table, **row):
        row["id"] = len(self.tables[table]) + 1
        self.tables[table].append(row)
        return row

    def history(self, kind, task, job=None, epoch=None, move=(None, None), version=None):
        self.add("history", at=self.now(), kind=kind, actor="process 1", task_id=task["id"], job_id=job and job["id"],
                 epoch=epoch, from_stage=move[0], to_stage=move[1], stage_version=version, detail={})

    def line(self, what, task, job, epoch):
        self.lines.append(f.Line(what, job["id"], epoch, 1000 + job["id"], self.second * 10**9, int((BEGIN.timestamp() + self.second) * 10**9),
                                 task["item"], job["role"], job["stage"], f"/state/runs/{job['id']}-{epoch}",
                                 len(self.lines)))

    def task(self, item):
        self.add("local_item", work_item=item)
        self.add("event", delivery=f"delivery of {item}", status="handled", ended_at=self.now())
        return self.add("task", item=item, repo="demo", branch=f"feature/{item}", stage="created", stage_version=0,
                        terminal=False, escalation=None)

    def move(self, task, to_stage):
        task["stage_version"] += 1
        self.history("stage", task, move=(task["stage"], to_stage), version=task["stage_version"])
        task["stage"], task["terminal"] = to_stage, to_stage in ("done", "cancelled")

    def begin(self, task, role, epoch=1):
        """A claim, and its agent."""
        job = next((j for j in self.tables["job"] if j["task_id"] == task["id"] and j["active"]), None) or \
            self.add("job", task_id=task["id"], role=role, kind=KINDS.get(role, "agent"), entry=role == "analyst",
                     stage=task["stage"], attempts=0, max_attempts=3, crashes=0, transients=0, reason=None, active=True)
        job["status"], job["attempts"] = "running", job["attempts"] + 1
        self.history("claim", task, job, epoch)
        self.add("run", job_id=job["id"], epoch=epoch, host="a", outcome=None, started_at=self.now(), ended_at=None)
        if job["kind"] in AGENTS:
            self.line("start", task, job, epoch)
        return job

    def end(self, task, job, outcome, kind="outcome", epoch=1):
        run = self.tables["run"][-1]
        if outcome == "success" and job["kind"] in AGENTS:
            self.line("end", task, job, epoch)
        run["outcome"], run["ended_at"] = outcome, self.now()
        self.history(kind, task, job, epoch)
        if outcome in ("lost", "released", "transient"):
            job["status"], job["attempts"] = "queued", job["attempts"] - 1
        else:
            job["status"], job["active"] = "done" if outcome == "success" else "cancelled", False

    def work(self, task, role):
        """A run that is lost, then one that succeeds, so that there is a fence to cross."""
        self.end(task, self.begin(task, role), "lost", "reap")
        job = self.begin(task, role, epoch=3)
        self.end(task, job, "success", epoch=3)
        job["crashes"] = 1
        if job["kind"] in ("agent", "finalize"):
            self.main.append(f.Commit(f"work{job['id']}", [self.main[-1].sha], {"Orch-Job": str(job["id"]), "Orch-Epoch": "3"}))

    def approve(self, task):
        self.add("decision", task_id=task["id"], stage=task["stage"], stage_version=task["stage_version"], verdict="approved")


def good():
    """Facts that no invariant objects to."""
    m = Making()
    first, second = m.task("DEMO-1"), m.task("DEMO-2")
    m.move(first, "analysis")
    for (stage, roles), following in zip(STEPS, STAGES[2:]):
        for role in roles:
            m.work(first, role)
        if stage in ("analysis", "deploy"):
            m.approve(first)
        m.move(first, following)
    merge = f.Commit("merge", ["begin", m.main[-1].sha], {})
    m.main.append(merge)
    m.move(second, "analysis")
    m.end(second, m.begin(second, "analyst"), "cancelled")
    m.move(second, "cancelled")
    m.tables["process"][0]["ended_at"] = m.now()
    m.add("effect", task_id=first["id"], kind="state", status="done", detail=None)
    promises = f.Promises({"delivery of DEMO-1"}, {"DEMO-1", "DEMO-2"}, {("DEMO-1", "analysis")}, {"DEMO-2"})
    return f.Facts(m.tables, m.lines, promises, {"demo": f.Repo(m.main, [merge], [("begin", "merge")], {})})
