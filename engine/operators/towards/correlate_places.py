"""How far signals near a key's own are: which of them count, how far apart, how many are needed."""

import math
from collections.abc import Collection, Iterable, Iterator

from engine.geo.distance import distance_m
from engine.model.progress import Progress, Step
from engine.operators.correlate_places import PlacesLogic, Seen, Site, subject
from engine.operators.towards.base import Sight, alert_steps

_NEAR = 10
"""A signal that is missing is told of if there is one within so many radii."""
_LISTED = 10
"""So many signals of a place are told, the nearest."""

Spot = tuple[float, float]


def at_places(logic: PlacesLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """The places that alerts about the key are about; else those of its own signals."""
    mine = [site for site in logic.sites.values() if site.ref[0] == key]
    if not mine:
        signals = [one for one in logic.keys.values() if _is_about(logic, one, key)]
        counting = [one for one in signals if logic.counts(one, at_ms)]
        refs = dict.fromkeys(one.site for one in counting if one.site is not None)
        mine = [logic.sites[ref] for ref in refs if ref in logic.sites]
        free = [one for one in counting if one.site is None]
        if free or not mine:
            return [*_of_sites(logic, mine, at_ms), *_of_free(logic, free, at_ms)]
    return _of_sites(logic, mine, at_ms)


def _of_sites(logic: PlacesLogic, sites: Iterable[Site], at_ms: int) -> list[Progress]:
    """Sites, the oldest first, each with what lies there and the life of its alert."""
    found = []
    for site in sorted(sites, key=lambda one: one.rank):
        steps = _steps(logic, (site.lon, site.lat), logic.members(site, at_ms), at_ms)
        told = alert_steps(logic.life, *site.ref, at_ms)
        found.append(Progress(site.ref[1], (*steps, *told)))
    return found


def _of_free(logic: PlacesLogic, free: Iterable[Seen], at_ms: int) -> list[Progress]:
    """Signals that belong to no site: what would lie around each if it were the anchor of one."""
    found = []
    for seen in sorted(free, key=lambda one: one.rank):
        around = [one for one in logic.spots.within(seen.lon, seen.lat) if one.site is None]
        signs = sorted(
            (one for one in around if logic.counts(one, at_ms)),
            key=lambda one: (one.number, one.rank),
        )
        found.append(Progress(seen.id, _steps(logic, (seen.lon, seen.lat), signs, at_ms)))
    return found or [Progress("", _steps(logic, None, [], at_ms))]


def _is_about(logic: PlacesLogic, seen: Seen, key: str) -> bool:
    return subject(seen, logic.spec) == key


def _steps(
    logic: PlacesLogic, anchor: Spot | None, signs: list[Seen], at_ms: int
) -> tuple[Step, ...]:
    """The anchor, the signals within the radius of it, and what they are worth together."""
    spec, worth = logic.spec, logic.worth
    rules, steps = spec.signals, list[Step]()
    if anchor is not None:
        around = {"radius_m": spec.radius_m, "lon": anchor[0], "lat": anchor[1]}
        steps.append(Step("correlate-place", met=True, found=around))
        apart = {one.id: distance_m(*anchor, one.lon, one.lat) for one in signs}
        for one in sorted(signs, key=lambda one: (apart[one.id], one.rank))[:_LISTED]:
            found = {
                "signal": rules[one.number].name,
                "who": subject(one, spec),
                "apart_m": round(apart[one.id]),
                "until_at": one.at + rules[one.number].within_ms,
                "worth": round(worth.of(one, at_ms), 4),
            }
            name = "correlate-open-there" if one.open else "correlate-there"
            steps.append(Step(name, met=True, at_ms=one.at, found=found))
    numbers = {one.number for one in signs}
    present = ", ".join(rules[number].name for number in sorted(numbers)) or "—"
    missing = ", ".join(one.name for number, one in enumerate(rules) if number not in numbers)
    said, met = {"present": present, "missing": missing or "—"}, worth.is_enough(signs, at_ms)
    if spec.condition is not None:
        said["text"] = spec.condition.text
        steps.append(Step("correlate-condition", met, found=said))
    elif spec.at_least:
        steps.append(Step("correlate-count", met, len(numbers), spec.at_least, found=said))
    else:
        score = round(worth.score(signs, at_ms), 4)
        steps.append(Step("correlate-score", met, score, spec.reach, found=said))
    if anchor is not None and not met:
        steps += _too_far(logic, anchor, numbers, at_ms)
    return tuple(steps)


def _too_far(
    logic: PlacesLogic, anchor: Spot, present: Collection[int], at_ms: int
) -> Iterator[Step]:
    """Of each signal that is missing the nearest there is, if one is near the place at all."""
    spec = logic.spec
    nearest: dict[int, tuple[float, Seen]] = {}
    for one in logic.keys.values():
        if one.number in present or not logic.counts(one, at_ms):
            continue
        apart = distance_m(*anchor, one.lon, one.lat)
        if apart <= _NEAR * spec.radius_m and apart < nearest.get(one.number, (math.inf,))[0]:
            nearest[one.number] = apart, one
    for number, (apart, one) in sorted(nearest.items()):
        found = {"signal": spec.signals[number].name, "who": subject(one, spec)}
        name = "correlate-too-far" if apart > spec.radius_m else "correlate-elsewhere"
        yield Step(name, None, round(apart), spec.radius_m, "m", one.at, found)
