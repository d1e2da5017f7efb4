"""What is known of a chaos run when it is over: the tables, what the agents have recorded, what people and senders were
promised, the repositories, and what was found left behind. The checker judges this and nothing else, so a test can make
it by hand.
"""

import collections
import dataclasses
import re

# Read whole: they are small, and the checker and the story want every row. Order matters: it is the order of the acts.
TABLES = {
    "task": "select t.*, orch.item_name(t) as item, r.name as repo from orch.task t join orch.repo r on r.id = t.repo_id order by t.id",
    "job": "select * from orch.job order by id",
    "run": "select r.*, h.name as host from orch.run r join orch.process p on p.id = r.process_id"
           " join orch.host h on h.id = p.host_id order by r.id",
    "history": "select * from orch.history order by id",
    "event": "select id, source, delivery, status, key, kind, outcome, received_at, ended_at from orch.event order by id",
    "effect": "select * from orch.effect order by id",
    "decision": "select * from orch.decision order by id",
    "process": "select p.*, h.name as host from orch.process p join orch.host h on h.id = p.host_id order by p.id",
    "local_item": "select * from orch.local_item order by id",
    "stage_edge": "select * from orch.stage_edge",
    "transition_lease": "select * from orch.transition_lease",
    "merge_lease": "select * from orch.merge_lease",
    "setting": "select key, value from orch.setting",
}

LINE_FIELDS = ("what", "job", "epoch", "pid", "boot_ns", "unix_ns", "item", "role", "stage", "run_dir")


@dataclasses.dataclass
class Line:
    """One act of an agent (agent.c). Their order in the record is the order in which they happened."""
    what: str
    job: int
    epoch: int
    pid: int
    boot_ns: int
    unix_ns: int
    item: str
    role: str
    stage: str
    run_dir: str
    number: int = 0


@dataclasses.dataclass
class Commit:
    sha: str
    parents: list
    trailers: dict  # "Orch-Job" and such: text


@dataclasses.dataclass
class Repo:
    """A repository as the forge has it."""
    main: list      # Commits reachable from the default branch, the oldest first
    landed: list    # Commits of its first-parent line, the oldest first, without the one it began with
    moves: list     # (old sha, new sha) of each update of the default branch, in order
    branches: dict  # other branches: Commits that are not on the default branch


@dataclasses.dataclass
class Promises:
    """What the suite has acknowledged. Only what was answered with yes is in here."""
    deliveries: set = dataclasses.field(default_factory=set)
    items: set = dataclasses.field(default_factory=set)
    approvals: set = dataclasses.field(default_factory=set)  # (item, stage)
    cancels: set = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Facts:
    tables: dict
    lines: list
    promises: Promises
    repos: dict
    left: list = dataclasses.field(default_factory=list)    # worktrees, processes, locks that outlived the suite
    kept: list = dataclasses.field(default_factory=list)    # (job, epoch, whether it is there): worktrees that the suite said it keeps
    deaths: list = dataclasses.field(default_factory=list)  # daemons that ended as only a defect ends them

    def rows(self, table, **fields):
        return [row for row in self.tables[table] if all(row[key] == value for key, value in fields.items())]

    def setting(self, key):
        return next(row["value"] for row in self.tables["setting"] if row["key"] == key)

    def by_job(self, table):
        """Rows of a table, or the agents' lines, per job."""
        found = collections.defaultdict(list)
        for row in self.lines if table == "lines" else self.tables[table]:
            job = row.job if table == "lines" else row["id" if table == "job" else "job_id"]
            if job is not None:
                found[job].append(row)
        return found

    def item_of_job(self, job):
        tasks = [row["task_id"] for row in self.tables["job"] if row["id"] == job]
        return next((row["item"] for row in self.tables["task"] if row["id"] in tasks), None)


# --- reading ------------------------------------------------------------------------------------------------------

def read_tables(database):
    return {name: database.query(statement) for name, statement in TABLES.items()}


def read_lines(path):
    """A line that was not written to its end (the disk was full, say) is none."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        words = text.split(" ", len(LINE_FIELDS) - 1)
        if len(words) == len(LINE_FIELDS):
            numbers = map(int, words[1:6])
            lines.append(Line(words[0], *numbers, *words[6:], number=len(lines)))
    return lines


FORMAT = "%H%x00%P%x00%(trailers:only,unfold)%x01"


def read_commits(project, *revisions):
    """The oldest first."""
    commits = []
    for text in project.git("log", "--reverse", "--topo-order", f"--format={FORMAT}", *revisions).split("\x01"):
        if text.strip():
            sha, parents, trailers = text.strip("\n").split("\0")
            commits.append(Commit(sha, parents.split(), dict(re.findall(r"^([\w-]+): (.*)$", trailers, re.MULTILINE))))
    return commits


def read_repo(project):
    """The reflog of the default branch (core.logAllRefUpdates) says how it came to where it is."""
    log = project.bare / "logs/refs/heads" / project.default_branch
    moves = [tuple(line.split(" ")[:2]) for line in log.read_text().splitlines()] if log.exists() else []
    branches = {name: read_commits(project, name, f"^{project.default_branch}")
                for name in project.branches() if name != project.default_branch}
    landed = read_commits(project, "--first-parent", project.default_branch)[1:]
    return Repo(read_commits(project, project.default_branch), landed, moves, branches)
