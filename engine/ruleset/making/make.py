"""Which file makes which operator ready."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.feeds.spec import FeedSpec
from engine.operators.specs.base import OperatorSpec
from engine.operators.specs.change import ChangeSpec
from engine.operators.specs.cluster import ClusterSpec
from engine.operators.specs.correlate import CorrelatePlaceSpec, CorrelateSpec
from engine.operators.specs.corridor import CorridorSpec
from engine.operators.specs.cross import CrossSpec
from engine.operators.specs.deadline import DeadlineSpec
from engine.operators.specs.dwell import DwellSpec
from engine.operators.specs.match import MatchSpec
from engine.operators.specs.near import NearSpec
from engine.operators.specs.sequence import SequenceSpec
from engine.operators.specs.silence import FeedSilenceSpec, SilenceSpec
from engine.operators.specs.window import WindowSpec
from engine.ruleset.making import (
    change,
    cluster,
    correlate,
    correlate_places,
    corridor,
    cross,
    deadline,
    dwell,
    feed_silence,
    match,
    near,
    sequence,
    silence,
    window,
)
from engine.ruleset.making.base import Make, Making, Part
from engine.ruleset.spec import RuleSpec

MAKERS: Mapping[type[OperatorSpec], Callable[[Any, Making], Make]] = {
    MatchSpec: match.make,
    DwellSpec: dwell.make,
    ClusterSpec: cluster.make,
    CorrelateSpec: correlate.make,
    DeadlineSpec: deadline.make,
    CrossSpec: cross.make,
    ChangeSpec: change.make,
    WindowSpec: window.make,
    SequenceSpec: sequence.make,
    CorridorSpec: corridor.make,
    SilenceSpec: silence.make,
}

Splitter = Callable[[RuleSpec, Mapping[str, FeedSpec], int], Sequence[Part]]
"""Divides a rule into parts: of the rule, its feeds, and how many floors of rules lie below it."""

SPLITTERS: Mapping[type[OperatorSpec], Splitter] = {
    NearSpec: near.split,
    FeedSilenceSpec: feed_silence.split,
    CorrelatePlaceSpec: correlate_places.split,
}
"""Operators that work in several key spaces, one behind the other."""


def maker(at: Making) -> Make:
    """The function that makes the rule's operator for one partition."""
    return MAKERS[type(at.rule.when)](at.rule.when, at)
