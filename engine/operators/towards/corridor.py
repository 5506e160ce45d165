"""How far a key is from breaking its route: how long off, how far back, how slow or fast."""

from engine.geo.routes import Route
from engine.model.progress import Progress, Step
from engine.operators.corridor import CorridorLogic, Trip
from engine.operators.specs.corridor import Watched
from engine.operators.towards.base import Sight, tried

_KMH = 3.6


def corridor(logic: CorridorLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """The key's trip on the route that it should be on."""
    trip, steps = logic.keys.get(key), list[Step]()
    if sight.event is not None:
        scope = None if logic.scope is None else logic.scope(key, sight.event, at_ms)
        name = logic.route_of(sight.event, scope)
        known = name is not None and name in logic.routes
        steps.append(Step("corridor-route", known, found={"route": "—" if name is None else name}))
        if not known:
            return [tried(logic.life, key, "", at_ms, steps)]
    if trip is None:
        name = "corridor-on" if logic.spec.watched is Watched.OFF else "corridor-trip"
        return [tried(logic.life, key, "", at_ms, [*steps, Step(name, met=False)])]
    if not steps:
        steps.append(Step("corridor-route", met=True, found={"route": trip.route}))
    told = {Watched.OFF: _off, Watched.BACK: _back, Watched.SECTION: _section}
    steps += told[logic.spec.watched](logic, trip, logic.routes[trip.route], at_ms)
    return [tried(logic.life, key, "", at_ms, steps)]


def _off(logic: CorridorLogic, trip: Trip, route: Route, at_ms: int) -> list[Step]:
    spec = logic.spec
    steps = [Step("corridor-off", met=True, at_ms=trip.since)]
    if trip.event is not None and trip.feed:
        lon, lat = logic.where[trip.feed](trip.event)
        if lon is not None and lat is not None:
            away = round(route.away(lon, lat), 1)
            steps.append(Step("corridor-away", away > spec.width_m, away, spec.width_m, "m"))
    age = at_ms - trip.at
    steps.append(Step("corridor-signal", age <= spec.silent_ms, age, spec.silent_ms, "ms", trip.at))
    held, need = (min(at_ms, trip.at + spec.silent_ms) - trip.since), spec.at_least_ms
    met = trip.holds or held >= need
    return [*steps, Step("corridor-held", met, need if met else held, need, "ms")]


def _back(logic: CorridorLogic, trip: Trip, _route: Route, _at_ms: int) -> list[Step]:
    by = logic.spec.by_m
    found = {"progress_m": trip.progress}
    if trip.holds:
        return [Step("corridor-back", True, by, by, "m", trip.since, found)]
    behind = max(0.0, trip.mark - trip.progress)
    return [Step("corridor-back", behind > by, round(behind, 1), by, "m", trip.since, found)]


def _section(logic: CorridorLogic, trip: Trip, route: Route, at_ms: int) -> list[Step]:
    spec = logic.spec
    if not 0 <= trip.post < len(route.posts) - 1:
        return [Step("corridor-section", met=False)]
    length = route.posts[trip.post + 1] - route.posts[trip.post]
    found = {"post": trip.post + 1, "length_m": length}
    steps = [Step("corridor-section", True, at_ms=trip.since, found=found)]
    passed = at_ms - trip.since
    if spec.slower_mps:
        need = round(length * 1000.0 / spec.slower_mps)
        met = trip.holds or passed > need
        steps.append(Step("corridor-slow", met, min(passed, need), need, "ms"))
    if spec.faster_mps:
        driven = trip.progress - route.posts[trip.post]
        mean = driven * 1000.0 / max(trip.at - trip.since, 1)
        have, need_kmh = round(mean * _KMH, 1), round(spec.faster_mps * _KMH, 1)
        steps.append(Step("corridor-fast", mean > spec.faster_mps, have, need_kmh, "km/h"))
    return steps
