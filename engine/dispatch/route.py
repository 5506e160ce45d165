"""Which sinks must hear of a change: the route its rule names, from a severity up."""

from collections.abc import Iterable, Mapping

from engine.model.change import Change, Transition
from engine.ruleset.spec import RouteSpec, Severity, Status

DEFAULT = "default"
"""Route of the rules that name none."""

SENT = frozenset({Status.STABLE.value})
"""Only alerts of stable rules leave; those of draft and shadow rules are kept and not sent."""


def sinks_for(change: Change, routes: Mapping[str, RouteSpec]) -> tuple[str, ...]:
    """Names of the sinks that must hear of a change, each once, in declared order.

    A rule that names no route is sent by the route `default` where there is one, and so is an
    alert whose labels are not those of the route that its rule names. Every
    transition is judged by its own severity: an alert that climbs into a route's range is
    announced there by the transition that climbs, and its end by the severity it ended with.
    That the stream proved the matter over is evidence for the desk, and is sent to nobody.
    """
    if change.status not in SENT or change.transition is Transition.VERIFIED:
        return ()
    route = routes.get(change.dispatch or DEFAULT)
    if route is not None and not _wants(route, change):
        route = routes.get(DEFAULT)
        if route is not None and not _wants(route, change):
            return ()
    if route is None or Severity(change.severity).rank < route.min_severity.rank:
        return ()
    return tuple(dict.fromkeys(route.sinks))


def _wants(route: RouteSpec, change: Change) -> bool:
    """Whether an alert has all the labels that a route asks for."""
    return all(change.labels.get(name) == value for name, value in route.labels.items())


def unknown_sinks(
    routes: Iterable[RouteSpec], sinks: Iterable[str]
) -> tuple[tuple[RouteSpec, str], ...]:
    """Routes that name a sink which the settings do not declare, with that name."""
    declared = frozenset(sinks)
    return tuple((route, sink) for route in routes for sink in route.sinks if sink not in declared)
