"""How far a stay is: where, how long of how long, and what is about to break it."""

from engine.geo.distance import distance_m
from engine.model.progress import Progress, Step
from engine.operators.dwell import DwellLogic, Stay
from engine.operators.towards.base import Sight, tried

_KMH = 3.6


def dwell(logic: DwellLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """The key's stay, if it has one."""
    spec, stay = logic.spec, logic.keys.get(key)
    need = spec.at_least_ms
    if stay is None:
        steps = [Step("dwell-stay", met=False), Step("dwell-held", False, 0, need, "ms")]
        return [tried(logic.life, key, "", at_ms, steps)]
    anchor = stay.fixes[0]
    where = {"lon": anchor[1], "lat": anchor[2], "zone": stay.zone}
    began = Step("dwell-zone" if stay.zone else "dwell-stay", True, at_ms=stay.begin, found=where)
    steps = [began]
    silent = spec.silent_ms
    present = silent is None or at_ms - stay.last <= silent
    if silent is not None:
        age = at_ms - stay.last
        found = {"last_at": stay.last}
        steps.append(Step("dwell-signal", present, age, silent, "ms", found=found))
    if stay.out is not None:
        out = at_ms - stay.out
        name = "dwell-outside-zone" if stay.zone else "dwell-outside"
        found = {"zone": stay.zone}
        met = out < spec.outside_ms
        steps.append(Step(name, met, out, spec.outside_ms, "ms", stay.out, found))
    steps += _seen(logic, key, stay, at_ms, sight)
    held = need if stay.held else _held(stay.begin, stay.last, stay.out, at_ms, silent)
    steps.append(Step("dwell-held", held >= need, min(held, need), need, "ms"))
    return [tried(logic.life, key, "", at_ms, steps)]


def _seen(logic: DwellLogic, key: str, stay: Stay, at_ms: int, sight: Sight) -> list[Step]:
    """What the fix at hand does to the stay, if it is about to end it."""
    if sight.event is None:
        return []
    spec, event = logic.spec, sight.event
    names = None if logic.extras is None else logic.extras(key, event, at_ms)
    seen = logic.glances[sight.feed](event, names)
    if seen is None:
        speed = getattr(event, spec.speed_field) if spec.speed_field else None
        limit = spec.slower_than_mps
        if limit is None or speed is None or speed * spec.speed_scale < limit:
            return [Step("dwell-while", met=False)]
        kmh = round(speed * spec.speed_scale * _KMH, 1)
        return [Step("dwell-fast", False, kmh, round(limit * _KMH, 1), "km/h")]
    lon, lat = seen
    anchor, radius = stay.fixes[0], spec.radius_m
    if lon is None or lat is None or radius is None:
        return []
    away = distance_m(anchor[1], anchor[2], lon, lat)
    if away <= radius:
        return []
    return [Step("dwell-away", False, round(away), radius, "m")]


def _held(begin: int, last: int, out: int | None, at_ms: int, silent: int | None) -> int:
    """How long the stay is proved, or may be presumed, to have lasted."""
    if out is not None:
        return out - begin
    return (last if silent is None else min(at_ms, last + silent)) - begin
