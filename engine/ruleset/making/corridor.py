"""`corridor` made ready: the routes of its layer, and where each feed says a key is."""

from operator import attrgetter
from typing import cast

from engine.feeds.spec import FeedSpec
from engine.geo.lines import Line
from engine.geo.routes import Route
from engine.operators.corridor import CorridorLogic, Where
from engine.operators.specs.corridor import CorridorSpec
from engine.ruleset.making.base import Make, Making

_KM = 1000.0


def make(when: CorridorSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    routes = {line.id: route_of(line, when.width_m) for line in at.project.zones[when.layer].lines}
    where = {feed: _where(at.project.feeds[feed]) for feed in at.rule.feeds}
    asked = at.function(when.route)
    scope = at.names if at.asks_more(when.route) else None
    return lambda host, emit, overflow, _owns: CorridorLogic(
        when, routes, asked, where, scope, at.judge(emit, overflow), host, at.codec
    )


def route_of(line: Line, width_m: float) -> Route:
    """A line as a route; its attribute `posts` gives the kilometres at which sections begin."""
    edges = line.path.edges
    posts = line.attributes.get("posts")
    given = (
        [one for one in posts if isinstance(one, int | float)] if isinstance(posts, list) else []
    )
    points = [edges[0][0], *(end for _, end in edges)]
    return Route(
        line.id,
        line.name,
        points,
        width_m,
        sorted({one * _KM for one in given if one >= 0}),
        line.attributes,
    )


def _where(spec: FeedSpec) -> Where:
    """How a feed's events say where they are."""
    if spec.position is None:
        message = f"feed '{spec.name}' has no position"
        raise ValueError(message)
    return cast("Where", attrgetter(spec.position.lon, spec.position.lat))
