"""`correlate` by place made ready: signals found where their events are, put together in one place.

gps, alerts --> [vehicle]   rule/signals   which events are signals, and where
| gps@rule, alerts@rule
v
[ground]    rule           what lies together; the alerts
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from engine.feeds.derived import derived_name
from engine.feeds.spec import FeedSpec
from engine.operators.correlate_places import PlacesLogic
from engine.operators.correlate_signals import SignalsLogic
from engine.operators.near_note import AT, HERE, KIND, WHO
from engine.operators.specs.correlate import CorrelatePlaceSpec
from engine.ruleset.making.base import Make, Making, Part
from engine.ruleset.making.correlate import tests_of
from engine.ruleset.making.near import derive, derived_rule
from engine.ruleset.spec import RuleSpec


def split(rule: RuleSpec, feeds: Mapping[str, FeedSpec], floor: int) -> tuple[Part, ...]:
    """The two parts of a rule; what reads alerts works above the parts that raise them."""
    ground = f"ground-over-{floor}" if floor else "ground"
    derived = {name: derived_name(name, rule.id) for name in rule.feeds}
    signals = replace(rule, id=f"{rule.id}/signals")
    places = derived_rule(rule, rule.id, ground, tuple(derived.values()), rule.when)
    reads = {
        derived[name]: replace(
            derive(feeds[name], derived[name]), id=(WHO, *feeds[name].id, HERE, KIND, AT)
        )
        for name in feeds
    }
    return (
        Part(signals, lambda at: _make_signals(at, (ground, derived, rule.id))),
        Part(places, lambda at: _make_places(at, rule.limits.keys), reads, signals.space),
    )


def _make_signals(at: Making, links: tuple[str, Mapping[str, str], str]) -> Make:
    """The part that finds signals."""
    tests = tests_of(cast("CorrelatePlaceSpec", at.rule.when), at)
    axes = {feed: _axes(at, feed) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: SignalsLogic(
        tests, axes, links, at.judge(emit, overflow), host, at.codec
    )


def _make_places(at: Making, most: int) -> Make:
    """The part that puts them together, and raises the alerts; `most` signals at a time."""
    when = cast("CorrelatePlaceSpec", at.rule.when)
    condition = at.maybe(when.condition)
    axes = {feed: _axes(at, feed) for feed in at.rule.feeds}
    return lambda host, emit, overflow, _owns: PlacesLogic(
        when, condition, at.rule.id, axes, at.judge(emit, overflow), host, at.codec, most
    )


def _axes(at: Making, feed: str) -> tuple[str, str]:
    position = at.project.feeds[feed].position
    assert position is not None  # noqa: S101 - checked when the rule was loaded
    return position.lon, position.lat
