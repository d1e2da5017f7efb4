"""Kills processes of a running suite and of its PostgreSQL at random moments, and starts again what an init would."""

import os
import random
import signal
import time

from .processes import descendants

KINDS = ("supervisor", "webhookd", "workerd", "reaperd", "reconcilerd", "shim", "agent", "postmaster", "restart")


def suite_processes(name):
    """Those of one program anywhere below the test: children of a killed supervisor too."""
    return [p.pid for p in descendants(os.getpid()) if p.program == f"orch-{name}"]


def agent_processes():
    """Direct children of the shims."""
    return [p.pid for shim in suite_processes("shim") for p in descendants(shim) if p.ppid == shim]


class Nemesis:
    """A fixed number of kills, each kind at least `each` times, at random distances. The seed decides order, distances
    and victims; what the victims were doing, the machine decides."""

    def __init__(self, suite, cluster, kills=20, each=2, max_distance=2.0, seed=None):
        self.suite, self.cluster = suite, cluster
        self.seed = int(seed or random.SystemRandom().randrange(1 << 32))
        self.random = random.Random(self.seed)
        self.max_distance = max_distance
        assert kills >= each * len(KINDS)
        self.pending = list(KINDS) * each + self.random.choices(KINDS, k=kills - each * len(KINDS))
        self.random.shuffle(self.pending)
        self.done = []
        self.next_at = time.monotonic() + self._distance()
        print(f"ORCH_CHAOS_SEED={self.seed} repeats this order of kills: {' '.join(self.pending)}")

    def _distance(self):
        return self.random.uniform(0.05, self.max_distance)

    def step(self):
        """Kills when it is time and a victim is there; call it often. Also plays the init of a dead supervisor."""
        if self.suite.process is not None and self.suite.process.poll() is not None:
            raise AssertionError(f"the supervisor left by itself: {self.suite.process.returncode}\n{self.suite.log.tail()}")
        if self.pending and time.monotonic() >= self.next_at and self._strike(self.pending[0]):
            self.done.append(self.pending.pop(0))
            self.next_at = time.monotonic() + self._distance()

    def _strike(self, kind):
        """False: there is no such process at this moment; it stays the next one."""
        if kind == "supervisor":
            self.suite.kill()
            self.suite.start(wait=False)
        elif kind == "postmaster":
            os.kill(self.cluster.postmaster_pid(), signal.SIGKILL)
            self.cluster.start()
        elif kind == "restart":
            self.cluster.restart("immediate")
        else:
            return self._kill_one_of(agent_processes() if kind == "agent" else suite_processes(kind))
        return True

    def _kill_one_of(self, pids):
        if not pids:
            return False
        victim = self.random.choice(sorted(pids))
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
