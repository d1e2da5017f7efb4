"""The stand-in for claude (fake_claude.py) as the agent of all roles of a suite."""

import json
import pathlib
import shutil

from .agents import Agents, complete_lines

FAKE = pathlib.Path(__file__).with_name("fake_claude.py")
GOOD = "good()"


class Claude:
    """`plan` is what it does, for every role; others than the analyst do well unless the plan says `every`."""

    def __init__(self, folder, plan=GOOD):
        folder = pathlib.Path(folder)
        self.scripts = Agents(folder)
        self.folder = folder / "bin"
        self.folder.mkdir()
        shutil.copy(FAKE, self.folder / "claude")
        (self.folder / "claude").chmod(0o755)
        self.set(plan)

    def set(self, plan, every=False):
        """Takes effect with the next start."""
        if not every:
            plan = f"if role != 'analyst':\n    good()\n    sys.exit()\n{plan}"
        new = self.folder / "plan.new"
        new.write_text(plan + "\n")
        new.rename(self.folder / "plan")

    def options(self):
        return {**{f"agent_command_{role}": None for role in ("analyst", "architect", "developer", "reviewer", "tester", "deployer")},
                "agent_command": f"{self.folder / 'claude'} -p"}

    def calls(self, role="analyst"):
        calls = [json.loads(line) for line in complete_lines(self.folder / "calls")]
        return [c for c in calls if c["role"] == role]
