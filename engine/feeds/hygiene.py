"""Positions that are not believed: impossible jumps and receivers that repeat one fix for ever."""

from typing import Any, final

from engine.feeds.reasons import Reason
from engine.feeds.spec import FeedSpec
from engine.geo.distance import distance_m

_ENOUGH = 3
_SECOND_MS = 1000
_FIELDS = 4
_M_PER_DEGREE = 111_196.0  # rounded up


@final
class Cleaner:
    """Judges the fixes of one key in the order of their times.

    A fix that could only be reached from the last good one faster than `max_jump_mps` is not
    believed. But the last good one may have been the wrong one: after three such fixes that fit
    each other the third is believed, and judging goes on from it. A fix at the very same position
    as before is reported as stuck once that has lasted longer than `stuck_ms`, until it moves.
    Two fixes less than a second apart are judged as if a second lay between them, because clocks
    have whole seconds.

    State: a list of four or eight values a key, or None before its first fix: time, longitude and
    latitude of the last good fix; since when the position is unchanged; then, while there is doubt,
    how many doubtful fixes in a row fit each other, and time, longitude and latitude of the last of
    them. Times are UTC ms, positions WGS-84 degrees. A state is a value: `clean` never changes the
    list it is given.
    """

    __slots__ = ("_max_jump_mps", "_stuck_ms", "spec")

    def __init__(self, spec: FeedSpec) -> None:
        self.spec = spec
        self._max_jump_mps = spec.hygiene.max_jump_mps
        self._stuck_ms = spec.hygiene.stuck_ms

    def clean(
        self, state: list[Any] | None, at_ms: int, lon: float, lat: float
    ) -> tuple[bool, Reason | None, list[Any] | None]:
        """Judge one fix.

        Args:
            state: What the last call about this key answered; None for the first.
            at_ms: Event time; never earlier than the last one's.
            lon: Longitude, WGS-84 degrees.
            lat: Latitude, WGS-84 degrees.

        Returns:
            Whether to keep the fix, the reason if not, and the new state.

        """
        if state is None:
            return True, None, [at_ms, lon, lat, at_ms]
        last_ms, last_lon, last_lat, since_ms = state[:4]
        if lon == last_lon and lat == last_lat:
            stuck = self._stuck_ms is not None and at_ms - since_ms > self._stuck_ms
            return not stuck, Reason.STUCK if stuck else None, [at_ms, lon, lat, since_ms]
        if self._reachable(at_ms - last_ms, last_lon, last_lat, lon, lat):
            return True, None, [at_ms, lon, lat, at_ms]
        count = 1
        if len(state) > _FIELDS:
            doubtful_ms, doubtful_lon, doubtful_lat = state[5:]
            if self._reachable(at_ms - doubtful_ms, doubtful_lon, doubtful_lat, lon, lat):
                count = state[4] + 1
        if count >= _ENOUGH:
            return True, None, [at_ms, lon, lat, at_ms]
        doubt = [last_ms, last_lon, last_lat, since_ms, count, at_ms, lon, lat]
        return False, Reason.IMPOSSIBLE_JUMP, doubt

    def _reachable(self, ms: int, lon1: float, lat1: float, lon2: float, lat2: float) -> bool:
        """Whether the way between two fixes can be covered in the time at the highest speed."""
        if self._max_jump_mps is None:
            return True
        reach_m = self._max_jump_mps * max(ms, _SECOND_MS) / _SECOND_MS
        # The way along the two axes is never shorter, and spares most fixes the exact distance.
        if (abs(lon2 - lon1) + abs(lat2 - lat1)) * _M_PER_DEGREE <= reach_m:
            return True
        return distance_m(lon1, lat1, lon2, lat2) <= reach_m
