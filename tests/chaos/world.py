"""All that a chaos run is made of: the network, PostgreSQL with its standby, the hosts with their suites, the
repositories, the people, the record of the agents, and the journal of what was done to them."""

import collections
import contextlib
import os
import pathlib
import re
import threading
import time

import psycopg2

from support.hosts import Network
from support.processes import Process, locks_below
from support.project import Project, git
from support.replica import Pair, make_seed
from support.wait import wait_for

from . import facts
from .hosts import ChaosHost, agent_path
from .people import People, Sender

REPOS = 8
# More lives than people would give a job: what is tested is that nothing is done twice or lost, not when we give up.
SETTINGS = {"max_developer_retries": 100, "job_max_crashes": 100, "job_max_attempts": 100, "job_max_transient": 1000,
            "job_backoff_s": 1, "effect_backoff_s": 1, "effect_max_attempts": 1000, "event_max_attempts": 1000, "stage_grace_s": 2, "process_dead_after_s": 5,
            "late_push_s": 15}  # longer than git may take (OPTIONS), and over before the run is
ORPHANS, SUPERVISOR = ("orch-", "chaos_agent", "git"), "orch-supervisor"  # supervisors are our own children
REPORT = re.compile(r"^(?!ts=).*(Sanitizer|runtime error:)")  # and not what a command has said, quoted by a line of ours
DEFECTS = re.compile(r"SIG(SEGV|BUS|ILL|FPE|ABRT)|exited with 99")


