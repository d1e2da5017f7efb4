"""Work items that stand still where a test wants them: one for each step of the pipeline, in repositories of their own.

A step's job is held where it is queued (by a trigger: its time comes when the test says so) or while it runs: an agent or a
command of the project waits at a gate of its item, and what the orchestrator does itself waits for the lock of its mirror, or
for a forge that does not take the merge.
"""

import fcntl

import psycopg2

from .agents import BODIES, Gate
from .pipeline import Pipeline
from .project import Project

TRIGGER = """
create table public.hold (work_item text, stage text, role text);
create function public.hold_job() returns trigger language plpgsql security definer as $$
begin
        if exists (select from public.hold h join orch.task t on t.work_item = h.work_item where t.id = new.task_id and h.stage = new.stage and h.role = new.role) then
                new.run_at := clock_timestamp() + interval '1 day';
        end if;
        return new;
end
$$;
create trigger hold_job before insert on orch.job for each row execute function public.hold_job();
"""
STEPS = """
select s.stage, s.seq, s.role, r.kind, s.gate, s.command from orch.stage_step s join orch.stage g on g.key = s.stage
left join orch.role r on r.key = s.role order by g.position, s.seq
"""
WAITS_IN_SHELL = ("agent", "ci", "check")


def steps(database):
    """Every step of the pipeline, as the database has them now."""
    return database.query(STEPS)


class Stops:
    """Where items stand still, in one suite."""

    def __init__(self, suite, agents, folder):
        self.suite, self.agents, self.folder, self.db = suite, agents, folder, suite.database
        self.made = []
        self.db.query(TRIGGER)
        self.command = agents.folder / "stand"
        self.command.write_text(f"""#!/bin/sh
cd {agents.folder}
[ ! -e "hold.$ORCH_WORK_ITEM.$ORCH_STAGE.$ORCH_ROLE" ] || {{ : >"held.$ORCH_WORK_ITEM"; flock --shared "gate.$ORCH_WORK_ITEM" true; }}
""")
        self.command.chmod(0o755)
        for role, body in BODIES.items():
            agents.set(role, f"{self.command}\n{body}")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        for stop in self.made:
            stop.let_go()
            stop.gate.open()

    def item(self, number, step, at):
        self.made.append(Stop(self, number, step, at))
        return self.made[-1]


class Stop:
    """One item, on its way to its step. `at`: "queued" or "running", of the step's job; a step without one is reached when a
    person is waited for."""

    def __init__(self, stops, number, step, at):
        self.stops, self.step, self.at = stops, step, at
        self.project = Project(stops.folder / "forge", name=f"repo{number}", prefix=f"S{number}", test_command=f"{stops.command} && sh check.sh")
        self.item = f"S{number}-1"
        self.in_shell = step["kind"] in WAITS_IN_SHELL
        self.gate = Gate(stops.agents, f"gate.{self.item}")
        self.locks, self.released = [], False
        self.line = Pipeline(stops.suite, self.project)
        self._commands()
        if step["role"] and at == "running" and self.in_shell:
            (stops.agents.folder / f"hold.{self.item}.{step['stage']}.{step['role']}").touch()
        elif step["role"]:
            self.line.db.query("insert into public.hold values (%s, %s, %s)", self.item, step["stage"], step["role"])
        assert self.line.item() == self.item

    def __repr__(self):
        return f"{self.item} at {self.step['stage']}/{self.step['seq']} ({self.step['role'] or self.step['gate']}, {self.at})"

    def _commands(self):
        known = self.line.db.column("select key from orch.command_kind")
        commands = {self.step["command"]: str(self.stops.command)} if self.step["command"] else {}
        if self.step["kind"] in ("deploy", "finalize") and "deploy" in known:
            commands["deploy"] = f"flock --shared {self.gate.path} true" if self.step["kind"] == "finalize" else "true"
            commands["deploy_check"] = "git rev-parse HEAD"
        for kind, command in commands.items():
            self.line.db.query("select orch.project_command_set(%s, %s, %s)", self.project.name, kind, command, user="orch_operator")

    # --- on the way -------------------------------------------------------------------------------------------

    def task(self):
        return self.line.task(self.item)

    def job(self):
        jobs = [j for j in self.line.jobs(self.item) if (j["stage"], j["role"]) == (self.step["stage"], self.step["role"])] if self.task() else []
        return jobs[-1] if jobs else None

    def reached(self):
        """Goes on towards the step; true when the item stands there."""
        gate = self._waits_at()  # asked once: a moment later it may be the one to stop at
        if self.step["role"] is None and gate == self.step["gate"]:
            return True
        self._pass_person(gate)
        if self.step["role"] is None:
            return False
        job = self.job()
        if self.at == "queued":
            return job is not None
        if self.in_shell:
            return (self.stops.agents.folder / f"held.{self.item}").exists()
        if job is not None and not self.released:
            self._lock()
            self.released = True
            self.line.db.query("update orch.job set run_at = clock_timestamp() where id = %s", job["id"])
            self.line.db.query("select orch.wake()")
        return job is not None and job["status"] in ("running", "done")

    def _waits_at(self):
        return self.line.db.value("select (orch.waiting_step(t)).gate from orch.task t where t.work_item = %s and orch.waits_for_person(t)"
                                  " union all select null limit 1", self.item)

    def _pass_person(self, gate):
        if gate:
            if self._is_next("integrate"):
                self.project.commit({f"other{self.project.head()[:8]}.txt": "by somebody else\n"}, "Move on")
            self.line.approve(self.item)

    def _is_next(self, kind):
        return self.step["kind"] == kind

    def _lock(self):
        """What the orchestrator does itself waits for one of these."""
        if self.step["kind"] == "merge":
            lock = self.project.bare / "refs/heads/main.lock"
            lock.touch()
            self.locks.append(lock.unlink)
        elif self.step["kind"] != "finalize":
            path = self.stops.suite.folder / f"state/mirrors/{self.project.name}.git.lock"
            file = open(path, "r+", encoding="ascii")
            fcntl.flock(file, fcntl.LOCK_EX)
            self.locks.append(file.close)

    # --- afterwards -------------------------------------------------------------------------------------------

    def let_go(self):
        while self.locks:
            self.locks.pop()()

    def unlock(self):
        """What is left of the item may go on."""
        self.let_go()
        self.line.db.query("update orch.job set run_at = clock_timestamp() where task_id = %s and status = 'queued'", self.task()["id"])

    def is_over(self):
        """True when the item has come to its end; a person who is asked then says no."""
        task = self.task()
        if not task["terminal"] and self._waits_at():
            self._say_no()
        return task["terminal"]

    def _say_no(self):
        try:
            self.line.db.query("select orch.reject(%s, 'it was to be stopped')", self.item, user="orch_operator")
        except psycopg2.Error as error:
            if not (error.pgcode or "").startswith("OR"):  # by the time he has said it, nobody asks any more
                raise
