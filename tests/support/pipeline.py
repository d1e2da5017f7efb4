"""A running suite with a project in it, and what a test asks of the work items that go through."""

import contextlib

from .wait import DEFAULT_TIMEOUT

STAGES = ["created", "analysis", "architecture", "development", "review", "testing", "deploy-staging", "deploy", "done"]
# Who works in which stage, in order; what each leaves is one commit on the branch (P-7).
AUTHORS = ["analyst", "architect", "developer", "reviewer", "tester", "deployer", "finalizer"]


class Pipeline:
    def __init__(self, suite, project, **settings):
        self.suite, self.project, self.db = suite, project, suite.database
        self.suite.add_project(project)
        for key, value in settings.items():
            self.setting(key, value)

    def setting(self, key, value):
        self.db.query("select orch.setting_set(%s, %s)", key, str(value), user="orch_operator")

    def command(self, kind, command):
        """Gives the project a command of its own."""
        self.db.query("select orch.project_command_set(%s, %s, %s)", self.project.name, kind, command, user="orch_operator")

    # --- what people do -------------------------------------------------------------------------------------

    def item(self, title="Add a thing", description=""):
        made = self.db.value("select orch.item_create(%s, %s, %s, null)", self.project.name, title, description,
                             user="orch_operator")
        return made["work_item"]

    def approve(self, item):
        self.db.query("select orch.approve(%s, 'fine')", item, user="orch_operator")

    def cancel(self, item):
        return self.db.value("select orch.cancel(%s, 'not wanted')", item, user="orch_operator")["message"]

    def move(self, item, state, comment=None):
        self.db.query("select orch.item_move(%s, %s, %s)", item, state, comment, user="orch_operator")

    # --- what can be seen -----------------------------------------------------------------------------------

    def task(self, item):
        """The task of an item, also of a cancelled one; None before intake."""
        rows = self.db.query("select * from orch.task where work_item = %s or work_item like %s order by id desc limit 1",
                             item, f"{item}#cancelled-%")
        return rows[0] if rows else None

    def stage(self, item):
        task = self.task(item)
        return task and task["stage"]

    def shown(self, item):
        return self.db.value("select state from orch.local_item where work_item = %s", item)

    def jobs(self, item, **fields):
        rows = self.db.query("select * from orch.job where task_id = %s order by id", self.task(item)["id"])
        return [row for row in rows if all(row[key] == value for key, value in fields.items())]

    def runs(self, item, role=None):
        return self.db.query("select r.*, j.role from orch.run r join orch.job j on j.id = r.job_id where j.task_id = %s"
                             " and j.role = coalesce(%s, j.role) order by r.id", self.task(item)["id"], role)

    def comments(self, item):
        return self.db.column("select c.body from orch.local_comment c join orch.local_item i on i.id = c.item_id"
                              " where i.work_item = %s order by c.id", item)

    def stages(self, item):
        """Each stage that the task has been in, in order."""
        return ["created"] + self.db.column("select to_stage from orch.history where kind = 'stage' and task_id = %s"
                                            " order by id", self.task(item)["id"])

    # --- waiting --------------------------------------------------------------------------------------------

    def wait(self, fn, timeout=DEFAULT_TIMEOUT, what=""):
        return self.suite.wait_for(fn, timeout, what)

    def wait_stage(self, item, *stages, timeout=60):
        return self.wait(lambda: self.stage(item) in stages and self.stage(item), timeout,
                         f"{item} is in {' or '.join(stages)}")

    def wait_shown(self, item, state, timeout=60):
        self.wait(lambda: self.shown(item) == state, timeout, f"{item} is shown as {state}")

    def wait_run(self, item, role, timeout=60):
        """The newest run of a role, once it has ended."""
        def ended():
            runs = self.task(item) and self.runs(item, role)
            return runs and runs[-1]["outcome"] and runs[-1]
        return self.wait(ended, timeout, f"the {role} of {item} has ended")

    def wait_running(self, item, role, timeout=60):
        """The running job of a role, once its agent has been started."""
        def running():
            runs = self.task(item) and self.runs(item, role)
            return runs and runs[-1]["pid"] and not runs[-1]["outcome"] and runs[-1]
        return self.wait(running, timeout, f"the {role} of {item} runs")

    def wait_escalated(self, item, timeout=60):
        return self.wait(lambda: self.task(item) and self.task(item)["escalation"], timeout, f"{item} is escalated")

    def pass_human_gates(self, item, timeout=120):
        """Approves whenever the item waits for a person, until it is done."""
        for state in ("in_review", "awaiting_deploy"):
            self.wait_shown(item, state, timeout)
            self.approve(item)
        self.wait_stage(item, "done", timeout=timeout)

    def approve_analysis(self, item):
        self.wait_shown(item, "in_review")
        self.approve(item)

    # --- what must hold -------------------------------------------------------------------------------------

    def check_commits(self, item, ref="main", authors=None):
        """P-7: each role's work is on the branch exactly once, under its name, and nothing else is."""
        jobs = {str(job["id"]): job["role"] for job in self.jobs(item)}
        mine = [(sha, job) for sha, job in self.project.trailers("Orch-Job", ref) if job in jobs]
        assert len({job for _, job in mine}) == len(mine), f"a job was committed twice: {mine}"
        names = [self.project.git("show", "--no-patch", "--format=%an", sha) for sha, _ in mine]
        assert names == (authors or AUTHORS)
        assert [jobs[job] for _, job in mine] == names

    def check_no_overlap(self, agents):
        """J-1: no agent has seen another of its item and role at work."""
        assert not agents.marks("overlap")


@contextlib.contextmanager
def away(db, function):
    """Nobody can call a function of the database: whoever needs it tries again."""
    signature = db.value("select oid::regprocedure::text from pg_proc where pronamespace = 'orch'::regnamespace and proname = %s", function)
    db.query(f"alter function {signature} rename to {function}_away")
    try:
        yield
    finally:
        db.query(f"alter function {signature.replace(function, function + '_away')} rename to {function}")


@contextlib.contextmanager
def intents_away(db, kind):
    """Jobs of a kind cannot announce what they are about to do, and try again; all others can."""
    arguments = "bigint, bigint, uuid, text, text, text"
    db.query(f"alter function orch.job_intent({arguments}) rename to job_intent_away")
    db.query(f"""create function orch.job_intent({arguments}) returns boolean language plpgsql security definer as $$
        begin
                if (select kind from orch.job where id = $1) = '{kind}' then
                        raise undefined_function;
                end if;
                return orch.job_intent_away($1, $2, $3, $4, $5, $6);
        end $$;
        grant execute on function orch.job_intent({arguments}) to orch_workerd""")
    try:
        yield
    finally:
        db.query(f"drop function orch.job_intent({arguments}); alter function orch.job_intent_away({arguments}) rename to job_intent")