class World:
    def __init__(self, folder, seed, host_count):
        self.folder, self.seed = pathlib.Path(folder), seed
        self.lock = threading.Lock()
        self.over = threading.Event()  # no fault lasts any longer
        self.begun = time.time()
        self.journal = []  # (seconds since the epoch, what was done or seen)
        self.jumps = []    # (host, offset in seconds, from, to): clocks that were wrong
        self.record = self.folder / "record"
        self.template = self.network = self.pair = None
        self.hosts, self.projects, self.host_count = [], [], host_count
        self.people, self.senders = None, []
        self.promises = facts.Promises()

    def build(self, jobs):
        """What fails in here, or later, is cleared away by remove()."""
        self.template = make_seed()
        self.network = Network()
        self.pair = Pair(self.network, self.template, self.folder, sync="on").start()
        for key, value in SETTINGS.items():
            self.pair.primary.query("select orch.setting_set(%s, %s)", key, str(value))
        self.record.touch()
        command = f"{agent_path()} {self.record} {self.seed}"
        for number in range(REPOS):
            self._add_project(Project(self.folder / "forge", name=f"repo{number}", prefix=f"R{number}", test_command=command))
        for number in range(self.host_count):
            self.hosts.append(ChaosHost(self, f"h{number + 1}", command))
        self.people = People(self, self.promises, jobs)
        self.senders = [Sender(host, self.promises) for host in self.hosts]

    def _add_project(self, project):
        git("--git-dir", project.bare, "config", "core.logAllRefUpdates", "always")
        self.pair.primary.query("select orch.project_add(%s, %s, 'local', %s, 'main', %s, %s)", project.name, project.name,
                                str(project.bare), project.prefix, project.test_command)
        self.projects.append(project)

    # --- while it lasts ---------------------------------------------------------------------------------------

    def start(self):
        for host in self.hosts:
            host.start()
        for host in self.hosts:
            wait_for(host.suite.is_ready, 60, f"the suite of {host} is ready", host.suite.log.tail)
        for worker in (self.people, *self.senders):
            worker.start()

    def note(self, text):
        with self.lock:
            self.journal.append((time.time(), text))

    def hold(self, seconds):
        """How a fault lasts; the end of the run ends it, too."""
        self.over.wait(seconds)

    def tend(self):
        """What init does on every host; and a defect of the test itself ends the run."""
        for host in self.hosts:
            code = host.tend()
            if code is not None:
                self.note(f"the supervisor of {host} left by itself with {code}, and was started again")
        reap()
        for worker in (self.people, *self.senders):
            if worker.failure is not None:
                raise worker.failure

    @contextlib.contextmanager
    def cut(self, host, direction="both", peer=None):
        with self.lock:
            self.network.partition(host, direction, peer)
        try:
            yield
        finally:
            with self.lock:
                self.network.heal(host)

    def set_clock(self, host, offset_s):
        host.set_clock(offset_s)
        with self.lock:
            now = time.time()
            self.jumps = [(h, o, at, now if h == host.name and end is None else end) for h, o, at, end in self.jumps]
            if offset_s:
                self.jumps.append((host.name, offset_s, now, None))

    # --- questions --------------------------------------------------------------------------------------------

    def ask(self, statement, *args):
        """Rows of the primary, or [] when it is away."""
        try:
            return self.pair.primary.query(statement, *args)
        except psycopg2.Error:
            return []

    def backends(self):
        return self.ask("select pid, usename, application_name from pg_stat_activity where usename like 'orch\\_%%'"
                        " and backend_type = 'client backend' order by backend_start, pid")

    def worker_of(self, process):
        """Pid of the worker of an agent or a shim, if it has been heard of just now, under the claim that they work for."""
        found = re.search(r"runs/(\d+)-(\d+)/", " ".join([process.cwd, *process.args]))
        rows = found and self.ask("select p.pid from orch.job j join orch.process p on p.id = j.process_id where j.id = %s and"
                                  " j.epoch = %s and j.orphaned_at is null and p.beat_at > clock_timestamp() - interval '1 s'",
                                  *found.groups())
        return rows[0][0] if rows else None

    def is_renewed(self, process):
        return self.worker_of(process) is not None

    def progress(self):
        rows = self.ask("select count(*) filter (where not active), count(*) filter (where status = 'running'),"
                        " (select count(*) from orch.task where terminal), (select count(*) from orch.local_item) from orch.job")
        return dict(zip(("jobs", "running", "items_done", "items"), rows[0])) if rows else {}

    # --- the end ----------------------------------------------------------------------------------------------

    def quiet(self):
        """Nothing is left to do: every item is done or cancelled, inbox and outbox are empty, no tree is left; and no process
        counts as alive that does not beat. Who never heard that it was registered has registered again; the first row has a
        reaper only as long as the suites are there."""
        rows = self.ask("select not exists (select from orch.task where not terminal)"
                        " and not exists (select from orch.local_item i where not exists (select from orch.task t where"
                        " t.tracker_id in (i.id::text, i.id::text || '#cancelled-' || t.id)))"
                        " and not exists (select from orch.event where ended_at is null)"
                        " and not exists (select from orch.effect where ended_at is null)"
                        " and not exists (select from orch.process where ended_at is null"
                        " and (beat_count = 0 or beat_at < clock_timestamp() - interval '3 s'))")
        return bool(rows and rows[0][0]) and not self.trees()

    def settle(self, timeout, tick):
        """Waits until all is quiet; False: it was not to be. The checker will say what is left."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.tend()
            tick()
            if self.quiet():
                return True
            threading.Event().wait(0.2)
        self.note(f"not quiet within {timeout} s after the last fault")
        return False

    def trees(self):
        """Worktrees that are there and should not be: those that the suite said it keeps (C-3) are told apart."""
        trees = {str(path) for host in self.hosts for path in host.state.glob("runs/*/tree")}
        return sorted(trees - {record["path"] for record in self.kept()}) if trees else []

    def kept(self):
        """What an agent left and could not be committed, the disk being full, say: it is nowhere else."""
        return [record for host in self.hosts for record in host.suite.log.records("job.tree-kept")]

    def stop(self):
        """The suites leave in order; what they leave behind is a finding."""
        for worker in (self.people, *self.senders):
            worker.finish()
        left = [f"{host}: the supervisor did not leave with 0 within 60 s" for host in self.hosts if not host.drain(60)]
        return left + self.leftovers()

    def leftovers(self):
        left = self.trees()
        for host in self.hosts:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not living(host))
            left += [f"{host}: process {process} in {process.cwd}" for process in living(host)]
            left += [f"{host}: lock {path}" for path, _ in locks_below(host.state)]
            left += [f"{host}: lock of git {path}" for path in host.state.glob("mirrors/*.git/**/*.lock")]
        return left + [f"lock of git {path}" for project in self.projects for path in project.bare.rglob("*.lock")]

    def facts(self, left):
        primary = self.pair.database
        kept = [(int(k["job"]), int(k["epoch"]), os.path.isdir(k["path"])) for k in self.kept()]
        return facts.Facts(facts.read_tables(primary), facts.read_lines(self.record), self.promises,
                           {project.name: facts.read_repo(project) for project in self.projects}, left, kept, self.deaths())

    def deaths(self):
        """Daemons that ended as only a defect ends them, and what sanitizers have said."""
        found = []
        for host in self.hosts:
            silent = collections.Counter(record["child"] for record in host.suite.log.records("child.silent"))
            for record in host.suite.log.records("child.exited"):
                how = record.get("how", "")
                if "SIGABRT" in how and silent[record["child"]]:
                    silent[record["child"]] -= 1  # by its supervisor, because it was stopped
                elif DEFECTS.search(how):
                    found.append(f"{host}: {record}")
            found += [f"{host}: {line}" for line in host.suite.log.lines() if REPORT.search(line)]
        return found

    def remove(self):
        for host in self.hosts:
            host.remove()
        if self.pair is not None:
            self.pair.remove()
        if self.network is not None:
            self.network.remove()
        if self.template is not None:
            self.template.remove()


def living(host):
    return [p for p in map(Process, host.net.pids()) if p.alive]


def reap():
    """Collects orphans of the suites that have ended: a machine's init does that."""
    for pid in filter(str.isdigit, os.listdir("/proc")):  # not glob(), which fails when one ends meanwhile
        with contextlib.suppress(OSError, ValueError):
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
            name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
            if fields[0] == "Z" and int(fields[1]) == os.getpid() and name.startswith(ORPHANS) and name != SUPERVISOR:
                os.waitpid(int(pid), os.WNOHANG)
