"""Agents as small shell scripts, one per role, each leaving what its role owes (rules P-4, P-4a).

Every script also writes a line to the file `marks` when it starts and when it ends, and holds a lock of its own for its
life: a second agent for the same item and role that starts meanwhile writes `overlap`. So the tests know what the
agents themselves have seen, whatever the orchestrator says of them.
"""

import fcntl
import pathlib
import shlex

ROLES = ("analyst", "architect", "developer", "reviewer", "tester", "deployer")

HEAD = """\
#!/bin/bash
set -eu
marks={marks}
mark() {{ printf '%s %s %s %s %s %s\\n' "$1" "$(date +%s%N)" "$$" "$ORCH_WORK_ITEM" "$ORCH_ROLE" "$ORCH_STAGE" >>"$marks/log"; }}
exec 9>"$marks/$ORCH_WORK_ITEM.$ORCH_ROLE.lock"
flock --nonblock 9 || mark overlap
mark start
docs=$ORCH_DOCS_DIR
mkdir -p "$docs"
verdict() {{ printf -- '---\\n%s\\n---\\n\\nBy the test agent.\\n' "$2" >"$docs/$1"; }}
{before}
"""

BODIES = {
    "analyst": 'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md; do echo "# $ORCH_TITLE" >"$docs/$f"; done\n'
               'echo "cases: []" >"$docs/04-test-plan.yaml"\n',
    "architect": 'mkdir -p "$docs/06-adr"\necho "# Decision" >"$docs/06-adr/ADR-001-decision.md"\n',
    "developer": 'mkdir -p src\necho "$ORCH_WORK_ITEM attempt $ORCH_ATTEMPT" >>"src/$ORCH_WORK_ITEM.txt"\n',
    "reviewer": 'verdict 12-review.md "verdict: APPROVED"\n',
    "tester": 'verdict 13-test-report.md "result: PASS"\n',
    "deployer": 'verdict 15-staging-log.md "staging_status: SUCCESS"\n',
}


def complete_lines(path):
    """Of a file that is being written; none when it is not there yet."""
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []


class Mark:
    def __init__(self, line):
        self.what, time_ns, pid, self.work_item, self.role, self.stage = line.split(" ")
        self.time_ns, self.pid = int(time_ns), int(pid)

    def __repr__(self):
        return f"{self.what} {self.work_item} {self.role}/{self.stage} pid {self.pid}"


class Agents:
    """Scripts in a folder. `bodies` replaces what a role does; `before` runs first in every role."""

    def __init__(self, folder, bodies=None, before=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.before = before
        for role in ROLES:
            self.set(role, (bodies or {}).get(role, BODIES[role]))

    def path(self, role):
        return self.folder / role

    def set(self, role, body):
        """Replaces a role's script at once, also under a running suite."""
        head = HEAD.format(marks=shlex.quote(str(self.folder)), before=self.before)
        new = self.folder / f"{role}.new"
        new.write_text(f"{head}{body}mark end\n")
        new.chmod(0o755)
        new.rename(self.path(role))

    def options(self):
        return {f"agent_command_{role}": str(self.path(role)) for role in ROLES}

    def marks(self, what=None, **fields):
        marks = [Mark(line) for line in complete_lines(self.folder / "log")]
        return [m for m in marks if what in (None, m.what) and all(getattr(m, k) == v for k, v in fields.items())]


class Gate:
    """Holds agents up: a role behind it does its work only once the gate is open. A lock, so that nobody polls."""

    def __init__(self, agents, name="gate"):
        self.agents, self.path = agents, agents.folder / name
        self.file = open(self.path, "w", encoding="ascii")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def hold(self, role, body=None, only_if="true"):
        self.agents.set(role, f'if {only_if}; then flock --shared "$marks/gate" true; fi\n' + (body or BODIES[role]))

    def open(self):
        self.file.close()


def hold_pushes(project, agents):
    """A push to the project's forge is answered once the gate is open; of several the first comes first, if it lives."""
    gate = Gate(agents, "forge")
    hook = project.bare / "hooks/pre-receive"
    hook.write_text(f"""#!/bin/sh
first=false
mkdir {gate.path}.first 2>/dev/null && first=true
flock --shared {gate.path} true
$first && exit
for _ in $(seq 60); do git for-each-ref refs/heads/feature | grep -q . && exit; sleep 0.05; done # lasts
exit 0
""")
    hook.chmod(0o755)
    return gate
