"""silence by brute force: every event is kept and every minute looked at."""

from collections.abc import Callable, Sequence

Told = list[tuple[str, int]]


def told(
    events: Sequence[int],
    stints: Sequence[tuple[int, int]] | None,
    counts: Callable[[int], bool],
    at_least: int,
    forget: int,
    until: int,
) -> Told:
    """What is announced about one key, in minutes.

    Args:
        events: Minutes at which the key reported.
        stints: When it must report, [begin, end); None without a roster.
        counts: Whether the minute after an instant counts.
        at_least: How many minutes that count make a silence.
        forget: Without a roster, minutes after which the key is given up.
        until: The last minute looked at.

    """
    said: Told = []
    firing_until: int | None = None
    last: int | None = None
    fired_base: int | None = None
    for minute in range(until + 1):
        if minute in events:
            last = minute
            if firing_until is not None:
                said.append(("cleared", minute))
                firing_until = None
        if firing_until is not None and minute >= firing_until:
            said.append(("cleared", minute))
            firing_until = None
        if stints is None and last is not None and minute - last >= forget:
            if firing_until is not None:
                said.append(("cleared", minute))
            firing_until, last = None, None
        if firing_until is not None:
            continue
        for begin, end in _open(stints, last, minute):
            base = begin if last is None else max(begin, last)
            silent = sum(counts(one) for one in range(base, minute))
            if silent >= at_least and fired_base != base:
                said.append(("fired", minute))
                firing_until, fired_base = end, base
                break
    return said


def _open(
    stints: Sequence[tuple[int, int]] | None, last: int | None, minute: int
) -> Sequence[tuple[int, int]]:
    if stints is None:
        return [] if last is None else [(last, 10**9)]
    return [stint for stint in stints if stint[0] <= minute < stint[1]]
