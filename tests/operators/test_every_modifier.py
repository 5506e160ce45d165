"""Every operator with every modifier: each word around `when` takes effect, whatever it is."""

from collections.abc import Iterable, Sequence
from functools import cache

import orjson
import pytest
from law_stage import MIN, T0, project

from engine.dispatch.route import sinks_for
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import Program
from engine.ruleset.spec import RouteSpec
from engine.ruletest.bench import Bench, Played
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  car: text
  at: {type: time, format: epoch-ms}
  lon: number
  lat: number
  level: number
  kind: {type: text, values: ["on", "off", "done"]}
"""
YARD = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"id": "yard", "name": "Yard"}, "geometry": {"type": "Polygon",
 "coordinates": [[[120.92, 32.006], [120.94, 32.006], [120.94, 32.01], [120.92, 32.01],
 [120.92, 32.006]]]}}]}"""
WAY = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"id": "east"},
 "geometry": {"type": "LineString", "coordinates": [[120.9, 32.0], [120.97, 32.0]]}}]}"""
OPERATORS = {
    "match": "match: level > 5",
    "change": "change: {of: kind, to: 'on'}",
    "window": "window: {aggregate: max, of: level, over: 2m, every: 1m, above: 5}",
    "window-by-neighbours": "window: {aggregate: max, of: level, over: 2m, every: 1m, "
    "above: 5 + baseline, baseline: {neighbours: car, at_least: 1}}",
    "session": "window: {aggregate: max, of: level, gap: 3m, above: 5}",
    "dwell": "dwell: {radius: 100 meters, at_least: 2m, tolerate: {silent: 90s}}",
    "cross": "cross: {enters: yard}",
    "near": "near: {radius: 100 meters, at_least: 2m, count: 2}",
    "near-apart": "near: {radius: 500 meters, at_least: 2m, kinds: "
    "{guarded: {where: car != 'guard'}, guard: {}}, apart: {kind: guarded, from: guard}}",
    "corridor": "corridor: {routes: way, route: \"'east'\", off: {by: 300 meters, at_least: 2m}}",
    "silence": "silence: {at_least: 3m}",
    "deadline": "deadline: {start: {feed: readings, where: level > 5}, within: 3m, "
    "need: {feed: readings, where: kind == 'done'}, "
    "cancel: {feed: readings, where: kind == 'off'}}",
    "sequence": "sequence: {steps: [{feed: readings, where: level > 5}, "
    "{not: readings, where: kind == 'off', within: 3m}], again: at-once}",
    "correlate": "correlate: {signals: {a: {feed: readings, where: level > 5}, "
    "b: {feed: readings, where: kind == 'on'}}, within: 2m, at_least: 2}",
    "correlate-by-place": "correlate: {near: 100 meters, signals: "
    "{a: {feed: readings, where: level > 5}, b: {feed: readings, where: kind == 'on'}}, "
    "within: 2m, at_least: 2}",
    "silence-of-a-feed": "silence: {of: feed, at_least: 3m}",
    "cluster": "cluster: {at_least: 3, within: 4m}",
}
BY = {"window-by-neighbours": "group"}
WHERE = {"cluster": "level > 5"}
ENDS_ANYHOW = {"near", "near-apart"}
"""Operators whose alerts are over when what they are about is, whatever `clear` says."""

LONG = (4, 80)
"""Minutes from which to which the condition of the story is met; 09:00 is minute 0."""
END = 300
EAST, NORTH = 120.93, 32.008


def lines(operator: str, spans: Sequence[tuple[int, int]], cars: Iterable[str] = "a") -> list:
    """A record a minute of each car; in the spans what the operator looks for is the case."""
    found = []
    for car in cars:
        last = END if operator.startswith("silence") else max(end for _, end in spans) + 12
        for minute in range(last + 1):
            on = any(start <= minute < end for start, end in spans)
            if (operator.startswith("silence") and on) or (operator == "session" and not on):
                continue
            # the guard stands in the yard; an escort is lost when the key is there, away from it
            away = (120.9 + 0.0053 * (minute % 8), 32.0)
            lon, lat = (EAST, NORTH) if on else away
            if operator == "near-apart":
                lon, lat = (EAST, NORTH) if not on else away
            found.append((minute, car, lon, lat, on))
    if operator.startswith("near") or operator == "window-by-neighbours":
        last = max(minute for minute, *_ in found)
        found += [(minute, "guard", EAST, NORTH, False) for minute in range(last + 1)]
    return sorted(found)


def letters(rows: list) -> list[Letter]:
    made = []
    for minute, car, lon, lat, on in rows:
        at = T0 + minute * MIN
        event = {"car": car, "at": at, "lon": lon, "lat": lat, "group": "g"}
        event |= {"level": 9 if on else 1, "kind": "on" if on else "off"}
        made.append(Letter("readings", at, orjson.dumps(event)))
    return made


@cache
def program(operator: str, more: str = "", status: str = "stable") -> Program:
    by, where = BY.get(operator, "car"), WHERE.get(operator)
    words = f"by: {by}\nwhen:\n  {OPERATORS[operator]}\n{more}\n"
    if where:
        words += f"where: {where}\n"
    feed = FEED + ("  group: text\n" if by == "group" else "")
    return project(
        feed, {"concern": words}, **{"zones__yard.geojson": YARD, "zones__way.geojson": WAY},
        status=status,
    )  # fmt: skip


def play(made: Program, rows: list) -> Played:
    return Bench(made, T0 + END * MIN).play(Script(letters(rows), 25, frozenset()))


def times(changes: Sequence[Change], transition: str) -> list[int]:
    return [(one.at_ms - T0) // MIN for one in changes if one.transition == transition]


def run(operator: str, more: str = "", spans: Sequence[tuple[int, int]] = (LONG,)) -> Played:
    return play(program(operator, more), lines(operator, spans))


@cache
def plain(operator: str) -> tuple[int, int]:
    """When the alert of the long story fires and clears without any modifier."""
    changes = run(operator).changes
    (fired,), (cleared,) = times(changes, "fired"), times(changes, "cleared")
    assert LONG[0] <= fired <= LONG[0] + 5
    assert LONG[1] <= cleared <= LONG[1] + 5
    return fired, cleared


every = pytest.mark.parametrize("operator", OPERATORS)


@every
def test_it_fires_once_the_condition_held_for_so_long(operator: str) -> None:
    fired, cleared = plain(operator)
    changes = run(operator, "for: 10m").changes
    assert (times(changes, "fired"), times(changes, "cleared")) == ([fired + 10], [cleared])


@every
def test_an_exception_keeps_it_quiet(operator: str) -> None:
    assert run(operator, "except: hour(event_time) >= 9").changes == []


@every
def test_an_exception_that_does_not_hold_changes_nothing(operator: str) -> None:
    changes = run(operator, "except: hour(event_time) < 9").changes
    assert times(changes, "fired") == [plain(operator)[0]]


@every
def test_what_lasts_when_the_schedule_opens_fires_then(operator: str) -> None:
    changes = run(operator, 'schedule: {hours: "10:00-12:00"}').changes
    assert (times(changes, "fired"), times(changes, "cleared")) == ([60], [plain(operator)[1]])


@every
def test_what_is_over_when_the_schedule_opens_is_not_told(operator: str) -> None:
    assert run(operator, 'schedule: {hours: "11:00-12:00"}').changes == []


@every
def test_it_climbs_when_it_has_lasted(operator: str) -> None:
    level = "overdue" if operator == "deadline" else "at_least"
    changes = run(operator, f"levels: {{orange: {{{level}: 20m}}}}").changes
    raised = [one for one in changes if one.transition == "raised"]
    assert [one.severity for one in raised] == ["orange"]
    since = plain(operator)[0] if operator == "deadline" else (raised[0].since_ms - T0) // MIN
    assert times(changes, "raised") == [since + 20]


@every
def test_it_climbs_when_its_levels_condition_holds(operator: str) -> None:
    when = "hour(event_time) >= 10"
    changes = run(operator, f'levels: {{orange: {{when: "{when}"}}}}').changes
    raised = times(changes, "raised")
    # a condition is asked of events, and of what is silent there are none
    expected = [] if operator.startswith("silence") else [True]
    assert [60 <= at <= 62 for at in raised] == expected


@every
def test_clear_ends_it_before_its_condition_does(operator: str) -> None:
    fired, cleared = plain(operator)
    changes = run(operator, "clear: hour(event_time) >= 10").changes
    first = times(changes, "cleared")[0]
    assert fired < first <= cleared if operator.startswith("silence") else 60 <= first < cleared


@every
def test_clear_that_never_holds_keeps_it_open(operator: str) -> None:
    cleared = times(run(operator, "clear: hour(event_time) >= 20").changes, "cleared")
    assert cleared == ([plain(operator)[1]] if operator in ENDS_ANYHOW else [])


@every
def test_it_goes_on_for_a_while_after_its_reason_has_gone(operator: str) -> None:
    changes = run(operator, "keep_firing_for: 7m").changes
    assert times(changes, "cleared") == [plain(operator)[1] + 7]


AGAIN = ((4, 30), (42, 80))


@every
def test_after_an_end_there_is_a_pause(operator: str) -> None:
    two = run(operator, spans=AGAIN).changes
    assert len(times(two, "fired")) == 2
    changes = run(operator, "cooldown: 30m", AGAIN).changes
    ended = times(two, "cleared")[0]
    assert times(changes, "fired") == [times(two, "fired")[0], ended + 30]


@every
def test_one_that_comes_and_goes_is_held_open(operator: str) -> None:
    spans = ((4, 14), (26, 36), (46, 56))
    three = run(operator, spans=spans).changes
    changes = run(operator, "flapping: {times: 2, within: 2h, quiet: 40m}", spans).changes
    assert len(times(three, "fired")) == 3
    assert times(changes, "fired") == times(three, "fired")[:2]
    assert times(changes, "cleared") == [
        times(three, "cleared")[0], times(three, "cleared")[2] + 40,
    ]  # fmt: skip
    assert "comes and goes" in changes[2].summary["en"]


@every
def test_more_alerts_than_an_hour_may_have_are_kept_quiet_and_told(operator: str) -> None:
    spans = ((4, 14), (26, 36))
    played = run(operator, "limits: {alerts_per_hour: 1}", spans)
    assert len(times(played.changes, "fired")) == len(times(played.changes, "cleared")) == 1
    assert [one.kind for one in played.troubles] == ["too-many-alerts"]


@pytest.mark.parametrize(
    "operator",
    # a group of neighbours is one key, and so is a feed
    [one for one in OPERATORS if one not in {"window-by-neighbours", "silence-of-a-feed"}],
)
def test_a_key_too_many_is_not_looked_at_and_told(operator: str) -> None:
    played = play(program(operator, "limits: {keys: 1}"), lines(operator, [LONG], "abc"))
    known = {one.key for one in played.changes}
    assert len(known) == (0 if operator.startswith("near") or "place" in operator else 1)
    assert {one.kind for one in played.troubles} == {"too-many-keys"}


@every
def test_a_late_record_is_put_aside_if_the_rule_says_so(operator: str) -> None:
    rows = lines(operator, [LONG])
    late = next((row for row in rows if row[4]), rows[0])
    for then, count in (("side", 1), ("drop", 0)):
        made = program(operator, f"late: {{then: {then}}}")
        space = next(
            space for space in Engine(made).spaces.values() if "readings" in space.program.feeds
        )
        source = SourceId("readings")
        records = [Record(n, one.value) for n, one in enumerate(letters([*rows, late]))]
        space.ingest("log", source, records[:-1])
        space.advance()
        space.ingest("log", source, records[-1:])
        outcome = space.advance()
        assert (len(outcome.late), outcome.counts["late", "readings"]) == (count, 1)


@every
def test_a_rule_on_its_way_runs_and_sends_nothing(operator: str) -> None:
    route = {"default": RouteSpec("default", ("desk",))}
    for status, sinks in (("stable", ("desk",)), ("shadow", ()), ("draft", ())):
        changes = play(program(operator, status=status), lines(operator, [LONG])).changes
        assert len(changes) == 2
        assert {sinks_for(one, route) for one in changes} == {sinks}


@every
def test_a_retired_rule_does_nothing(operator: str) -> None:
    assert not program(operator, status="retired").rules
