"""A project whose deploys a test can hold, count and look at."""

from .pipeline import Pipeline


class Deploy:
    """A project whose deploy command leaves a line for each start, waits at a gate, and ends as it is told."""

    def __init__(self, suite, project, folder, gate, end="exit 0", wait=True):
        self.line, self.suite, self.starts, self.gate = Pipeline(suite, project), suite, folder / "deploy-starts", gate
        hold = f"flock --shared {gate.path} true; " if wait else ""
        self.line.command("deploy", f'echo "$ORCH_HEAD_SHA $(git rev-parse HEAD) $$" >>{self.starts}; {hold}{end}')

    def begin(self):
        """An item whose deploy is confirmed."""
        item = self.line.item()
        self.line.approve_analysis(item)
        self.line.wait_shown(item, "awaiting_deploy")
        self.line.approve(item)
        return item

    def started(self):
        return self.starts.read_text().splitlines() if self.starts.exists() else []

    def wait_started(self):
        self.line.wait(self.started, 60, "the deploy command runs")
        return int(self.started()[-1].split()[2])

    def record(self, item):
        rows = self.line.db.query("select d.*, t.work_item from orch.deploy_record d join orch.task t on t.id = d.task_id where t.work_item = %s"
                                  " and d.kind = 'deploy' order by d.id desc", item)
        return rows[0] if rows else None

    def wait_status(self, item, status, timeout=60):
        self.line.wait(lambda: self.record(item)["status"] == status, timeout, f"the deploy is {status}")
        return self.record(item)

    def log(self, item, ref="main"):
        return self.line.project.read(f"docs/work-items/{item}/14-deploy-log.md", ref)
