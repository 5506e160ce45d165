"""`dwell` made ready: the place a stay may be in, and one function that looks at a fix."""

import ast
from typing import cast

from engine.feeds.spec import FeedSpec
from engine.geo.distance import make_far, near_side
from engine.operators.dwell import DwellLogic, Glance, Place
from engine.operators.specs.dwell import DwellSpec
from engine.ruleset.expr.compile import function as build
from engine.ruleset.making.base import Function, Make, Making
from engine.ruleset.making.speeds import away_when_fast
from engine.ruleset.spec import Project


def make(when: DwellSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    place = _place(when, at.project)
    stays = at.maybe(when.only_while)
    asks = when.only_while is not None and at.asks_more(when.only_while)
    glances = {feed: _glance(when, at.project.feeds[feed], stays) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: DwellLogic(
        when,
        place,
        glances,
        at.names if asks else None,
        at.judge(emit, overflow),
        host,
        at.codec,
    )


def _place(when: DwellSpec, project: Project) -> Place:
    """Where a stay may be, compiled."""
    far = None if when.radius_m is None else make_far(when.radius_m)
    if not when.zones:
        return Place(far, None, None, 0.0 if when.radius_m is None else near_side(when.radius_m))
    layer = project.zones[when.zones]

    def zone_at(lon: float, lat: float) -> str | None:
        zone = layer.at(lon, lat)
        return None if zone is None else zone.id

    return Place(far, zone_at, lambda zone, lon, lat: layer.zone(zone).contains(lon, lat))


def _glance(when: DwellSpec, spec: FeedSpec, stays: Function | None) -> Glance:
    """One function that looks at a fix: too fast, `while` not true, or where it is.

    It is the first thing that happens to every fix of the feed, so it is generated with its
    fields written out, and asks the cheapest question first.
    """
    if spec.position is None:
        message = f"feed '{spec.name}' has no position"
        raise ValueError(message)
    event = ast.Name("e", ast.Load())
    body = away_when_fast(when)
    helpers: dict[str, object] = {}
    away = ast.Return(ast.Constant(None))
    if stays is not None:
        helpers["stays"] = stays
        asked = ast.Call(ast.Name("stays", ast.Load()), [event, ast.Name("x", ast.Load())], [])
        untrue = ast.Compare(asked, [ast.IsNot()], [ast.Constant(value=True)])
        body.append(ast.If(untrue, [away], []))
    axes = [
        ast.Attribute(event, name, ast.Load()) for name in (spec.position.lon, spec.position.lat)
    ]
    body.append(ast.Return(ast.Tuple(list(axes), ast.Load())))
    return cast("Glance", build("glance", ("e", "x"), body, helpers))
