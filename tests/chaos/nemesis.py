"""Carries a plan of faults out: each in a thread of its own, at its time or as soon after it as there is a victim and
nobody else needs the same thing."""

import collections
import threading
import time

from .faults import BY_NAME

PATIENCE_S = 20  # a fault that has found no victim for so long is given up


class Nemesis:
    def __init__(self, world, plan):
        self.world = world
        self.waiting = collections.deque(plan)
        self.begun = time.monotonic()
        self.running = []  # (thread, what it needs)
        self.done, self.given_up, self.failures = [], [], []

    def step(self):
        """Call it often."""
        self.running = [(thread, needs) for thread, needs in self.running if thread.is_alive()]
        if self.failures:
            raise self.failures[0]
        now = time.monotonic() - self.begun
        for planned in [p for p in self.waiting if p.at_s <= now]:
            if self._strike(planned):
                self.waiting.remove(planned)
            elif now > planned.at_s + PATIENCE_S:
                self.waiting.remove(planned)
                self.given_up.append(planned)
                self.world.note(f"fault {planned.number} {planned.kind} is given up: no victim, or what it needs is in use")

    def _strike(self, planned):
        fault = BY_NAME[planned.kind]
        victims = fault.victims(self.world)
        if not victims:
            return False
        victim = planned.choose(victims)
        needs = set(fault.needs(victim))
        if any(needs & others for _, others in self.running):
            return False
        thread = threading.Thread(target=self._run, args=(fault, planned, victim), name=planned.kind, daemon=True)
        self.running.append((thread, needs))
        thread.start()
        return True

    def _run(self, fault, planned, victim):
        try:
            self.world.note(f"fault {planned.number} {fault.name} begins: {victim} for {planned.seconds} s")
            fault.run(self.world, victim, planned.seconds)
            self.world.note(f"fault {planned.number} {fault.name} is mended")
            self.done.append(planned)
        except BaseException as error:  # assertions of the harness too: the run cannot go on
            self.world.note(f"fault {planned.number} {fault.name} FAILED in the harness: {error!r}")
            self.failures.append(error)

    def is_over(self):
        return not self.waiting and not any(thread.is_alive() for thread, _ in self.running)

    def finish(self, timeout=60):
        """Ends what lasts; waits until all is mended."""
        self.world.over.set()
        for thread, _ in self.running:
            thread.join(timeout)
            if thread.is_alive():
                raise AssertionError(f"fault {thread.name} is not mended within {timeout} s")
        if self.failures:
            raise self.failures[0]
