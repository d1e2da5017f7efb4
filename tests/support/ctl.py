"""orchctl against a database in which no daemon runs."""

import json
import subprocess

from .paths import program, program_env


class Ctl:
    """orchctl for one database, with a configuration file in the test's folder."""

    def __init__(self, database, folder):
        self.database, self.folder = database, folder
        self.env = program_env(ORCH_DATABASE=database.dsn(), ORCH_STATE_DIR=str(folder / "state"))

    def __call__(self, *args, code=0, input=None, **env):
        done = subprocess.run([program("orchctl"), *map(str, args)], env={**self.env, **env}, input=input, capture_output=True,
                              text=True, timeout=60, cwd=self.folder)
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *args):
        done = self(*args, "--json")
        assert done.stderr == "" and done.stdout.endswith("\n")
        return json.loads(done.stdout)

    def refused(self, *args, code=1):
        done = self(*args, code=code)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert lines[0].startswith("orchctl: ") and all(line.startswith("hint: ") for line in lines[1:]) and len(lines) <= 2
        return done.stderr

    def take_in(self):
        """What workerd does with the local tracker's events."""
        self.database.query("""
            select orch.event_route(id, 'local:' || (convert_from(body, 'UTF8')::jsonb ->> 'work_item'), 'tracker.item',
                    convert_from(body, 'UTF8')::jsonb ->> 'project', convert_from(body, 'UTF8')::jsonb ->> 'work_item',
                    convert_from(body, 'UTF8')::jsonb) from orch.event where status = 'received'""")
        return self.database.query("select * from orch.event_handle(100)")
