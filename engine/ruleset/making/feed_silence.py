"""`silence` of a whole feed made ready: pulses where its events are, and one place that listens.

vehicle-gps --> [vehicle]   rule/pulse   spans in which it was heard
| vehicle-gps@rule, under the name of the feed
v
[ground]    rule         how long it has been silent; the alert
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from engine.feeds.derived import derived_name
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, HygieneSpec, TimeSpec
from engine.operators.near_note import AT, CELL
from engine.operators.pulse import PulseLogic
from engine.operators.specs.silence import FeedSilenceSpec
from engine.ruleset.making import silence
from engine.ruleset.making.base import Make, Making, Part
from engine.ruleset.making.near import derived_rule
from engine.ruleset.spec import Limits, RuleSpec

_TEXT, _TIME = FieldType.TEXT, FieldType.TIME


def split(rule: RuleSpec, feeds: Mapping[str, FeedSpec], floor: int) -> tuple[Part, ...]:
    """The two parts of a rule; what reads alerts works above the parts that raise them."""
    ground = f"ground-over-{floor}" if floor else "ground"
    derived = {name: derived_name(name, rule.id) for name in rule.feeds}
    pulses = replace(rule, id=f"{rule.id}/pulse", limits=Limits())
    listens = derived_rule(rule, rule.id, ground, tuple(derived.values()), rule.when)
    reads = {derived[name]: _derive(feeds[name], derived[name]) for name in feeds}
    return (
        Part(pulses, lambda at: _make_pulses(at, ground, derived)),
        Part(listens, lambda at: silence.make(cast("FeedSilenceSpec", at.rule.when), at), reads,
             pulses.space),
    )  # fmt: skip


def _make_pulses(at: Making, ground: str, derived: Mapping[str, str]) -> Make:
    when = cast("FeedSilenceSpec", at.rule.when)
    return lambda host, emit, overflow, _owns: PulseLogic(
        when.step_ms, (ground, derived), at.judge(emit, overflow), host, at.codec
    )


def _derive(feed: FeedSpec, name: str) -> FeedSpec:
    """The feed of pulses: a feed's name and a time; the feed's own fields are always null."""
    free = {"type": _TEXT, "low": None, "high": None, "values": (), "optional": True, "unit": None}
    fields = {one.name: replace(one, **free) for one in feed.fields.values()}  # type: ignore[arg-type]
    return replace(
        feed,
        name=name,
        topic="",
        format="json",
        key=(CELL,),
        id=(CELL, AT),
        time=TimeSpec(AT, "epoch-ms", feed.time.zone),
        fields={
            **fields,
            CELL: FieldSpec(CELL, _TEXT),
            AT: FieldSpec(AT, _TIME, format="epoch-ms"),
        },
        lateness_ms=0,
        position=None,
        hygiene=HygieneSpec(),
    )
