"""The day of one vehicle: where it drives and stops, which waybills it has, what it sends.

A script is made from the seed and the vehicle's number alone, so any vehicle can be made again
without the others. Vehicles work from about 5:00 to 22:00 city time and go home for the night.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

from simulators.area import Point, Site, metres, of_kind, open_ground, road, round_point, shifted
from simulators.fleet_plots import DAY_DECK, PLOTS, Phase, Plot, whole
from simulators.noise import Fix
from simulators.scenario import CITY_TIME, HOUR, MINUTE, SECOND

GOODS = (
    ("1203", "汽油", "3"),
    ("1202", "柴油", "3"),
    ("1075", "液化石油气", "2"),
    ("1830", "硫酸", "8"),
)
OTHERS_SHARE = 8
NIGHT = (22, 5)
HANDOVER_MS = 3 * MINUTE
"""A waybill is replaced by the next one this long after the vehicle has left."""


@dataclass(frozen=True, slots=True)
class Waybill:
    """One order of one vehicle, in force from `depart_ms` to just before `return_ms`."""

    number: str
    destination: str
    depart_ms: int
    return_ms: int


@dataclass(slots=True)
class Leg:
    """A drive and the stop it ends in; instants are fixes of the vehicle."""

    path: list[Point]
    depart_ms: int
    arrive_ms: int
    leave_ms: int
    plot: Plot
    phases: list[Phase]
    load: str
    site: Site | None = None
    waybill: Waybill | None = None

    @property
    def spot(self) -> Point:
        """Where the vehicle comes to rest."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Script:
    """Everything one vehicle does in one world; its legs are invented when they are asked for."""

    vehicle: str
    goods: tuple[str, str, str] | None
    every_s: int
    number: int
    name: str
    start_ms: int
    end_ms: int

    def legs(self) -> Iterator[Leg]:
        """The legs in order of time, the same each time; only the last one is held."""
        rng, every = Random(self.name), self.every_s
        _goods(self.goods is not None, rng)
        home = rng.choice(of_kind("depot"))
        at, now = inside(home, rng), self.start_ms + rng.randrange(every) * SECOND
        leg = _first(at, now, whole(rng.randint(4, 40) * 60, every))
        yield leg
        turn, index = rng.randrange(len(DAY_DECK)), 1
        while leg.leave_ms < self.end_ms:
            plot, turn = _next_plot(self.goods is not None, leg.leave_ms, turn, rng)
            leg = _leg(self, leg, plot, home, rng)
            if self.goods is not None:
                leg.waybill = _waybill(f"YD{self.vehicle[2:7]}{index:04d}", leg, rng)
            yield leg
            index += 1


