"""correlate by place by brute force: every minute all signals everywhere are looked at afresh."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Event = tuple[int, str, str, float, str]
"""Minute, key, name of the signal, metres east, and what happened: `seen`, `fired`, `cleared`."""

Told = list[tuple[str, str, int, float]]
"""Transition, key of the alert, minute, metres east of its anchor."""


@dataclass(eq=False)
class Sign:
    name: str
    key: str
    east: float
    at: int
    born: int
    number: int
    open: bool = False
    site: "Place | None" = None


@dataclass(eq=False)
class Place:
    key: str
    east: float
    since: int
    order: tuple[int, str, str]


def told(
    events: Sequence[Event],
    radius: float,
    within: Mapping[str, int],
    is_enough: Callable[[Mapping[str, int | None], int], bool],
    until: int,
) -> Told:
    """What is announced, in minutes.

    `is_enough` is asked with the best sign of each name (when last seen, None while it is an open
    alert) and the minute.
    """
    said: Told = []
    signs: list[Sign] = []
    places: list[Place] = []
    names = list(within)

    def counts(sign: Sign, minute: int) -> bool:
        return sign.open or minute < sign.at + within[sign.name]

    def enough(some: Sequence[Sign], minute: int) -> bool:
        best: dict[str, int | None] = {}
        for sign in some:
            if sign.open:
                best[sign.name] = None
            elif sign.name not in best or (
                best[sign.name] is not None and sign.at > (best[sign.name] or 0)
            ):
                best[sign.name] = sign.at
        return bool(best) and is_enough(best, minute)

    def near(one: float, other: float) -> bool:
        return abs(one - other) <= radius

    def close(place: Place, minute: int) -> list[float]:
        """Where the signs are that a place sets free, if it has not enough any more."""
        mine = [sign for sign in signs if sign.site is place]
        if enough([sign for sign in mine if counts(sign, minute)], minute):
            return []
        said.append(("cleared", place.key, minute, place.east))
        places.remove(place)
        for sign in mine:
            sign.site = None
        return [sign.east for sign in mine]

    def settle(minute: int, spots: list[float]) -> None:
        """What follows from a change at these spots."""
        while True:
            live = sorted(
                (sign for sign in signs if counts(sign, minute)),
                key=lambda sign: (sign.born, f"{sign.number} {sign.key}"),
            )
            for sign in live:
                around = [place for place in places if near(place.east, sign.east)]
                if sign.site is None and around:
                    sign.site = min(around, key=lambda place: place.order)
                    spots.append(sign.east)
            freed, changed = False, list(spots)  # what is set free joins before others are judged
            for place in sorted(places, key=lambda place: place.order):
                if any(near(place.east, spot) for spot in changed):
                    eased = close(place, minute)
                    spots += eased
                    freed = freed or bool(eased)
            if freed:
                continue
            begun = False
            for sign in live:
                if sign.site is not None:
                    continue
                around_it = [
                    other for other in live if other.site is None and near(other.east, sign.east)
                ]
                if enough(around_it, minute):
                    order = (minute, sign.key, f"{sign.name} {sign.born}")
                    place = Place(sign.key, sign.east, minute, order)
                    places.append(place)
                    for other in around_it:
                        other.site = place
                    said.append(("fired", place.key, minute, place.east))
                    begun = True
            if not begun:
                return

    for minute in range(until + 1):
        for at, key, name, east, what in events:
            if at != minute:
                continue
            spots = [east]
            found = next((s for s in signs if (s.name, s.key) == (name, key)), None)
            if found is not None and not counts(found, minute):
                signs.remove(found)
                spots.append(found.east)
                found = None
            if what == "cleared" and found is None:
                continue
            if found is not None and what != "cleared" and found.east != east:
                signs.remove(found)
                spots.append(found.east)
                found = None
            if found is None:
                found = Sign(name, key, east, minute, minute, names.index(name))
                signs.append(found)
            found.at, found.open = minute, what == "fired"
            settle(minute, spots)
        # What time alone does, one thing after the other: signs expire, then scores are too small.
        over = [sign for sign in signs if not counts(sign, minute)]
        for sign in sorted(over, key=lambda sign: f"{sign.number} {sign.key}"):
            signs.remove(sign)
            settle(minute, [sign.east])
        for key in sorted({place.key for place in places}):
            for place in [one for one in places if one.key == key]:
                if place in places:
                    settle(minute, close(place, minute))
    return said
