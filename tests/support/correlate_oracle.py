"""correlate by brute force: every minute all signals are looked at afresh."""

from collections.abc import Callable, Mapping, Sequence

Event = tuple[int, str, str]
"""Minute, name of the signal, and what happened: `seen`, `fired` or `cleared`."""

Told = list[tuple[str, int]]


def told(
    events: Sequence[Event],
    within: Mapping[str, int],
    is_enough: Callable[[Mapping[str, int | None], int], bool],
    until: int,
) -> Told:
    """What is announced about one key, in minutes.

    Args:
        events: In order.
        within: For each signal, how many minutes it counts.
        is_enough: Asked with the signals that count (when each was last seen, None while it is
            an open alert) and the minute.
        until: The last minute looked at.

    """
    said: Told = []
    last: dict[str, int] = {}
    going: set[str] = set()
    firing = False

    def look(minute: int) -> None:
        nonlocal firing
        counts = {
            name: None if name in going else at
            for name, at in last.items()
            if name in going or minute < at + within[name]
        }
        now = bool(counts) and is_enough(counts, minute)
        if now != firing:
            said.append(("fired" if now else "cleared", minute))
        firing = now

    for minute in range(until + 1):
        for at, name, what in events:
            if at != minute:
                continue
            if what == "cleared":
                if name not in last or (name not in going and minute >= last[name] + within[name]):
                    continue
                going.discard(name)
            if what == "fired":
                going.add(name)
            last[name] = minute
            look(minute)
        look(minute)
    return said
