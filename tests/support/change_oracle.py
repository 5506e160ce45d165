"""Changes judged by brute force: every sample is kept, each is judged by looking at all before."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

Sample = tuple[int, float]
Line = tuple[str, int, int]


@dataclass(frozen=True)
class Words:
    """What a rule declares; times in ms."""

    kind: str
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    limit: float = 0
    relative: bool = False
    direction: int = 0
    per: int = 0
    span: int = 0
    least: int = 0
    tolerance: float = 0
    min_samples: int = 3
    gap: int = 0
    quiet: int = 0
    forget: int = 10**12


def judged(words: Words, past: list[Sample]) -> tuple[bool | None, int]:
    """Whether the change holds at the last of these samples (None: not known), and since when."""
    (now, value), before = past[-1], past[:-1]
    if not before:
        return (None if words.kind in {"rises", "falls"} else False), now
    last, old = before[-1]
    if words.kind == "becomes":
        return _becomes(words, past)
    if words.kind == "jumps":
        if (words.gap and now - last > words.gap) or (words.relative and old == 0):
            return None, now
        moved = Fraction(value) - Fraction(old)
        if words.relative:
            moved /= abs(Fraction(old))
        moved = abs(moved) if not words.direction else moved * words.direction
        return moved > Fraction(words.limit), now
    if words.kind in {"rises", "falls"}:
        old_enough = [one for one in before if now - one[0] >= words.span]
        if not old_enough or now - old_enough[-1][0] > words.span + words.gap:
            return None, now
        then, low = old_enough[-1]
        rate = (Fraction(value) - Fraction(low)) * words.per / (now - then)
        return (rate if words.kind == "rises" else -rate) > Fraction(words.limit), now
    if words.kind == "unseen":
        known = now - past[0][0] >= words.least
        met = any(one == value and now - at <= words.least for at, one in before)
        return known and not met, now
    start = 0
    for number in range(1, len(past)):
        far = abs(past[number][1] - past[start][1]) > words.tolerance
        if far or past[number][0] - past[number - 1][0] > words.gap:
            start = number
    long = now - past[start][0] >= words.least
    return long and len(past) - start >= words.min_samples, past[start][0]


def _becomes(words: Words, past: list[Sample]) -> tuple[bool, int]:
    """The last change, and whether what it brought still lasts."""
    since, holds = past[0][0], False
    for (_, old), (at, value) in pairwise(past):
        if old == value:
            holds = holds and bool(words.after)
        elif not (holds and words.after and value in words.after):
            hit = (not words.before or old in words.before) and (
                not words.after or value in words.after
            )
            holds, since = hit, at
    return holds, since


def episodes(words: Words, samples: list[Sample], until: int) -> list[Line]:
    """(transition, since, at) in order of time."""
    told: list[Line] = []
    since: int | None = None
    hit, past = 0, list[Sample]()
    step = max(1, words.forget // 8)

    def pass_to(at: int) -> None:
        nonlocal since, past
        ends = []
        if since is not None and words.quiet:
            ends.append(hit + words.quiet)
        if past:
            ends.append((past[-1][0] // step + 1) * step + words.forget)
        for end in sorted(ends):
            if end < at:
                if since is not None:
                    told.append(("cleared", since, end))
                    since = None
                if past and end >= (past[-1][0] // step + 1) * step + words.forget:
                    past = []

    for at, value in samples:
        pass_to(at)
        past.append((at, value))
        holds, began = judged(words, past)
        if holds:
            hit = at
            if since is None:
                since = began
                told.append(("fired", since, at))
        elif holds is False and since is not None and not words.quiet:
            told.append(("cleared", since, at))
            since = None
    pass_to(until + 1)
    return told
