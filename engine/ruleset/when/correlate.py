"""`correlate` as declared: signals of several feeds and rules that point to one risk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from engine.feeds.alerts import ALERTS
from engine.operators.specs.base import Path
from engine.operators.specs.correlate import CorrelatePlaceSpec, CorrelateSpec, Signal
from engine.ruleset.expr import Typed
from engine.ruleset.expr.types import BOOL, TEXT, Scope, Type
from engine.ruleset.known import Known
from engine.ruleset.quantities import Distance, Duration
from engine.ruleset.schema_types import Expression, Identifier, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import Doubt, EventModel, Loading, OperatorModel, exactly_one
from engine.ruleset.when.near import WIDEST_M

_PATH = ("when", "correlate")
_WAYS = ("at_least", "condition", "score")
_MOST = 50


class SignalModel(Strict):
    """An event of a feed, or an alert of a rule, that points to the risk."""

    feed: Text | None = None
    rule: Text | None = None
    where: Expression | None = None
    weight: Annotated[float, Field(gt=0, le=1e6, strict=False)] = 1.0
    within: Duration | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one({"feed": self.feed, "rule": self.rule}, "feed", "rule")
        return self


class ScoreModel(Strict):
    """A sum of weights that must be reached; weights may fade."""

    reach: Annotated[float, Field(gt=0, le=1e9, strict=False)]
    half_life: Duration | None = None


class CorrelateModel(OperatorModel):
    """`correlate`: several signals about one key point to the same risk."""

    names_feeds: ClassVar[bool] = True

    signals: Annotated[dict[Identifier, SignalModel], Field(min_length=1, max_length=_MOST)]
    within: Duration
    near: Distance | None = None
    at_least: Annotated[int | None, Field(ge=1, le=_MOST)] = None
    condition: Expression | None = None
    score: ScoreModel | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one({name: getattr(self, name) for name in _WAYS}, *_WAYS)
        if self.at_least is not None and self.at_least > len(self.signals):
            refuse("R603", count=self.at_least, signals=len(self.signals), at="at_least")
        return self

    def events(self) -> Sequence[tuple[Path, str]]:
        """The feeds of the signals; those of rules come from the feed of alerts."""
        return [
            (("signals", name, "feed"), signal.feed)
            if signal.feed is not None
            else (("signals", name, "rule"), ALERTS)
            for name, signal in self.signals.items()
        ]

    def rules(self) -> Mapping[Path, str]:
        """The rules whose alerts are signals."""
        return {
            ("signals", name, "rule"): signal.rule
            for name, signal in self.signals.items()
            if signal.rule is not None
        }

    def doubts(self) -> Iterable[Doubt]:
        """One signal correlates with nothing."""
        if len(self.signals) == 1:
            yield ("signals",), "W260", {}

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """`seen`: the names of the signals that count."""
        del known
        return {"seen": Type(TEXT, nullable=True)}


def load(model: CorrelateModel, at: Loading) -> CorrelateSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    at.positive(model.within, "correlate", "within")
    signals = []
    for name, signal in model.signals.items():
        path = (*_PATH, "signals", name)
        feed = ALERTS if signal.feed is None else signal.feed
        test = at.event(EventModel(feed=feed, where=signal.where), path)
        at.positive(signal.within, "correlate", "signals", name, "within")
        within = model.within if signal.within is None else signal.within
        signals.append(
            Signal(name, feed, test.where, signal.rule or "", float(signal.weight), within)
        )
    names = {name: Type(BOOL) for name in model.signals}
    scope = Scope(names, frozenset(), None, at.known.zones(), at.known.calendars)
    condition = at.phrases.condition(model.condition, (*_PATH, "condition"), scope)
    if model.condition is not None and condition is None:
        return None
    score = model.score
    if score is not None and sum(one.weight for one in signals) < score.reach:
        at.notes.add((*_PATH, "score", "reach"), "R604")
    if score is not None:
        at.positive(score.half_life, "correlate", "score", "half_life")
    ways: tuple[tuple[Signal, ...], int, Typed | None, float, int] = (
        tuple(signals),
        model.at_least or 0,
        condition,
        0.0 if score is None else float(score.reach),
        0 if score is None or score.half_life is None else score.half_life,
    )
    if model.near is None:
        return CorrelateSpec(*ways)
    at.positive(model.near, "correlate", "near")
    at.needs_positions("correlate")
    if model.near > WIDEST_M:
        at.notes.add((*_PATH, "near"), "R519", most=int(WIDEST_M / 1000))
    ids = frozenset(name for feed in at.feeds for name in feed.id)
    return CorrelatePlaceSpec(*ways, model.near, ids)
