"""Production as the watch sees it: an item that was deployed, its verdict, its report, and who was told."""

from .pipeline import Pipeline

WINDOW = {"checks_total": 3, "window_s": 3, "degraded_at": 2}


class Watch:
    def __init__(self, suite, project, **options):
        self.line, self.suite = Pipeline(suite, project), suite
        for key, value in {**WINDOW, **options}.items():
            suite.orchctl("project", "set", project.name, key, value)

    def done(self, **commands):
        """An item that was deployed, and is watched."""
        for kind, command in commands.items():
            self.line.command(kind, command)
        item = self.line.item()
        self.line.pass_human_gates(item)
        return item

    def row(self, item):
        return self.line.db.row("select * from orch.observed where work_item = %s", item)

    def wait_state(self, item, state, timeout=60):
        self.line.wait(lambda: self.row(item)["state"] == state, timeout, f"production is {state}")
        return self.row(item)

    def report(self, item):
        self.line.wait(lambda: self.row(item)["told_at"], 60, "the report is on the branch")
        task = self.line.task(item)
        path = f"docs/work-items/{item}/16-post-deploy.md"
        assert self.line.project.head(task["branch"]) == task["head_sha"]
        assert self.line.project.git("show", "--no-patch", "--format=%an", task["branch"]) == "monitor"
        return self.line.project.read(path, task["branch"])

    def alerts(self, item):
        return self.line.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and payload ->> 'work_item' = %s order by id", item)

    def details(self):
        return self.line.db.query("select result, detail from orch.probe where ended_at is not null order by id")


def production(folder):
    """A file that says which commit runs, and the commands for it."""
    current = folder / "production"
    return current, {
        "deploy": f'if [ -e {current} ]; then cp {current} {current}.before; fi; echo "$ORCH_HEAD_SHA" >{current}',
        "deploy_check": f"cat {current}",
        "probe": f"test ! -e {current}.before || cmp -s {current} {current}.before",
        "rollback": f"echo start >>{current}.rollbacks; cp {current}.before {current}",
    }
