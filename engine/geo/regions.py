"""Administrative regions one in the other: city, county, town; which hold a position.

A layer of regions may be flat (zones that say `county` and `town` themselves) or in levels: each
zone says its `level` and, below the city, the id of the zone it belongs to as `parent`.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, final

from engine.errors import Level, Location, Problem
from engine.geo.zones import Zone, ZoneSet

LEVELS = ("city", "county", "town")
"""From the widest to the narrowest."""

_MOST_OUTSIDE = 0.5


@final
class Regions:
    """What `region` says about a position.

    Of several zones that hold it the narrowest counts, and of those the one with the smallest id;
    the wider regions are those it belongs to by `parent`, and where it names none, those that hold
    the position too.
    """

    def __init__(self, layer: ZoneSet) -> None:
        self._layer = layer
        self._records: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def at(self, lon: float, lat: float) -> Mapping[str, Any] | None:
        """The region of a position (WGS-84 degrees), or None outside all of them."""
        holding = self._layer.all_at(lon, lat)
        if not holding:
            return None
        key = tuple(zone.id for zone in holding)
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = self._record(holding)
        return record

    def _record(self, holding: Sequence[Zone]) -> Mapping[str, Any]:
        """The narrowest of some zones with all that it lies in."""
        inner = max(holding, key=_narrow)
        around: dict[str, Zone] = {}
        for zone in (*self._chain(inner), *holding):
            level = _level(zone)
            if level in LEVELS and _narrow(zone) <= _narrow(inner):
                around.setdefault(level, zone)
        record: dict[str, Any] = {}
        for level, zone in around.items():
            record[level] = zone.name
            record[f"{level}_code"] = _code(zone)
        record["code"] = _code(inner)
        return {**record, **inner.attributes, "id": inner.id, "name": inner.name}

    def _chain(self, zone: Zone) -> list[Zone]:
        """A zone and those it belongs to, from the narrowest to the widest."""
        found: list[Zone] = []
        one: Zone | None = zone
        while one is not None and one not in found:
            found.append(one)
            one = self._layer.get(str(one.attributes.get("parent", "")))
        return found


def region_problems(layer: ZoneSet, file: str) -> list[Problem]:
    """What is wrong with the levels and parents of a layer of regions (R640 to R642, W272)."""
    import shapely  # noqa: PLC0415 - see zones.py

    found: list[Problem] = []
    at = Location(file)
    for zone in layer:
        level, parent = zone.attributes.get("level"), zone.attributes.get("parent")
        if level is not None and level not in LEVELS:
            said = {"zone": zone.id, "level": level, "levels": ", ".join(LEVELS)}
            found.append(Problem(at, "R640", said, _nearest(level, LEVELS)))
            continue
        if parent is None:
            continue
        above = layer.get(str(parent))
        if above is None:
            said = {"zone": zone.id, "parent": parent}
            found.append(Problem(at, "R641", said, _nearest(parent, layer.ids)))
        elif _narrow(above) >= _narrow(zone):
            said = {"zone": zone.id, "parent": above.id, "levels": " > ".join(LEVELS)}
            found.append(Problem(at, "R642", said))
        elif shapely.area(shapely.difference(zone.shape, above.shape)) > _MOST_OUTSIDE * (
            shapely.area(zone.shape)
        ):
            said = {"zone": zone.id, "parent": above.id}
            found.append(Problem(at, "W272", said, level=Level.WARNING))
    return found


def _nearest(name: object, names: Iterable[str]) -> str:
    """The name most like a given one, or nothing."""
    close = get_close_matches(str(name), list(names), n=1)
    return close[0] if close else ""


def _level(zone: Zone) -> str:
    """The level a zone says it has; empty for none."""
    return str(zone.attributes.get("level", ""))


def _narrow(zone: Zone) -> int:
    """How narrow a region is; one without a level is narrower than all that have one."""
    level = _level(zone)
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _code(zone: Zone) -> str:
    """The administrative code of a region: its `code`, else its id."""
    return str(zone.attributes.get("code") or zone.id)
