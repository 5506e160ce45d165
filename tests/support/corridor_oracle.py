"""corridor by brute force: every leg is looked at anew, every fix kept, every minute asked.

Positions are metres on a plane; times are minutes.
"""

from itertools import pairwise
from math import hypot
from typing import NamedTuple

Told = list[tuple[str, int]]
Point = tuple[float, float]


class Fix(NamedTuple):
    """Where a key was, and which route it should have been on; empty for none."""

    minute: int
    x: float
    y: float
    way: str


def places(way: list[Point], fix: Fix, width: float) -> list[tuple[float, float]]:
    """(progress, away) of each stretch of the way that comes within the width."""
    found: list[tuple[float, float]] = []
    walked, inside = 0.0, False
    for (ax, ay), (bx, by) in pairwise(way):
        length = hypot(bx - ax, by - ay)
        along = ((fix.x - ax) * (bx - ax) + (fix.y - ay) * (by - ay)) / length
        along = max(0.0, min(length, along))
        px, py = ax + (bx - ax) * along / length, ay + (by - ay) * along / length
        away = hypot(fix.x - px, fix.y - py)
        if away <= width:
            if not inside:
                found.append((walked + along, away))
            elif away < found[-1][1]:
                found[-1] = (walked + along, away)
        inside = away <= width
        walked += length
    return found


def trips(fixes: list[Fix], ways: dict[str, list[Point]]) -> list[list[Fix]]:
    """The fixes in stretches of one way each; a fix without a way ends a stretch."""
    found: list[list[Fix]] = [[]]
    for fix in fixes:
        if found[-1] and found[-1][-1].way != fix.way:
            found.append([])
        if fix.way in ways:
            found[-1].append(fix)
        elif found[-1]:
            found.append([])
    return [one for one in found if one]


def ended(fixes: list[Fix], trip: list[Fix]) -> int | None:
    """When the fix after a trip says that the key is on another way, or on none."""
    later = [fix.minute for fix in fixes if fix.minute > trip[-1].minute]
    return later[0] if later else None


def off(
    fixes: list[Fix],
    ways: dict[str, list[Point]],
    width: float,
    at_least: int,
    silent: int,
    until: int,
    forget: int,
    *,
    counts: bool,
) -> Told:
    """When a key was off its way for long enough, and when it was no more."""
    said: Told = []
    for trip in trips(fixes, ways):
        away = {fix.minute: not places(ways[fix.way], fix, width) for fix in trip}
        over = ended(fixes, trip)
        since = last = None
        firing = False
        for minute in range(trip[0].minute, until + 1):
            if over is not None and minute == over:
                break
            if away.get(minute) is False:
                if firing:
                    said.append(("cleared", minute))
                since, last, firing = None, None, False
            elif minute in away:
                gone = last is not None and minute - last > silent and not counts
                if since is None or (gone and not firing):
                    since = minute
                last = minute
            if since is None or last is None:
                continue
            if minute >= last + forget:
                if firing:
                    said.append(("cleared", minute))
                since, last, firing = None, None, False
            elif not firing and minute >= since + at_least and minute - last <= silent:
                firing = True
                said.append(("fired", minute))
        if firing and over is not None:
            said.append(("cleared", over))
    return said


def walked(
    trip: list[Fix], ways: dict[str, list[Point]], width: float, slack: float | None
) -> list[tuple[int, float]]:
    """(minute, progress) of the fixes of a trip that are near its way."""
    found: list[tuple[int, float]] = []
    for fix in trip:
        near = places(ways[fix.way], fix, width)
        if not near:
            continue
        progress = near[0][0]
        if found:
            before = found[-1][1]
            progress = min(near, key=lambda one: abs(one[0] - before))[0]
            if slack is not None and before - slack <= progress < before:
                progress = before
        found.append((fix.minute, progress))
    return found


def back(fixes: list[Fix], ways: dict[str, list[Point]], width: float, by: float) -> Told:
    """When a key was further behind its furthest than `by`, and when it had come as far again."""
    said: Told = []
    for trip in trips(fixes, ways):
        firing, seen = False, list[float]()
        for minute, progress in walked(trip, ways, width, None):
            seen.append(progress)
            if not firing and max(seen) - progress > by:
                firing, seen = True, [progress]
                said.append(("fired", minute))
            elif firing and progress - min(seen) > by:
                firing, seen = False, [progress]
                said.append(("cleared", minute))
        over = ended(fixes, trip)
        if firing and over is not None:
            said.append(("cleared", over))
    return said


def section(
    fixes: list[Fix],
    ways: dict[str, list[Point]],
    width: float,
    posts: list[float],
    limits: tuple[float, float],
    silent: int,
    slack: float,
) -> Told:
    """When a section was taken too fast (told and over at once), or not left in time.

    `limits` are metres a minute.
    """
    fast, slow = limits
    said: Told = []
    for trip in trips(fixes, ways):
        steps = walked(trip, ways, width, slack)
        passed: dict[int, float] = {}
        entered, late = -1, False
        for number, (minute, progress) in enumerate(steps):
            if number:
                then, before = steps[number - 1]
                if progress < before:
                    entered = -1
                    if late:
                        said.append(("cleared", minute))
                        late = False
                for post, metres in enumerate(posts):
                    end = post == len(posts) - 1
                    if not (before <= metres < progress or (end and before < metres <= progress)):
                        continue
                    if late:
                        said.append(("cleared", minute))
                        late = False
                    if minute - then > silent:
                        entered = -1
                        continue
                    passed[post] = then + (minute - then) * (metres - before) / (progress - before)
                    if post and entered == post - 1:
                        took = passed[post] - passed[post - 1]
                        if metres - posts[post - 1] > fast * took:
                            said += [("fired", minute), ("cleared", minute)]
                    entered = post
            if 0 <= entered < len(posts) - 1 and not late:
                length = posts[entered + 1] - posts[entered]
                if (minute - passed[entered]) * slow > length:
                    late = True
                    said.append(("fired", minute))
        over = ended(fixes, trip)
        if late and over is not None:
            said.append(("cleared", over))
    return said
