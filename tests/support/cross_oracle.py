"""Crossings judged by brute force: all fixes are kept, shapes are asked anew for each of them.

The world is flat and small here: positions are degrees near the equator, zones are shapely shapes.
"""

from dataclasses import dataclass
from typing import Any

import shapely

M = 111_195.08  # metres a degree of the sphere
Fix = tuple[int, float, float, bool]
"""Event time (ms), longitude, latitude (degrees), and whether `while` holds."""
Line = tuple[str, str, int, int]


@dataclass(frozen=True)
class Words:
    """What a rule declares; times in ms, distances in metres."""

    how: str
    zones: tuple[tuple[str, Any], ...] = ()
    lines: tuple[tuple[str, Any], ...] = ()
    direction: int = 0
    gap: int = 0
    at_least: int = 0
    asks: bool = False
    margin: float = 0
    fixes: int = 1
    first_counts: bool = False
    quiet: int = 0
    forget: int = 10**12


def stays(words: Words, fixes: list[Fix], shape: Any) -> list[tuple[int, int, int]]:
    """Settled sides in order: (from fix, to fix exclusive, -1 outside or 1 inside)."""
    said = []
    for _, x, y, _ in fixes:
        inside = shape.covers(shapely.Point(x, y))
        far = shape.boundary.distance(shapely.Point(x, y)) * M > words.margin
        said.append(1 if inside else (-1 if far or not words.margin else 0))
    side, found, begin, number = -1, [], 0, 0
    while number < len(said):
        run = said[number : number + words.fixes]
        wants_in = all(one == 1 for one in run) and len(run) == words.fixes
        wants_out = all(one == -1 for one in run) and len(run) == words.fixes
        if (side == -1 and wants_in) or (side == 1 and wants_out):
            found.append((begin, number, side))
            begin, side = number, -side
            number += words.fixes
        else:
            number += 1
    found.append((begin, len(said), side))
    return found


def of_zone(words: Words, fixes: list[Fix], shape: Any) -> list[tuple[str, int]]:
    """(what, index of the fix that shows it) for one zone: in, out, through."""
    moves: list[tuple[str, int]] = []
    for begin, _, side in stays(words, fixes, shape)[1:]:
        moves.append(("in" if side == 1 else "out", begin))
    states = stays(words, fixes, shape)
    for number in range(1, len(fixes)):
        (t1, x1, y1, _), (t2, x2, y2, _) = fixes[number - 1], fixes[number]
        # A way counts once the side it starts from is settled.
        outside = any(
            s == -1 and b + (words.fixes - 1) * (b > 0) < number < e for b, e, s in states
        )
        ends = [shapely.Point(x1, y1), shapely.Point(x2, y2)]
        clear = all(not shape.covers(p) for p in ends) and (
            not words.margin or all(shape.distance(p) * M > words.margin for p in ends)
        )
        way = shapely.LineString([(x1, y1), (x2, y2)])
        if outside and clear and t2 - t1 <= words.gap and way.crosses(shape):
            moves.append(("through", number))
    return sorted(moves, key=lambda move: move[1])


def of_line(words: Words, fixes: list[Fix], line: Any) -> list[int]:
    """Indexes of the fixes that show that the line was passed; the line is one straight edge."""
    (ax, ay), (bx, by) = line.coords
    passages, net, run = [], 0, 0
    for number in range(1, len(fixes)):
        (t1, x1, y1, _), (t2, x2, y2, _) = fixes[number - 1], fixes[number]
        if t2 - t1 > words.gap:
            net, run = 0, 0
            continue
        before, after = (
            (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0 for x, y in ((x1, y1), (x2, y2))
        )
        met = shapely.LineString([(x1, y1), (x2, y2)]).intersects(line)
        if before != after and met:
            net += 1 if before else -1
        near = words.margin and line.distance(shapely.Point(x2, y2)) * M <= words.margin
        if not net:
            run = 0
            continue
        run += 1
        if not near and run >= words.fixes:
            if not words.direction or (net > 0) == (words.direction > 0):
                passages.append(number)
            net, run = 0, 0
    return passages


def episodes(words: Words, fixes: list[Fix], until: int) -> list[Line]:
    """(transition, zone or line, since, at), sorted."""
    told: list[Line] = []
    for name, shape in words.zones:
        told += _told(words, fixes, name, *_zone_marks(words, fixes, shape), until)
    for name, line in words.lines:
        meant = {n for n in of_line(words, fixes, line) if fixes[n][3] or not words.asks}
        told += _told(words, fixes, name, {}, meant, until)
    return sorted(told)


def _zone_marks(
    words: Words, fixes: list[Fix], shape: Any
) -> tuple[dict[int, int | None], set[int]]:
    """For each fix of a state: since when it holds (None: it does not); and the fixes that hit."""
    state: dict[int, int | None] = {}
    hits: set[int] = set()
    sides, delay = stays(words, fixes, shape), words.fixes - 1
    for number, (begin, end, side) in enumerate(sides):
        if number == 0:
            continue
        shown = begin + delay
        if side == 1 and words.how == "leaves":
            state[shown] = None
        ends = end + delay if number + 1 < len(sides) else len(fixes)
        counts = begin > 0 or words.first_counts
        since = fixes[begin][0]
        if side == -1:
            inside_from = sides[number - 1][0]
            lasted = fixes[shown][0] - fixes[inside_from][0]
            counts = inside_from > 0 or words.first_counts or words.how == "leaves"
            since = fixes[shown][0]
            if lasted < words.at_least or not counts:
                continue
            if words.how == "passes" or (words.how == "leaves" and words.quiet):
                hits.add(shown)
        states = {"enters": 1, "leaves": -1}.get(words.how) == side and counts
        if states and not (words.how == "leaves" and words.quiet):
            for index in range(shown, ends):
                long = side == -1 or fixes[index][0] - since >= words.at_least
                meant = long and (fixes[index][3] or not words.asks)
                began = fixes[index][0] if words.asks else since
                state[index] = began if meant else None
            if ends < len(fixes):
                state[ends] = None
    if words.how != "leaves" and not words.at_least:
        hits |= {index for what, index in of_zone(words, fixes, shape) if what == "through"}
    return state, {index for index in hits if fixes[index][3] or not words.asks}


def _told(
    words: Words, fixes: list[Fix], name: str, state: dict[int, int | None], hits: set[int],
    until: int,
) -> list[Line]:  # fmt: skip
    told: list[Line] = []
    since: int | None = None
    hit: int | None = None
    for index, (at, _, _, _) in enumerate([*fixes, (until + 1, 0.0, 0.0, True)]):
        if words.quiet and hit is not None and hit + words.quiet < at and since is not None:
            told.append(("cleared", name, since, hit + words.quiet))
            since = hit = None
        if index == len(fixes):
            break
        holds: int | None = at if index in hits else state.get(index)
        if index in hits or (holds is not None and index in state):
            hit = at if index in hits else None
            if since is None:
                since = holds
                told.append(("fired", name, at if since is None else since, at))
        elif since is not None and (index in state or (hit is not None and not words.quiet)):
            told.append(("cleared", name, since, at))
            since = hit = None
    return told
