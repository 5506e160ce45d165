"""What noise did to the fixes of a stay that was missed or falsely noticed: figures, then a cause.

The cause is read from the records as they were sent, not from the engine: how long the usable
fixes of the stay span, how many of them lie beyond the circle of the first, how far the first one
is from where the vehicle truly stood, and the longest silence between two.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from simulators.area import Point, metres
from simulators.datum import gcj02
from simulators.scenario import Item

RADIUS_M, SLOW_KMH, USABLE_M = 150.0, 5.0, 50.0
AROUND_MS = 120_000
Fix = tuple[int, float, float, float]


def tracks(items: Iterable[Item], keys: set[str]) -> dict[str, list[Fix]]:
    """The usable fixes of these vehicles in order of event time: ms, lon, lat, km/h."""
    found: dict[str, dict[int, Fix]] = defaultdict(dict)
    for item in items:
        if item.key in keys:
            said = json.loads(item.value)
            if said["located"] and said["accuracy"] <= USABLE_M:
                fix = (item.time_ms, said["lon"], said["lat"], said["speed"])
                found[item.key][item.time_ms] = fix
    return {key: [fixes[at_ms] for at_ms in sorted(fixes)] for key, fixes in found.items()}


def why(row: dict[str, Any], place: Point | None, fixes: Sequence[Fix], limit_ms: int) -> list[Any]:
    """One miss or false alert: span, beyond, offset, silence, and the cause in words."""
    begin: int = row.get("since_ms") or row["begin_ms"]
    end: int = row.get("end_ms") or row["at_ms"]
    near = [fix for fix in fixes if begin - AROUND_MS <= fix[0] <= end + AROUND_MS]
    stay = [fix for fix in near if fix[3] < SLOW_KMH]
    if len(stay) < 2:
        return ["", "", "", "", "hardly a fix of it arrived"]
    first = next((fix for fix in stay if fix[0] >= begin), stay[0])
    after = [fix for fix in stay if fix[0] >= first[0]]
    span_ms = after[-1][0] - first[0]
    beyond = sum(metres((first[1], first[2]), (fix[1], fix[2])) > RADIUS_M for fix in after)
    off_m = None if place is None else metres((first[1], first[2]), gcj02(*place))
    silence_ms = max((b[0] - a[0] for a, b in pairwise(after)), default=0)
    figures = [f"{span_ms / 60_000:.1f}", beyond, "" if off_m is None else f"{off_m:.0f}",
               f"{silence_ms / 1000:.0f}"]  # fmt: skip
    return [*figures, _cause(row, span_ms, limit_ms, beyond, off_m)]


def _cause(
    row: dict[str, Any], span_ms: int, limit_ms: int, beyond: int, off_m: float | None
) -> str:
    if "since_ms" not in row:  # missed
        if span_ms < limit_ms:
            return "fixes lost at an end: those left span less than the limit"
        if beyond:
            return "jitter puts fixes beyond the circle of the first"
        return "fixes in between lost or thrown away"
    if row["story"] == "inside-the-gate":
        return "jitter puts the first fix outside the fence"
    if row["story"].startswith("moved"):
        return "jitter brings the second stop within the circle of the first"
    if off_m is not None and span_ms <= limit_ms:
        return "the fix that shows it leaving was lost; a silence up to 5 min counts as staying"
    return "the fixes that show it leaving were lost or thrown back"
