"""A seeded world for the tests over places: cars that gather, wander off and fall silent."""

import random

from near_world import STEP, letter
from small_world import MIN, T0
from stream_world import Sent

SPOTS = [(-3, 0), (0, 0), (2, 1), (14, 0), (25, -8), (40, 12)]
"""Where cars meet, in steps from the corner of four cells."""


def story(seed: int, cars: int = 24, minutes: int = 150) -> list[Sent]:
    """All records in order of arrival: a little out of order, never late, some sent twice."""
    rng = random.Random(seed)
    fixes = [one for number in range(cars) for one in _day(rng, number, minutes)]
    arrivals = [(one.at_ms + rng.randrange(0, MIN // 2), place) for place, one in enumerate(fixes)]
    ordered = [fixes[place] for _, place in sorted(arrivals)]
    return [one for one in ordered for _ in range(1 + (rng.random() < 0.01))]


def end_ms(minutes: int = 150) -> int:
    """The end of the world, up to which every source says it is complete."""
    return T0 + (minutes + 3) * MIN


def _day(rng: random.Random, number: int, minutes: int) -> list[Sent]:
    who, kind = f"car-{number}", rng.choice("abb")
    at, (east, north) = rng.randrange(0, 5 * MIN), rng.choice(SPOTS)
    sent: list[Sent] = []
    while at < minutes * MIN:
        fast = rng.random() < 0.05
        fix = letter((at, who, east * STEP, north * STEP, kind, not fast))
        sent.append(Sent("gps", who, fix.value, fix.at_ms))
        at += rng.choice([20, 30, 30, 60]) * 1000 + number
        if rng.random() < 0.06:
            east, north = rng.choice(SPOTS)
        elif rng.random() < 0.15:
            east += rng.choice([-1, 0, 1])
            north += rng.choice([-1, 0, 1])
        if rng.random() < 0.01:
            at += 9 * MIN
    return sent
