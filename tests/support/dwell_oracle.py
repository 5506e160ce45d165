"""Stays by brute force: every fix is kept and every instant judged anew."""

# Imports nothing of the engine, so that it cannot share its mistakes.

from dataclasses import dataclass

Fix = tuple[int, float, bool]
"""Event time, place on a line in metres, whether it moves too fast."""


@dataclass(frozen=True)
class Words:
    at_least: int
    radius: float
    silent: int | None
    outside: int = 0
    gap_counts: bool = False


def _run(fixes: list[Fix], first: int, now: int, words: Words, *, gaps: bool) -> tuple[bool, bool]:
    """Whether a stay begun at `first` goes on at `now`, and whether it is outside just then."""
    anchor, out, last = fixes[first], None, fixes[first][0]
    for at, where, _ in fixes[first + 1 :]:
        if at > now:
            break
        if gaps and words.silent is not None and at - last > words.silent:
            return False, False
        last = at
        if abs(where - anchor[1]) <= words.radius:
            if out is not None and at - out > words.outside:
                return False, False
            out = None
        else:
            out = at if out is None else out
            if words.outside == 0:
                return False, True
    if out is not None and now - out >= words.outside:
        return False, True
    return True, out is not None


def _came_back_elsewhere(known: list[Fix], held: int, words: Words) -> bool:
    """Whether the newest fix ends a silence that is too long, and lies outside the stay."""
    silent, far = words.silent, abs(known[-1][1] - known[held][1]) > words.radius
    return silent is not None and far and known[-1][0] - known[-2][0] > silent


def stays(fixes: list[Fix], words: Words, until: int) -> list[tuple[str, int, int]]:
    """(what, since, at) of every stay that lasted, and of its end."""
    instants = {at for at, _, _ in fixes}
    instants |= {at + words.at_least for at, _, _ in fixes}
    instants |= {at + words.outside for at, _, _ in fixes}
    told: list[tuple[str, int, int]] = []
    start, held = 0, None
    for now in sorted(instant for instant in instants if instant <= until):
        known = [fix for fix in fixes if fix[0] <= now]
        if not known:
            continue
        here = known[-1][0] == now
        if here and known[-1][2]:
            if held is not None:
                told.append(("cleared", known[held][0], now))
            start, held = len(known), None
            continue
        if held is not None:
            going, _ = _run(fixes, held, now, words, gaps=False)
            if here and not words.gap_counts and _came_back_elsewhere(known, held, words):
                going = False
            if going:
                continue
            told.append(("cleared", fixes[held][0], now))
            anchor, run = fixes[held], len(known)
            while run > held + 1 and abs(known[run - 1][1] - anchor[1]) > words.radius:
                run -= 1
            start, held = run, None
        for first in range(start, len(known)):
            going, outside = _run(fixes, first, now, words, gaps=not words.gap_counts)
            if not going:
                continue
            last = known[-1][0]
            present = here if words.silent is None else now - last <= words.silent
            if now - fixes[first][0] >= words.at_least and present and not outside:
                held = first
                told.append(("fired", fixes[first][0], now))
            break
    return told
