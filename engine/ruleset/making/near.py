"""`near` made ready: three parts in three key spaces, and the derived feeds between them.

    vehicle-gps --> [vehicle]       rule/keys    where each key is
                      | vehicle-gps@rule/cells
                      v
                    [place-2048m]   rule/cells   who is in company there
                      | vehicle-gps@rule
                      v
                    [ground]        rule         what has lasted; the alerts

The first two carry the load and spread it, by key and by cell; the last sees only keys in company.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from engine.feeds.derived import derived_name
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, HygieneSpec, PositionSpec, TimeSpec
from engine.geo.places import Places, step_for
from engine.operators.near import NearLogic
from engine.operators.near_apart import ApartLogic
from engine.operators.near_cells import CellsLogic
from engine.operators.near_note import AT, CELL, HERE, KIND, WHO
from engine.operators.scatter import ScatterLogic, Sight
from engine.operators.specs.base import OperatorSpec, mark_of
from engine.operators.specs.near import NearPart, NearSpec
from engine.ruleset.expr.compile import function as build
from engine.ruleset.making.base import Function, Make, Making, Part
from engine.ruleset.making.speeds import away_when_fast
from engine.ruleset.spec import Limits, RuleSpec

_TEXT, _INTEGER, _TIME = FieldType.TEXT, FieldType.INTEGER, FieldType.TIME
_NOTE = (
    FieldSpec(CELL, _TEXT),
    FieldSpec(WHO, _TEXT),
    FieldSpec(HERE, _INTEGER),
    FieldSpec(AT, _TIME, format="epoch-ms"),
    FieldSpec(KIND, _INTEGER),
)


@dataclass(frozen=True, slots=True)
class _Links:
    """The names between the parts: key spaces, and for each feed what it is called there."""

    cells: str
    ground: str
    to_cells: Mapping[str, str]
    to_ground: Mapping[str, str]


def places_of(when: NearSpec) -> Places:
    """The cells of a rule. Who is at home in one must know everybody within two radii of it."""
    reach = 2.0 * when.radius_m
    return Places(float(step_for(reach)), reach)


def split(rule: RuleSpec, feeds: Mapping[str, FeedSpec], floor: int) -> tuple[Part, ...]:
    """The parts of a rule; what reads alerts works above the parts that raise them."""
    when = rule.when
    assert isinstance(when, NearSpec)  # noqa: S101 - chosen by its type
    places = places_of(when)
    above = f"-over-{floor}" if floor else ""
    links = _Links(
        f"place-{int(places.size_m)}m{above}",
        f"ground{above}",
        {name: derived_name(name, f"{rule.id}/cells") for name in rule.feeds},
        {
            derived_name(name, f"{rule.id}/cells"): derived_name(name, rule.id)
            for name in rule.feeds
        },
    )
    times = frozenset(feeds[name].time.field for name in rule.feeds)
    part = NearPart(when, times)
    keys = replace(rule, id=f"{rule.id}/keys", when=part)
    cells = derived_rule(
        rule, f"{rule.id}/cells", links.cells, tuple(links.to_cells.values()), part
    )
    ground = derived_rule(rule, rule.id, links.ground, tuple(links.to_ground.values()), part)
    to_cells = {links.to_cells[name]: derive(feeds[name], links.to_cells[name]) for name in feeds}
    to_ground = {
        links.to_ground[name]: replace(spec, name=links.to_ground[name])
        for name, spec in to_cells.items()
    }
    return (
        Part(keys, lambda at: _make_keys(at, places, links)),
        Part(cells, lambda at: _make_cells(at, places, links), to_cells, keys.space),
        Part(ground, _make_ground, to_ground, links.cells),
    )


def derived_rule(
    rule: RuleSpec, name: str, space: str, feeds: tuple[str, ...], part: OperatorSpec
) -> RuleSpec:
    """The rule as it stands in a key space that reads notes."""
    return replace(
        rule,
        id=name,
        space=space,
        feeds=feeds,
        by=dict.fromkeys(feeds, (CELL,)),
        where={},
        when=part,
        late="drop",
        late_allow_ms=0,
        limits=Limits(0, rule.limits.alerts_per_hour, rule.limits.overflow),
    )


def derive(feed: FeedSpec, name: str) -> FeedSpec:
    """The feed of notes about a feed's events: its fields as they were decoded, and the note's."""
    position = feed.position
    assert position is not None  # noqa: S101 - checked when the rule was loaded
    fields = {one.name: _decoded(one) for one in feed.fields.values()}
    for axis in (position.lon, position.lat):
        fields.setdefault(axis, FieldSpec(axis, FieldType.NUMBER, optional=True))
    fields.setdefault(
        feed.time.field, FieldSpec(feed.time.field, _TIME, format="epoch-ms", optional=True)
    )
    for key in (*feed.key, *feed.id):
        fields.setdefault(key, FieldSpec(key, _TEXT, optional=True))
    return replace(
        feed,
        name=name,
        topic="",
        format="json",
        key=(CELL,),
        id=(WHO, HERE, AT),
        time=TimeSpec(AT, "epoch-ms"),
        fields={**fields, **{one.name: one for one in _NOTE}},
        lateness_ms=0,
        position=PositionSpec(position.lon, position.lat, "wgs84"),
        hygiene=HygieneSpec(),
    )


def _decoded(field: FieldSpec) -> FieldSpec:
    """A field as its decoded value is written: checked already, times in UTC milliseconds."""
    kind = _TEXT if field.type is FieldType.PLATE else field.type
    time = {"format": "epoch-ms"} if kind is _TIME else {}
    free = {"low": None, "high": None, "values": (), "optional": True}
    return replace(field, type=kind, **free, **time)  # type: ignore[arg-type]


def _make_keys(at: Making, places: Places, links: _Links) -> Make:
    """The part that knows where each key is."""
    when = cast("NearPart", at.rule.when).near
    asked = [*when.expressions("")]
    asks = any(at.asks_more(typed) for typed in asked)
    sights = {feed: _sight(when, at, feed) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: ScatterLogic(
        places,
        sights,
        at.names if asks else None,
        when.silent_ms,
        (links.cells, links.to_cells),
        at.judge(emit, overflow),
        host,
        at.codec,
        mark_of(when),
    )


def _make_cells(at: Making, places: Places, links: _Links) -> Make:
    """The part that knows who is in company in each cell."""
    when = cast("NearPart", at.rule.when).near
    rule = at.rule.id.removesuffix("/cells")
    axes = {feed: _axes(at, feed) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: CellsLogic(
        when,
        places,
        axes,
        (links.ground, links.to_ground, rule),
        at.judge(emit, overflow),
        host,
        at.codec,
    )


def _make_ground(at: Making) -> Make:
    """The part that knows what has lasted, and raises the alerts."""
    part = cast("NearPart", at.rule.when)
    logic = NearLogic if part.near.apart is None else ApartLogic
    times = {feed: _time(at, feed, part) for feed in at.rule.feeds}
    axes = {feed: (*_axes(at, feed), times[feed]) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: logic(
        part.near, at.rule.id, axes, at.judge(emit, overflow), host, at.codec
    )


def _axes(at: Making, feed: str) -> tuple[str, str]:
    position = at.project.feeds[feed].position
    assert position is not None  # noqa: S101 - checked when the rule was loaded
    return position.lon, position.lat


def _time(at: Making, feed: str, part: NearPart) -> str:
    """The field with the event's own time, which a note's may be later than."""
    fields = at.project.feeds[feed].fields
    return next(name for name in sorted(part.times) if name in fields)


def _sight(when: NearSpec, at: Making, feed: str) -> Sight:
    """One function that looks at a fix: too fast, `while` not true, of no kind, or where it is.

    It is the first thing that happens to every fix of the feed, so it is generated with its
    fields written out, and asks the cheapest question first.
    """
    event = ast.Name("e", ast.Load())
    body = away_when_fast(when)
    helpers: dict[str, object] = {}
    away = ast.Return(ast.Constant(None))

    def asks(name: str, function: Function) -> ast.expr:
        helpers[name] = function
        call = ast.Call(ast.Name(name, ast.Load()), [event, ast.Name("x", ast.Load())], [])
        return ast.Compare(call, [ast.Is()], [ast.Constant(value=True)])

    if when.only_while is not None:
        true = asks("while_", at.function(when.only_while))
        body.append(ast.If(ast.UnaryOp(ast.Not(), true), [away], []))
    axes = [ast.Attribute(event, name, ast.Load()) for name in _axes(at, feed)]

    def found(kind: int) -> ast.stmt:
        return ast.Return(ast.Tuple([*axes, ast.Constant(kind)], ast.Load()))

    for number, kind in enumerate(when.kinds):
        if kind.where is None:
            body.append(found(number))
            break
        body.append(ast.If(asks(f"kind_{number}", at.function(kind.where)), [found(number)], []))
    else:
        body.append(away if when.kinds else found(0))
    return cast("Sight", build("sight", ("e", "x"), body, helpers))
