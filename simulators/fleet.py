"""The vehicle fleet: positions of hazmat (and other) vehicles through one or more days.

Feed `vehicle-gps`, key `vehicle` (plate and colour), lateness 120 s, one JSON object a fix:

    vehicle       plate-colour, `苏F00017-yellow`
    gps_time      city time without offset, `2026-03-02 06:00:30`
    lon, lat      degrees in `--datum` (gcj02 unless told otherwise)
    speed         km/h; direction: degrees from north
    located       whether the receiver had satellites; accuracy: metres
    load          full | empty
    hazard_class  class 1-9 of the goods, null for other vehicles
    acc           ignition on

Table `waybills`: waybill_no, vehicle, goods, un_number, hazard_class, destination_zone, depart,
return (city time). The plots and their truth are in `fleet_plots.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from random import Random

from simulators.area import Point, metres, round_point
from simulators.datum import gcj02
from simulators.fleet_plots import LIMIT_S, ORANGE_S, OVERSTAY
from simulators.fleet_script import Leg, Script, fixes, write_script
from simulators.noise import POSITIONS, Fix
from simulators.scenario import (
    HOUR,
    MINUTE,
    SECOND,
    Feed,
    Item,
    Kind,
    Story,
    clock,
    heartbeats,
    in_order,
    instant,
)

GPS = Feed("vehicle-gps", 120 * SECOND, 10 * MINUTE)
CLEAR_M, KEEP_MS = 300.0, 5 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A world of vehicles.

    Attributes:
        hours: How long it lasts.
        every_s: Seconds between fixes on the way; a long rest reports each two minutes.
        datum: `gcj02` or `wgs84`, for the positions on the wire.
        noise: `none`, `default` or `heavy`.

    """

    seed: int = 7
    vehicles: int = 240
    hours: float = 24.0
    start: str = "2026-03-02T05:00:00+08:00"
    every_s: int = 30
    datum: str = "gcj02"
    noise: str = "none"

    @property
    def start_ms(self) -> int:
        """The first instant."""
        return instant(self.start)

    @property
    def end_ms(self) -> int:
        """The first instant after the world."""
        return self.start_ms + int(self.hours * HOUR)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Vehicle positions only."""
        return (GPS,)

    def script(self, number: int) -> Script:
        """What vehicle `number` does."""
        return write_script(self.seed, number, self.start_ms, self.end_ms, self.every_s)

    def items(self) -> Iterator[Item]:
        """All positions in order of arrival; holds one leg of each vehicle."""
        beats = heartbeats(GPS, self.start_ms, self.end_ms)
        return in_order(beats, *(self.sent(number) for number in range(self.vehicles)))

    def sent(self, number: int) -> Iterator[Item]:
        """One vehicle's records as they arrive, made when they are asked for."""
        script, noise = self.script(number), POSITIONS[self.noise]
        rng = Random(f"{self.seed}/noise/{number}")
        skew = noise.skew(rng)
        seen = noise.fixes(fixes(script.legs(), self.every_s), rng)
        written = _written(script, seen, skew, self.datum == "gcj02")
        last = self.end_ms - SECOND
        yield from noise.arrivals(written, rng, lambda item: item.time_ms <= last)

    def stories(self) -> Iterator[Story]:
        """What should be noticed, vehicle by vehicle, stop by stop."""
        for number in range(self.vehicles):
            script = self.script(number)
            for leg, after in pairwise(chain(script.legs(), [None])):
                if leg is not None and leg.arrive_ms < self.end_ms - 2 * MINUTE:
                    yield _story(script, leg, after, self.end_ms)

    def tables(self) -> Mapping[str, Iterator[Mapping[str, object]]]:
        """The waybills."""
        return {"waybills": self._waybills()}

    def _waybills(self) -> Iterator[Mapping[str, object]]:
        for number in range(self.vehicles):
            script = self.script(number)
            for leg in script.legs():
                if leg.waybill is None or script.goods is None or leg.depart_ms >= self.end_ms:
                    continue
                un_number, goods, hazard = script.goods
                yield {
                    "waybill_no": leg.waybill.number,
                    "vehicle": script.vehicle,
                    "goods": goods,
                    "un_number": un_number,
                    "hazard_class": hazard,
                    "destination_zone": leg.waybill.destination,
                    "depart": clock(leg.waybill.depart_ms),
                    "return": clock(leg.waybill.return_ms),
                }


def _written(script: Script, seen: Iterator[Fix], skew: int, bend: bool) -> Iterator[Item]:
    """Write fixes as JSON the way the feed declares them."""
    hazard = f'"{script.goods[2]}"' if script.goods else "null"
    head = f'{{"vehicle":"{script.vehicle}","gps_time":"'
    at: Point = (0.0, 0.0)
    sent: Point = at
    for fix in seen:
        if (fix.lon, fix.lat) != at:
            at = (fix.lon, fix.lat)
            sent = round_point(gcj02(*at) if bend else at)
        time_ms = fix.time_ms + skew
        value = (
            f'{head}{clock(time_ms)}","lon":{sent[0]},"lat":{sent[1]},"speed":{fix.speed},'
            f'"direction":{fix.heading},"located":{"true" if fix.located else "false"},'
            f'"accuracy":{fix.accuracy},"load":"{fix.load}","hazard_class":{hazard},'
            f'"acc":{"true" if fix.speed else "false"}}}'
        )
        yield Item(fix.time_ms, time_ms, GPS.name, script.vehicle, value.encode())


def _story(script: Script, leg: Leg, after: Leg | None, end_ms: int) -> Story:
    """The truth about one stop, from the script alone."""
    plot = leg.plot
    fire = None
    if plot.fire_s is not None and script.goods is not None:
        fire = leg.arrive_ms + plot.fire_s(leg.phases) * SECOND
    cut = fire is not None and fire >= end_ms
    climbs: tuple[tuple[int, str], ...] = ()
    orange = leg.arrive_ms + ORANGE_S[plot.rule] * SECOND
    if fire is not None and orange <= min(leg.leave_ms, end_ms - 1):
        climbs = ((orange, "orange"),)
    hit = fire is not None and not cut
    return Story(
        rule=plot.rule,
        key=script.vehicle,
        kind=plot.kind if hit or plot.kind is not Kind.HIT else Kind.NEVER,
        story=plot.name,
        what="the world ends before the limit" if cut else plot.what,
        begin_ms=leg.arrive_ms,
        end_ms=leg.leave_ms,
        fire_ms=fire if hit else None,
        since_ms=leg.arrive_ms if hit else None,
        severity="yellow" if hit else "",
        climbs=climbs if hit else (),
        clear_ms=_cleared(script, leg, after, end_ms) if hit else None,
        place=round_point(leg.spot),
        also={"limit_s": LIMIT_S[plot.rule], "number": script.number},
    )


def _cleared(script: Script, leg: Leg, after: Leg | None, end_ms: int) -> int | None:
    """Five minutes after the first fix that shows the vehicle gone."""
    if after is None:
        return None
    for fix in fixes([after], script.every_s):
        if _gone(leg, (fix.lon, fix.lat)):
            cleared = fix.time_ms + KEEP_MS
            return cleared if cleared < end_ms else None
    return None


def _gone(leg: Leg, position: Point) -> bool:
    """Off the service area, or more than 300 m from where the stay began."""
    if leg.plot.rule == OVERSTAY and leg.site is not None:
        return not leg.site.near(position, 0.0)
    return metres(leg.spot, position) > CLEAR_M
