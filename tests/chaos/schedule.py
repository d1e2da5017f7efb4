"""What is broken when, decided before the run by its seed alone: times, kinds, which of the possible victims, for how
long. The machine decides only what the victim was doing at that moment, and whether there is one at all."""

import dataclasses
import random


@dataclasses.dataclass(frozen=True)
class Planned:
    number: int
    at_s: float
    kind: str
    pick: float     # which victim: 0 is the first of those that are possible then, 1 beyond the last
    seconds: float  # how long it lasts

    def choose(self, victims):
        return victims[int(self.pick * len(victims))]


def plan(seed, seconds, count, faults):
    """`count` faults within so many seconds, by their time. Each kind comes as often as any other, give or take one.
    `faults` are rows with a name and the bounds of how long one lasts."""
    rng = random.Random(seed)
    faults = sorted(faults, key=lambda fault: fault.name)
    kinds = []
    while len(kinds) < count:
        kinds += rng.sample(faults, len(faults))
    times = sorted(rng.uniform(0, seconds) for _ in range(count))
    return [Planned(number, round(at, 3), fault.name, rng.random(), round(rng.uniform(*fault.seconds), 3))
            for number, (at, fault) in enumerate(zip(times, kinds), 1)]
