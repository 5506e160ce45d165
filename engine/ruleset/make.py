"""How each operator is made for a rule: compiled once, ready for one partition after another."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, cast

from engine.alerts.context import Names
from engine.alerts.judge import RuleJudge, Words
from engine.decode.keys import joined_key
from engine.feeds.spec import FeedSpec
from engine.geo.distance import make_far
from engine.operators.base import EventCodec, Host, Logic
from engine.operators.deadline import DeadlineLogic, NeedTest, Parts
from engine.operators.dwell import DwellLogic, Glance, Place
from engine.operators.match import MatchLogic
from engine.ruleset.expr import Typed
from engine.ruleset.expr.compile import function as build
from engine.ruleset.spec import (
    DeadlineSpec,
    DwellSpec,
    EventTest,
    MatchSpec,
    Project,
    RuleSpec,
)

Function = Callable[[Any, Any], Any]
Owns = Callable[[str], bool]
"""Whether a key belongs to this partition; decides who starts the clock of a roster's key."""

Make = Callable[[Host, Callable[[Any], None], Callable[[str, int], None], Owns], Logic]
"""Makes a rule's operator for one partition: (host, emit, overflow, owns)."""


def maker(
    rule: RuleSpec,
    words: Words,
    project: Project,
    codec: EventCodec,
    function: Callable[[Typed], Function],
) -> Make:
    """The function that makes the rule's operator for one partition."""
    when, around = rule.when, words.surroundings

    def names(key: str, event: Any, at_ms: int) -> Names:
        return Names(around, key, event, at_ms)

    if isinstance(when, MatchSpec):
        condition = function(when.condition)
        extras = names if _asks_more(when.condition, rule, project) else None
        return lambda host, emit, overflow, _owns: MatchLogic(
            when, condition, extras, RuleJudge(words, emit, overflow), host, codec
        )
    if isinstance(when, DwellSpec):
        place = _place(when, project)
        stays = None if when.only_while is None else function(when.only_while)
        asks = when.only_while is not None and _asks_more(when.only_while, rule, project)
        glances = {feed: _glance(when, project.feeds[feed], stays) for feed in rule.feeds}
        return lambda host, emit, overflow, _owns: DwellLogic(
            when,
            place,
            glances,
            names if asks else None,
            RuleJudge(words, emit, overflow),
            host,
            codec,
        )
    return _deadline(rule, when, words, project, codec, function)


def _asks_more(typed: Typed, rule: RuleSpec, project: Project) -> bool:
    """Whether an expression reads more than the event's own fields and position."""
    fields = {name for feed in rule.feeds for name in project.feeds[feed].fields}
    return not set(typed.names) <= fields | {"position"}


def _deadline(
    rule: RuleSpec,
    when: DeadlineSpec,
    words: Words,
    project: Project,
    codec: EventCodec,
    function: Callable[[Typed], Function],
) -> Make:
    around = words.surroundings

    def maybe(typed: Typed | None) -> Function | None:
        return None if typed is None else function(typed)

    def scope(key: str, event: Any, at_ms: int, facts: Mapping[str, Any]) -> Names:
        names = Names(around, key, event, at_ms)
        names.update(facts)
        return names

    roles: dict[str, EventTest | None] = {
        "start": when.start,
        "while": when.while_,
        "pause": when.pause,
        "resume": when.resume,
        "cancel": when.cancel,
    }
    tests = {
        role: (test.feed, maybe(test.where)) for role, test in roles.items() if test is not None
    }
    needs = [
        NeedTest(
            need.test.feed,
            maybe(need.test.where),
            maybe(need.sum_of),
            maybe(need.reach),
            need.name,
        )
        for need in when.needs
    ]
    rows: list[tuple[str, int, Mapping[str, Any]]] = []
    if when.roster is not None:
        table = project.tables[when.roster.table]
        rows = [
            (joined_key(key), row[when.roster.start], row)
            for key in table.keys()  # noqa: SIM118 - a table is no dict
            for row in table.of_key(key)[-1:]
            if row.get(when.roster.start) is not None
        ]
    return lambda host, emit, overflow, owns: DeadlineLogic(
        when,
        Parts(needs, tests),
        rule.levels,
        project.calendars[when.calendar],
        [row for row in rows if owns(row[0])],
        scope,
        RuleJudge(words, emit, overflow),
        host,
        codec,
    )


def _place(when: DwellSpec, project: Project) -> Place:
    """Where a stay may be, compiled."""
    far = None if when.radius_m is None else make_far(when.radius_m)
    if not when.zones:
        return Place(far, None, None)
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
    body: list[ast.stmt] = []
    helpers: dict[str, object] = {}
    away = ast.Return(ast.Constant(None))
    if when.slower_than_mps is not None:
        speed = ast.Name("speed", ast.Load())
        read = ast.Attribute(event, when.speed_field, ast.Load())
        limit = ast.Constant(when.slower_than_mps / when.speed_scale)
        known = ast.Compare(speed, [ast.IsNot()], [ast.Constant(None)])
        fast = ast.Compare(speed, [ast.GtE()], [limit])
        body += [
            ast.Assign([ast.Name("speed", ast.Store())], read),
            ast.If(ast.BoolOp(ast.And(), [known, fast]), [away], []),
        ]
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
