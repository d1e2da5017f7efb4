"""A small world in one database, acted on through the functions that the daemons call: no daemon runs."""

import itertools

import psycopg2.extras

SHA = itertools.count(1)
ARTEFACT = {"analyst": "artefacts_analyst", "architect": "architecture_done"}
VERDICT = {"reviewer": ("review_approved", "APPROVED"), "tester": ("tests_passed", "PASS"),
           "deployer": ("staging_ok", "SUCCESS"), "integrator": ("merge_ready", "ready"), "finalizer": ("deploy_ok", "SUCCESS"), "merger": ("merge_verified", "merged")}


def fake_sha():
    return f"{next(SHA):040x}"


class World:
    def __init__(self, database, repo="demo", prefix="DEMO"):
        self.db = database
        self.add_project(repo, prefix)
        self.project = repo
        self.process, self.epoch = self.add_process()

    def call(self, function, *args, user="orch_workerd"):
        """All rows of select * from orch.FUNCTION(args), as that role."""
        args = [psycopg2.extras.Json(a) if isinstance(a, (dict, list)) and function != "array" else a for a in args]
        marks = ", ".join(["%s"] * len(args))
        return self.db.query(f"select * from orch.{function}({marks})", *args, user=user)

    def operate(self, function, *args):
        return self.call(function, *args, user="orch_operator")[0][function]

    def add_project(self, repo, prefix):
        return self.operate("project_add", repo, repo, "local", f"/nonexistent/{repo}.git", "main", prefix, "true")

    def add_process(self, daemon="workerd", pid=1, host="testhost", boot="boot-1", user="orch_workerd"):
        row = self.call("process_start", host, boot, daemon, pid, 1, "test", user=user)[0]
        return row["process_id"], row["epoch"]

    def command(self, kind, command):
        """Gives the project a command of its own."""
        return self.operate("project_command_set", self.project, kind, command)

    def item(self, title="A thing", project=None, priority=2, handle=True):
        name = self.operate("item_create", project or self.project, title, "", priority)["work_item"]
        if handle:
            self.handle_events()
        return name

    def move(self, item, state, comment=None):
        self.operate("item_move", item, state, comment)
        return self.handle_events()[-1]

    def handle_events(self):
        """What workerd does with events of the local tracker; gives the outcomes."""
        for e in self.call("event_unrouted", 100):
            body = self.db.value("select convert_from(body, 'UTF8')::jsonb from orch.event where id = %s", e["event_id"])
            self.call("event_route", e["event_id"], "item:" + body["work_item"], "tracker.item", body["project"],
                      body["work_item"], body)
        outcomes = []
        while rows := self.call("event_handle", 10):
            outcomes += [row["outcome"] for row in rows]
        return outcomes

    def claim(self, process=None, epoch=None):
        rows = self.call("job_claim", process or self.process, epoch or self.epoch)
        return rows[0] if rows else None

    def claim_of(self, item):
        """The job of an item, claimed; any that come before it succeed."""
        while (job := self.claim())["work_item"] != item:
            self.succeed(job)
        return job

    def finish(self, job, outcome="success", **report):
        return self.call("job_finish", job["job_id"], job["epoch"], job["token"], outcome, report)[0]["job_finish"]

    def succeed(self, job, value=None):
        """Ends a job as its role would when all goes well (or with the verdict given)."""
        role, report = job["role"], {}
        if role in ("analyst", "architect", "developer"):
            report = {"head_sha": fake_sha(), "code_tree": fake_sha() if role == "developer" else job["code_tree"] or fake_sha()}
        if role in ARTEFACT:
            report["evidence"] = [{"gate": ARTEFACT[role], "value": "present"}]
        elif role == "ci":
            report["ci"] = {"state": value or "success"}
        elif role == "releaser":
            self.call("deploy_initiate", job["job_id"], job["epoch"], job["token"], "/state")
        elif role in VERDICT:
            gate, good = VERDICT[role]
            report["evidence"] = [{"gate": gate, "value": value or good, "file": "verdict.md"}]
            if role == "finalizer":
                report["deploy"] = {"status": value or good, "exit_code": 0, "reason": f"it was {value or good}"}
        return self.finish(job, **report)

    def ask(self, job, questions, gate="artefacts_analyst"):
        """Ends a job with questions instead of its work, as an analyst may."""
        file = f"{job['docs_dir']}/05-questions.md"
        return self.finish(job, evidence=[{"gate": gate, "value": "NEEDS_INPUT", "file": file, "questions": questions}],
                           head_sha=fake_sha(), code_tree=fake_sha())

    def until(self, role):
        """Claims and succeeds until a job of that role is claimed; gives it."""
        while True:
            job = self.claim()
            assert job, f"nothing is claimable before a {role}"
            if job["role"] == role:
                return job
            self.succeed(job)

    def approve_furthest_behind(self):
        """Of the tasks that wait for a person the one that has come least far."""
        self.operate("approve", self.db.value("select t.work_item from orch.task t join orch.stage s on s.key = t.stage "
                                              "where orch.waits_for_person(t) order by s.position, t.id limit 1"), None)

    def work(self, until=None, item=None):
        """Claims and succeeds until nothing is claimable, approving for people, or until a task is in a stage."""
        while True:
            if until and self.task(item)["stage"] == until:
                return
            if job := self.claim():
                self.succeed(job)
                continue
            waiting = self.db.column("select work_item from orch.task t where orch.waits_for_person(t) order by id")
            if not waiting:
                return
            self.operate("approve", waiting[0], None)

    def task(self, item):
        return self.db.row("select * from orch.task where work_item = %s", item)

    def task_id(self, item):
        return self.task(item)["id"]

    def jobs(self, item):
        return self.db.query("select j.* from orch.job j join orch.task t on t.id = j.task_id "
                             "where t.work_item = %s order by j.id", item)

    def blocks(self, item):
        """The axes that block the queued job of an item, by precedence."""
        return self.db.column("select b.axis from orch.job_block b join orch.job j on j.id = b.job_id "
                              "join orch.task t on t.id = j.task_id where t.work_item = %s order by b.precedence", item)

    def waits(self, item):
        return [row["axis"] for row in self.call("why", item, user="orch_readonly")]

    def effects(self, kind, item):
        return self.db.column("select payload from orch.effect where kind = %s and payload ->> 'work_item' = %s order by id", kind, item)

    def shown(self, item):
        return [payload["state"] for payload in self.effects("state", item)]

    def set(self, key, value):
        return self.operate("setting_set", key, value)
