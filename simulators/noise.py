"""What the real world does to clean records: jitter, drift, gaps, repeats, lateness, wrong clocks.

Three levels: `none` leaves every record as the script made it, `default` is an ordinary day,
`heavy` a bad one. Lateness and clock skew together stay inside what the feed promises (120 s for
positions, one day for ledgers), so no record is late by its feed's own word.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from simulators.area import Point, shifted
from simulators.scenario import HOUR, SECOND, Item


class Fix(NamedTuple):
    """One position of a vehicle: true time (ms), WGS-84 degrees, km/h, degrees from north."""

    time_ms: int
    lon: float
    lat: float
    speed: float
    heading: int
    load: str
    located: bool = True
    accuracy: float = 5.0


@dataclass(frozen=True, slots=True)
class Noise:
    """How much of each disturbance; shares are between 0 and 1, per record.

    Attributes:
        jitter_m: Standard deviation of each fix, east and north.
        drift_m: How far a resting receiver may wander slowly.
        outliers: Share of fixes thrown 3 to 10 km away.
        lost: Share of fixes that say the receiver had no satellite.
        gaps: Share of fixes at which a silence of up to `gap_ms` begins.
        repeats: Share of records sent twice.
        delay_ms: Mean time on the way (exponential), never above `delay_max_ms`.
        skew_ms: A key's clock is wrong by up to this, the same all day.

    """

    jitter_m: float = 0.0
    drift_m: float = 0.0
    outliers: float = 0.0
    lost: float = 0.0
    gaps: float = 0.0
    gap_ms: int = 0
    repeats: float = 0.0
    delay_ms: int = 0
    delay_max_ms: int = 0
    skew_ms: int = 0

    @property
    def silent(self) -> bool:
        """Whether nothing is disturbed at all."""
        return self == Noise()

    def skew(self, rng: Random) -> int:
        """How wrong the clock of one key is, in whole seconds, as milliseconds."""
        bound = self.skew_ms // SECOND
        return rng.randint(-bound, bound) * SECOND if bound else 0

    def fixes(self, clean: Iterator[Fix], rng: Random) -> Iterator[Fix]:
        """Lay position noise and gaps over the fixes of one vehicle."""
        if self.silent:
            yield from clean
            return
        east = north = 0.0
        silent_until = 0
        for fix in clean:
            if fix.time_ms < silent_until:
                continue
            if rng.random() < self.gaps:
                silent_until = fix.time_ms + rng.randint(SECOND, self.gap_ms)
            resting = fix.speed < 1
            east = self._wander(east, rng) if resting else 0.0
            north = self._wander(north, rng) if resting else 0.0
            yield self._moved(fix, (east, north), rng)

    def _wander(self, offset: float, rng: Random) -> float:
        step = offset + rng.gauss(0.0, self.drift_m / 10)
        return max(-self.drift_m, min(self.drift_m, step))

    def _moved(self, fix: Fix, drift: Point, rng: Random) -> Fix:
        east = drift[0] + rng.gauss(0.0, self.jitter_m)
        north = drift[1] + rng.gauss(0.0, self.jitter_m)
        if rng.random() < self.outliers:
            east += rng.choice((-1, 1)) * rng.uniform(3_000, 10_000)
        lon, lat = shifted((fix.lon, fix.lat), east, north)
        speed = fix.speed or rng.choice((0.0, 0.0, 0.0, 1.0, 2.0))
        accuracy = round(3 + abs(rng.gauss(0.0, self.jitter_m)), 1)
        located = rng.random() >= self.lost
        return fix._replace(lon=lon, lat=lat, speed=speed, accuracy=accuracy, located=located)

    def arrivals(
        self, sent: Iterator[Item], rng: Random, keep: Callable[[Item], bool] = lambda _: True
    ) -> Iterator[Item]:
        """Delay and repeat records that come in order of sending; answers them as they arrive.

        Holds only the records that are on the way at one moment.
        """
        if self.delay_ms == 0 and self.repeats == 0:
            yield from filter(keep, sent)
            return
        on_the_way: list[Item] = []
        for item in sent:
            while on_the_way and on_the_way[0].arrival_ms <= item.arrival_ms:
                yield heappop(on_the_way)
            if not keep(item):
                continue
            heappush(on_the_way, self._delayed(item, rng))
            if rng.random() < self.repeats:
                heappush(on_the_way, self._delayed(item, rng))
        while on_the_way:
            yield heappop(on_the_way)

    def _delayed(self, item: Item, rng: Random) -> Item:
        delay = min(int(rng.expovariate(1 / self.delay_ms)), self.delay_max_ms)
        return item._replace(arrival_ms=item.arrival_ms + delay)


POSITIONS = {
    "none": Noise(),
    "default": Noise(
        jitter_m=5.0,
        drift_m=12.0,
        outliers=0.000_5,
        lost=0.003,
        gaps=0.002,
        gap_ms=240 * SECOND,
        repeats=0.01,
        delay_ms=3 * SECOND,
        delay_max_ms=60 * SECOND,
        skew_ms=10 * SECOND,
    ),
    "heavy": Noise(
        jitter_m=12.0,
        drift_m=40.0,
        outliers=0.003,
        lost=0.02,
        gaps=0.008,
        gap_ms=900 * SECOND,
        repeats=0.05,
        delay_ms=15 * SECOND,
        delay_max_ms=75 * SECOND,
        skew_ms=20 * SECOND,
    ),
}
"""Noise over vehicle positions, by level."""

LEDGERS = {
    "none": Noise(),
    "default": Noise(repeats=0.01, delay_ms=HOUR, delay_max_ms=12 * HOUR),
    "heavy": Noise(repeats=0.05, delay_ms=6 * HOUR, delay_max_ms=23 * HOUR),
}
"""Noise over the ledgers of departments and banks, by level."""
