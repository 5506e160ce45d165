"""What can happen where a vehicle stops: each plot with its truth for the dwell rules.

The rules the plots play against: a loaded hazmat vehicle that stays 30 minutes within 150 m
below 5 km/h outside licensed ground and away from the consignee of its waybill
(`hazmat-abnormal-dwell`, orange at 2 hours), and one that stays 2 hours in a service area
(`hazmat-service-area-overstay`).

Hits: `secret-stop`, `secret-long`, `just-30-minutes`, `creep-149-m`, `outside-the-gate` (15 m from
licensed ground), `wrong-customer`, `waybill-over`, `terminal-off` (dark for 40 minutes, back at
the same spot), `stray-fix` (one fix 200 m off), `short-silence`, `night-on-a-lot`, `overstay`.
Near misses: `left-at-29-30`, `inside-the-gate` (8 m), `at-the-consignee`, `moved-165-m`,
`came-back`, `stop-and-go` (5.4 km/h), `empty-tank`, `dark-then-elsewhere`, `rest-119-minutes`.
Ordinary: `loading`, `licensed-parking`, `short-stop`, `fuel-stop`, `rest`, `night-at-depot`,
`other-goods` (a vehicle without hazardous goods).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from simulators.scenario import Kind

DWELL = "hazmat-abnormal-dwell"
OVERSTAY = "hazmat-service-area-overstay"
LIMIT_S = {DWELL: 30 * 60, OVERSTAY: 120 * 60}
ORANGE_S = {DWELL: 120 * 60, OVERSTAY: 240 * 60}


class Phase(NamedTuple):
    """A part of a stop: seconds, then where the vehicle is (metres east, north of its spot).

    `rest` stays where it is, `creep` moves evenly to `to`, `jump` is there from the first fix on,
    `silent` sends nothing but a fix at `to` when it ends.
    """

    how: str
    seconds: int
    to: tuple[float, float] = (0.0, 0.0)


Script = Callable[[Random, int], list[Phase]]


@dataclass(frozen=True, slots=True)
class Plot:
    """One way a stop can go. `fire_s` is counted from arrival; None where no rule fires."""

    name: str
    kind: Kind
    where: str
    what: str
    script: Script
    fire_s: Callable[[Sequence[Phase]], int] | None = None
    rule: str = DWELL
    waybill: str = "elsewhere"
    load: str = "full"


def whole(seconds: float, every_s: int) -> int:
    """The nearest whole number of reporting intervals that is not shorter, in seconds."""
    return -int(-seconds // every_s) * every_s


def stay(low_min: float, high_min: float) -> Script:
    """A stop of some minutes at one spot."""
    return lambda rng, every: [Phase("rest", whole(rng.uniform(low_min, high_min) * 60, every))]


def exactly(minutes: float) -> Script:
    """A stop whose last resting fix is the first one at or after that many minutes."""
    return lambda _, every: [Phase("rest", whole(minutes * 60, every))]


def just_under(minutes: int) -> Script:
    """A stop that ends with a moving fix exactly when the limit would be reached."""
    return lambda _, every: [Phase("rest", minutes * 60 // every * every - every)]


def _steps(*parts: tuple[str, float, tuple[float, float]]) -> Script:
    def script(_: Random, every: int) -> list[Phase]:
        return [Phase(how, whole(minutes * 60, every), to) for how, minutes, to in parts]

    return script


def _stop_and_go(_: Random, every: int) -> list[Phase]:
    """Stand 8 minutes, move on at 5.4 km/h for half a minute, four times: a queue, not a stay."""
    phases: list[Phase] = []
    seconds = whole(30, every)
    for turn in range(1, 5):
        phases += [
            Phase("rest", whole(480, every)),
            Phase("creep", seconds, (turn * seconds * 1.5, 0.0)),
        ]
    return phases


def at_limit(rule: str) -> Callable[[Sequence[Phase]], int]:
    """The rule fires by its own timer when the limit is reached."""
    return lambda _: LIMIT_S[rule]


def _when_back(phases: Sequence[Phase]) -> int:
    """The rule fires with the first fix after the silence."""
    return phases[0].seconds + phases[1].seconds


_HIT, _NEAR, _NEVER = Kind.HIT, Kind.NEAR_MISS, Kind.NEVER
_FIRE = at_limit(DWELL)
_HERE = (0.0, 0.0)

PLOTS = {
    plot.name: plot
    for plot in (
        Plot("secret-stop", _HIT, "open", "stays on an unlicensed lot", stay(31, 110), _FIRE),
        Plot("secret-long", _HIT, "open", "stays over two hours on a lot", stay(125, 170), _FIRE),
        Plot("just-30-minutes", _HIT, "open", "stays for just 30 minutes", exactly(30), _FIRE),
        Plot(
            "creep-149-m",
            _HIT,
            "open",
            "moves on within 149 m of where it stopped",
            _steps(("rest", 20, _HERE), ("creep", 3, (0.0, 149.0)), ("rest", 15, _HERE)),
            _FIRE,
        ),
        Plot(
            "outside-the-gate",
            _HIT,
            "gate",
            "waits 15 m outside licensed ground",
            stay(35, 70),
            _FIRE,
        ),
        Plot(
            "wrong-customer",
            _HIT,
            "customer",
            "stays with a firm its waybill does not name",
            stay(35, 80),
            _FIRE,
        ),
        Plot(
            "waybill-over",
            _HIT,
            "customer",
            "is at the consignee, but the waybill has ended",
            stay(35, 80),
            _FIRE,
            waybill="over",
        ),
        Plot(
            "terminal-off",
            _HIT,
            "open",
            "goes dark for 40 minutes and is back at the same spot",
            _steps(("rest", 10, _HERE), ("silent", 40, _HERE), ("rest", 10, _HERE)),
            _when_back,
        ),
        Plot(
            "stray-fix",
            _HIT,
            "open",
            "stays; one fix is 200 m off",
            _steps(
                ("rest", 12, _HERE),
                ("jump", 0.5, (200.0, 0.0)),
                ("jump", 0.5, _HERE),
                ("rest", 25, _HERE),
            ),
            _FIRE,
        ),
        Plot(
            "short-silence",
            _HIT,
            "open",
            "stays; silent for 4 minutes before the half hour",
            _steps(("rest", 25.5, _HERE), ("silent", 4, _HERE), ("rest", 12, _HERE)),
            _FIRE,
        ),
        Plot("night-on-a-lot", _HIT, "open", "spends the night on a lot", stay(300, 400), _FIRE),
        Plot(
            "overstay",
            _HIT,
            "service-area",
            "stays over two hours in a service area",
            stay(121, 170),
            at_limit(OVERSTAY),
            rule=OVERSTAY,
        ),
        Plot("left-at-29-30", _NEAR, "open", "leaves with the half hour", just_under(30)),
        Plot("inside-the-gate", _NEAR, "edge", "rests 8 m inside licensed ground", stay(35, 90)),
        Plot(
            "at-the-consignee",
            _NEAR,
            "customer",
            "unloads where its waybill says",
            stay(35, 90),
            waybill="here",
        ),
        Plot(
            "moved-165-m",
            _NEAR,
            "open",
            "two stops of 20 minutes, 165 m apart",
            _steps(("rest", 20, _HERE), ("creep", 3.5, (165.0, 0.0)), ("rest", 20, _HERE)),
        ),
        Plot(
            "came-back",
            _NEAR,
            "open",
            "goes 180 m away for 6 minutes and comes back",
            _steps(
                ("rest", 20, _HERE),
                ("creep", 2.5, (0.0, 180.0)),
                ("rest", 6, _HERE),
                ("creep", 2.5, _HERE),
                ("rest", 18, _HERE),
            ),
        ),
        Plot("stop-and-go", _NEAR, "open", "queues 34 minutes, moving at 5.4 km/h", _stop_and_go),
        Plot("empty-tank", _NEAR, "open", "stays with an empty tank", stay(35, 55), load="empty"),
        Plot(
            "dark-then-elsewhere",
            _NEAR,
            "open",
            "goes dark and appears 900 m away",
            _steps(("rest", 10, _HERE), ("silent", 35, (900.0, 0.0)), ("rest", 12, _HERE)),
        ),
        Plot(
            "rest-119-minutes",
            _NEAR,
            "service-area",
            "leaves a service area with the two hours",
            just_under(120),
            rule=OVERSTAY,
        ),
        Plot("loading", _NEVER, "chemical-park", "loads in a chemical park", stay(35, 120)),
        Plot("licensed-parking", _NEVER, "parking", "parks on licensed ground", stay(35, 150)),
        Plot("short-stop", _NEVER, "open", "stops for some minutes", stay(4, 15)),
        Plot("fuel-stop", _NEVER, "petrol-station", "takes fuel", stay(8, 20)),
        Plot(
            "rest", _NEVER, "service-area", "rests in a service area", stay(20, 40), rule=OVERSTAY
        ),
        Plot("night-at-depot", _NEVER, "depot", "is parked at its depot", stay(30, 60)),
        Plot("other-goods", _NEVER, "open", "carries no hazardous goods", stay(10, 90)),
    )
}

DAY_DECK = (
    "secret-stop", "loading", "left-at-29-30", "overstay", "short-stop", "inside-the-gate",
    "creep-149-m", "rest", "at-the-consignee", "terminal-off", "fuel-stop", "moved-165-m",
    "just-30-minutes", "rest-119-minutes", "stray-fix", "licensed-parking", "came-back",
    "outside-the-gate", "rest", "stop-and-go", "wrong-customer", "empty-tank", "secret-long",
    "short-stop", "dark-then-elsewhere", "waybill-over", "rest-119-minutes", "overstay",
    "short-silence", "fuel-stop", "rest",
)  # fmt: skip
"""The plots of working hours; a vehicle begins somewhere in the deck and goes round."""
