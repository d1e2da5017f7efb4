"""A whole suite between simulated services, one board and one repository per project, onboarded by orchctl project add."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import threading

from sim.bare import ENVIRONMENT
from sim.gitea import Gitea
from sim.people import PlaneForPeople
from sim.telegram import Telegram
from support.agents import Agents
from support.cluster import Cluster
from support.suite import SECRETS, Suite

TOKEN, CHAT = "sim-token", -1001
KILLED = ("workerd", "workerd", "webhookd", "reconcilerd", "reaperd")
SETTINGS = {"endpoint_backoff_s": 1, "card_interval_s": 1, "tracker_sweep_s": 3, "tracker_sweep_whole_s": 20, "hook_check_s": 5}


class World:
    def __init__(self, projects, seed):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orch-outside-"))
        self.random = random.Random(f"world {seed}")
        self.cluster = Cluster()
        self.cluster.start()
        self.database = self.cluster.fresh()
        self.plane, self.gitea = PlaneForPeople(seed=seed, rate=10 ** 6, retry_s=2.0).start(), Gitea(self.folder, seed=seed, checking_s=0.2).start()
        self.telegram = Telegram(seed=seed).start()
        self.services = (self.plane, self.gitea, self.telegram)
        self.plane.add_key(TOKEN)
        self.gitea.add_token(TOKEN, admin=True)
        self.telegram.tokens.add(TOKEN)
        self.telegram.chats.add(CHAT)
        self.agents = Agents(self.folder / "agents")
        self.suite = Suite(self.database, self.folder / "suite", workerd_count=2, worker_slots=3, agent_kill_grace_seconds=1, log_level="info",
                           http_plain_hosts=",".join(service.url.removeprefix("http://") for service in self.services), **self.agents.options())
        self.boards, self.repos, self.kills, self.ended = [], [], 0, threading.Event()
        try:
            self.suite.start()
            self.onboard(projects)
        except BaseException:
            self.end()
            raise

    # --- set up ------------------------------------------------------------------------------------------------------

    def onboard(self, projects):
        token = self.folder / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        public = f"http://127.0.0.1:{self.suite.public.port}"
        seed = self.folder / "seed"
        for words in (["init", "-q", "-b", "main", seed], ["-C", seed, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "--allow-empty", "-m", "Begin"]):
            subprocess.run(["git", *words], check=True, env=ENVIRONMENT)
        for number in range(projects):
            name = f"p{chr(ord('a') + number)}"
            self.boards.append(self.plane.add_project(name.upper(), name))
            self.repos.append(self.gitea.add_repo("acme", name))
            subprocess.run(["git", "-C", seed, "push", "-q", self.repos[-1].bare.path, "main"], check=True, env=ENVIRONMENT)
            self.suite.orchctl("project", "add", name, "--tracker", "plane", "--tracker-url", self.plane.url, "--tracker-token-file", token, "--workspace", "acme",
                               "--tracker-project", name.upper(), "--forge", "gitea", "--forge-url", self.gitea.url, "--forge-token-file", token,
                               "--forge-repo", f"acme/{name}", "--public-url", public, "--test", "true")
        self.suite.orchctl("endpoint", "set", "plane", self.plane.url, "--kind", "plane", "--workspace", "acme", "--token-file", token, "--per-minute", 60000)
        self.suite.orchctl("endpoint", "set", "chat", self.telegram.url, "--kind", "telegram", f"--chat={CHAT}", "--token-file", token, "--per-minute", 60000, "--alerts")
        for key, value in SETTINGS.items():
            self.suite.orchctl("config", "set", key, value)
        self.plane.set_hook(f"{public}/webhook/plane", SECRETS["plane"])

    def break_things(self):
        """From now on: 10 % of webhooks are lost, 10 % come twice, a third late; 5 % of calls fail before, 5 % after their effect."""
        for service in self.services:
            service.faults.set([{"fault": "error-before", "probability": 0.05}, {"fault": "error-after", "probability": 0.025},
                                {"fault": "drop-after", "probability": 0.025}])
        for service in (self.plane, self.gitea):
            service.webhooks.lose = service.webhooks.double = 0.1
            service.webhooks.late, service.webhooks.late_s = 0.3, 1.0
        threading.Thread(target=self.keep_killing, daemon=True).start()

    def keep_killing(self):
        while not self.ended.wait(self.random.uniform(5.0, 10.0)):
            pids = self.suite.pids(self.random.choice(KILLED))
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
                if pids:
                    os.kill(self.random.choice(pids), signal.SIGKILL)
                    self.kills += 1

    def mend(self):
        self.ended.set()
        for service in self.services:
            service.faults.set([])
        for service in (self.plane, self.gitea):
            service.webhooks.lose = service.webhooks.double = service.webhooks.late = 0.0

    # --- the end -----------------------------------------------------------------------------------------------------

    def end(self):
        self.mend()
        try:
            self.suite.destroy()
        finally:
            for service in self.services:
                service.stop()
            self.database.drop()
            self.cluster.remove()