def plate(number: int) -> str:
    """A Nantong plate with its colour, different for each number below 340,000."""
    if number < 100_000:
        return f"苏F{number:05d}-yellow"
    letter = "ABCDEFGHJKLMNPQRSTUVWXYZ"[number // 10_000 - 10]
    return f"苏F{letter}{number % 10_000:04d}-yellow"


def write_script(seed: int, number: int, start_ms: int, end_ms: int, every_s: int) -> Script:
    """Invent the day (or days) of vehicle `number` between two instants."""
    name = f"{seed}/fleet/{number}"
    goods = _goods(number % OTHERS_SHARE != OTHERS_SHARE - 1, Random(name))
    return Script(plate(number), goods, every_s, number, name, start_ms, end_ms)


def _goods(hazmat: bool, rng: Random) -> tuple[str, str, str] | None:
    return rng.choice(GOODS) if hazmat else None


def _first(at: Point, now: int, seconds: int) -> Leg:
    phases = [Phase("rest", seconds)]
    plot = PLOTS["night-at-depot"]
    return Leg([at], now, now, now + seconds * SECOND, plot, phases, "full")


def _next_plot(hazmat: bool, now: int, turn: int, rng: Random) -> tuple[Plot, int]:
    """The next card of the deck by day; a place to sleep by night."""
    hour = datetime.fromtimestamp(now / SECOND, CITY_TIME).hour
    if not NIGHT[1] <= hour < NIGHT[0] - 1:
        name = "night-on-a-lot" if hazmat and rng.random() < 0.15 else "night-at-depot"
        return PLOTS[name], turn
    if not hazmat:
        return PLOTS["other-goods"], turn
    return PLOTS[DAY_DECK[turn % len(DAY_DECK)]], turn + 1


def inside(site: Site, rng: Random) -> Point:
    """A spot well inside a site."""
    east = rng.uniform(-0.3, 0.3) * site.width_m
    return round_point(shifted(site.centre, east, rng.uniform(-0.3, 0.3) * site.height_m))


def _spot(plot: Plot, home: Site, rng: Random) -> tuple[Point, Site | None]:
    match plot.where:
        case "open":
            return open_ground(rng), None
        case "edge" | "gate":
            site = rng.choice(of_kind("depot") + of_kind("parking"))
            beyond = -8.0 if plot.where == "edge" else 15.0
            east = rng.choice((-1, 1)) * (site.width_m / 2 + beyond)
            return round_point(shifted(site.centre, east, 0.0)), site
        case "depot":
            return inside(home, rng), home
        case "customer":
            site = rng.choice(of_kind("consignee"))
        case _:
            site = rng.choice(of_kind(plot.where))
    return inside(site, rng), site


def _leg(script: Script, last: Leg, plot: Plot, home: Site, rng: Random) -> Leg:
    """Drive on from the last stop, at least 3 km, to where the plot plays."""
    every, depart = script.every_s, last.leave_ms
    begin = _left_at(last)
    spot, site = _spot(plot, home, rng)
    while metres(begin, spot) < 3_000:
        other = home if plot.where != "depot" else rng.choice(of_kind("depot"))
        spot, site = _spot(plot, other, rng)
    path = road(begin, spot, rng)
    length = sum(metres(path[part], path[part + 1]) for part in range(len(path) - 1))
    pace = rng.uniform(38, 58) / 3.6
    arrive = depart + whole(max(length / pace, 6 * 60), every) * SECOND
    phases = (
        _night(arrive, every, rng) if plot.name.startswith("night") else plot.script(rng, every)
    )
    leave = arrive + sum(phase.seconds for phase in phases) * SECOND
    return Leg(path, depart, arrive, leave, plot, phases, plot.load, site)


def _left_at(leg: Leg) -> Point:
    """Where a vehicle is when it leaves: stops may creep away from their first spot."""
    offset = (0.0, 0.0)
    for phase in leg.phases:
        offset = offset if phase.how == "rest" else phase.to
    return round_point(shifted(leg.spot, *offset))


def _night(arrive: int, every: int, rng: Random) -> list[Phase]:
    """Rest until some minutes after five the next time it is five."""
    moment = datetime.fromtimestamp(arrive / SECOND, CITY_TIME)
    hours = (NIGHT[1] - moment.hour) % 24
    until = arrive + hours * HOUR - moment.minute * MINUTE + rng.randint(5, 60) * MINUTE
    return [Phase("rest", whole(max(until - arrive, 40 * MINUTE) / SECOND, every))]


def _waybill(number: str, leg: Leg, rng: Random) -> Waybill:
    """A waybill for the way and the stop, to the place the plot wants."""
    site = leg.site
    others = [other for other in of_kind("consignee") if site is None or other.id != site.id]
    here = leg.plot.waybill != "elsewhere" and site is not None
    destination = site.id if here and site is not None else rng.choice(others).id
    begin, until = leg.depart_ms + HANDOVER_MS, leg.leave_ms + HANDOVER_MS
    if leg.plot.waybill == "over":
        until = max(begin + MINUTE, leg.arrive_ms - 2 * MINUTE)
    return Waybill(number, destination, begin, until)


def fixes(legs: Iterable[Leg], every_s: int) -> Iterator[Fix]:
    """Every position of some legs, in order of time; a long rest reports more sparsely."""
    for leg in legs:
        yield from _driving(leg, every_s)
        yield from _resting(leg, every_s)


def _driving(leg: Leg, every_s: int) -> Iterator[Fix]:
    """Move evenly along the path; the fix of arrival belongs to the stop."""
    count = (leg.arrive_ms - leg.depart_ms) // (every_s * SECOND)
    if count == 0:
        return
    sides = [metres(leg.path[part], leg.path[part + 1]) for part in range(len(leg.path) - 1)]
    length = sum(sides)
    speed = round(length / (count * every_s) * 3.6, 1)
    dark = range(count * 2 // 5, count * 2 // 5 + 6) if count > 40 and count % 3 == 0 else range(0)
    for step in range(1, count):
        if step not in dark:
            (lon, lat), heading = _along(leg.path, sides, length * step / count)
            yield Fix(leg.depart_ms + step * every_s * SECOND, lon, lat, speed, heading, leg.load)


def _along(path: list[Point], sides: list[float], way_m: float) -> tuple[Point, int]:
    """The position some metres along a path, and the direction there."""
    part = 0
    while part < len(sides) - 1 and way_m > sides[part]:
        way_m -= sides[part]
        part += 1
    share = way_m / sides[part] if sides[part] else 0.0
    (lon1, lat1), (lon2, lat2) = path[part], path[part + 1]
    across = abs(lon2 - lon1) > abs(lat2 - lat1)
    heading = (90 if lon2 > lon1 else 270) if across else (0 if lat2 > lat1 else 180)
    return (lon1 + (lon2 - lon1) * share, lat1 + (lat2 - lat1) * share), heading


def _resting(leg: Leg, every_s: int) -> Iterator[Fix]:
    """The fixes of a stop, phase by phase; a long rest reports every two minutes."""
    now, offset = leg.arrive_ms, (0.0, 0.0)
    yield Fix(now, *leg.spot, 0.0, 0, leg.load)
    sparse = max(1, 120 // every_s)
    for phase in leg.phases:
        count = phase.seconds // every_s
        begin, goal = offset, offset if phase.how == "rest" else phase.to
        far = ((goal[0] - begin[0]) ** 2 + (goal[1] - begin[1]) ** 2) ** 0.5
        speed = round(far / phase.seconds * 3.6, 1) if phase.how == "creep" else 0.0
        for step in range(1, count + 1):
            now += every_s * SECOND
            if phase.how == "silent" and step < count:
                continue
            if phase.how == "rest" and step * every_s > 180 and step % sparse and step < count:
                continue
            share = step / count if phase.how == "creep" else 1.0
            offset = tuple_between(begin, goal, share)
            lon, lat = shifted(leg.spot, *offset)
            yield Fix(now, lon, lat, speed, 0, leg.load)
        offset = goal


def tuple_between(begin: Point, goal: Point, share: float) -> Point:
    """The offset a share of the way from one offset to another."""
    return begin[0] + (goal[0] - begin[0]) * share, begin[1] + (goal[1] - begin[1]) * share
