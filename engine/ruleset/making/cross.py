"""`cross` made ready: the zones or lines of its layer, and where each feed says a key is."""

from operator import attrgetter
from typing import Any, cast

from engine.feeds.spec import FeedSpec
from engine.geo import geojson
from engine.geo.passing import Path
from engine.operators.cross import CrossLogic, Where
from engine.operators.cross_sides import Place
from engine.operators.specs.cross import CrossSpec
from engine.ruleset.making.base import Make, Making


def make(when: CrossSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    layer = at.project.zones[when.layer]
    places = [
        Place(zone.id, _record(zone), Path(geojson.rings_of(zone.shape)), zone.contains)
        for zone in layer
    ]
    places += [Place(line.id, _record(line), line.path, None) for line in layer.lines]
    where = {feed: _where(at.project.feeds[feed]) for feed in at.rule.feeds}
    only_while = at.maybe(when.only_while)
    return lambda host, emit, overflow, _owns: CrossLogic(
        when, places, where, only_while, at.names, at.judge(emit, overflow), host, at.codec
    )


def _where(spec: FeedSpec) -> Where:
    """How a feed's events say where they are."""
    if spec.position is None:
        message = f"feed '{spec.name}' has no position"
        raise ValueError(message)
    return cast("Where", attrgetter(spec.position.lon, spec.position.lat))


def _record(one: Any) -> dict[str, Any]:
    """A zone or line as a record of plain values, which the alert's state keeps."""
    plain = {
        name: value
        for name, value in one.attributes.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
    return {**plain, "id": one.id, "name": one.name}
