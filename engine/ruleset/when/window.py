"""`window` as declared: an aggregate over a window of event time passes a limit."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.model.units import written
from engine.operators.specs.window import Baseline, WindowSpec
from engine.ruleset.expr import Typed
from engine.ruleset.expr.types import NUMBER, Type
from engine.ruleset.quantities import Duration
from engine.ruleset.schema_types import Expression, Positive, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import Doubt, Loading, OperatorModel, exactly_one
from engine.ruleset.when.limits import limit, widened

_PATH = ("when", "window")
_MOST_BUCKETS = 100_000
_MANY_BUCKETS = 1000
_PARTS = (60, 50, 48, 40, 30, 24, 20, 12, 10, 8, 6, 5, 4, 3, 2, 1)
_BARE = {"count", "distinct"}
_COUNTABLE = {"count", "rate"}


class BaselineModel(Strict):
    """What the value is compared with."""

    weeks: Annotated[int | None, Field(ge=1, le=53)] = None
    earlier: Duration | None = None
    over: Duration | None = None
    neighbours: Text | None = None
    at_least: Positive | None = None
    average: Literal["mean", "median"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds: dict[str, object] = {
            "weeks": self.weeks,
            "earlier": self.earlier,
            "neighbours": self.neighbours,
        }
        exactly_one(kinds, *kinds)
        if self.over is not None and self.earlier is None:
            refuse("R535", name="over", missing="earlier", at="over")
        if self.average is not None and self.earlier is not None:
            refuse("R536", name="average", other="earlier", at="average")
        return self


class WindowModel(OperatorModel):
    """`window`: an aggregate over a window passes a limit."""

    typed_names: ClassVar[frozenset[str]] = frozenset({"value", "reach", "baseline", "spread"})

    aggregate: Literal[
        "count",
        "distinct",
        "sum",
        "mean",
        "min",
        "max",
        "rate",
        "slope",
        "stddev",
        "percentile",
    ]
    of: Expression | None = None
    percent: Annotated[float | None, Field(gt=0, le=100)] = None
    per: Duration | None = None
    over: Duration | None = None
    every: Duration | None = None
    gap: Duration | None = None
    min_samples: Positive = 1
    above: Expression | None = None
    below: Expression | None = None
    passes: Expression | None = None
    baseline: BaselineModel | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        limits: dict[str, object] = {
            "above": self.above,
            "below": self.below,
            "passes": self.passes,
        }
        exactly_one(limits, *limits)
        name = self.aggregate
        if self.of is None and name not in _COUNTABLE:
            refuse("R535", name=name, missing="of", at="aggregate")
        if self.of is not None and name == "count":
            refuse("R536", name="of", other=name, at="of")
        for key, wanted in (("percent", {"percentile"}), ("per", {"rate", "slope"})):
            given = getattr(self, key) is not None
            if given and name not in wanted:
                refuse("R536", name=key, other=name, at=key)
            if not given and name in wanted:
                refuse("R535", name=name, missing=key, at="aggregate")
        if self.gap is None:
            if self.over is None:
                refuse("R130", choices="over, gap", count=0)
            return self
        if self.every is not None:
            refuse("R536", name="every", other="gap", at="every")
        if self.baseline is not None:
            refuse("R536", name="baseline", other="gap", at="baseline")
        if self.below is not None:
            refuse("R536", name="below", other="gap", at="below")
        if name == "rate":
            refuse("R536", name="rate", other="gap", at="aggregate")
        return self

    def may_retract(self) -> bool:
        """Windows that count can take a record in at any time; a baseline would be another one."""
        bare = self.aggregate in _BARE or (self.aggregate == "rate" and self.of is None)
        return bare and self.gap is None and self.baseline is None

    def step(self) -> int:
        """The distance of two edges: declared, or a sixtieth of the window if that is whole."""
        if self.every is not None:
            return self.every
        over = self.over or 0
        return next(over // parts for parts in _PARTS if over % parts == 0)

    def doubts(self) -> Iterable[Doubt]:
        """Many buckets a key cost memory; a baseline that no limit reads does nothing."""
        step, base = self.step() if self.gap is None else 0, self.baseline
        reach = max(self.over or 0, (base.earlier or 0) + (base.over or 0) if base else 0)
        if step and reach // step > _MANY_BUCKETS:
            yield ("every",) if self.every else ("over",), "W241", {"count": reach // step}
        text = self.above or self.below or self.passes or ""
        if base is not None and "baseline" not in text:
            yield ("baseline",), "W242", {}


def load(model: WindowModel, at: Loading) -> WindowSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    before = len(at.notes.problems)
    for name in ("over", "every", "gap", "per"):
        at.positive(getattr(model, name), "window", name)
    base = _baseline(model, at)
    of = _of(model, at)
    if len(at.notes.problems) > before or (model.of is not None and of is None):
        return None
    _steps(model, at)
    value = _value(model, of)
    types = _names(value, base)
    own = {name: type_ for name, type_ in types.items() if name != "reach"}
    scope = widened(at.scope, own)
    wrong = len([one for one in at.notes.problems[before:] if one.code[0] == "R"])
    above = limit(model.above, (*_PATH, "above"), scope, value, at)
    below = limit(model.below, (*_PATH, "below"), scope, value, at)
    passes = at.phrases.condition(model.passes, (*_PATH, "passes"), scope)
    if wrong or (above is None and below is None and passes is None):
        return None
    return WindowSpec(
        aggregate=model.aggregate,
        of=of,
        over_ms=model.over or 0,
        every_ms=0 if model.gap is not None else model.step(),
        gap_ms=model.gap or 0,
        percentile=model.percent or 0.0,
        per_ms=model.per or 0,
        min_samples=model.min_samples,
        above=above,
        below=below,
        passes=passes,
        baseline=base,
        types=types,
        late_ms=at.model.late.allow if at.model.late.then == "retract" else 0,
    )


def _of(model: WindowModel, at: Loading) -> Typed | None:
    """What is aggregated: a number, or for `distinct` anything."""
    expect = None if model.aggregate == "distinct" else NUMBER
    typed = at.phrases.expression(model.of, (*_PATH, "of"), at.scope, expect)
    if typed is not None and typed.type.kind in {"record", "position", "list", "null"}:
        at.notes.add((*_PATH, "of"), "R541", text=model.of)
        return None
    return typed


def _value(model: WindowModel, of: Typed | None) -> Type:
    """The type of the aggregate: the unit of what is aggregated, or a bare number."""
    unit = None if of is None or model.aggregate in _BARE else of.type.unit
    return Type(NUMBER, unit=unit)


def _names(value: Type, base: Baseline | None) -> Mapping[str, Type]:
    """The names that limits, levels and texts may use."""
    names = {"value": value, "reach": value.maybe()}
    if base is not None:
        names["baseline"] = value.maybe()
        if not base.earlier_ms:
            names["spread"] = value.maybe()
    return names


def _baseline(model: WindowModel, at: Loading) -> Baseline | None:
    """What the value is compared with; the field of neighbours must exist outside the key."""
    base, path = model.baseline, (*_PATH, "baseline")
    if base is None:
        return None
    at.positive(base.earlier, "window", "baseline", "earlier")
    at.positive(base.over, "window", "baseline", "over")
    weeks, name = base.weeks or 0, base.neighbours
    least = base.at_least or (min(weeks, 2) if weeks else 2 if name else 1)
    if weeks and least > weeks:
        at.notes.add((*path, "at_least"), "R543", count=least, weeks=weeks)
    if base.earlier is not None and base.at_least is not None:
        at.notes.add((*path, "at_least"), "R536", name="at_least", other="earlier")
    if name is not None:
        fields = {field for field in at.scope.names if at.scope.in_event(field)}
        feeds = ", ".join(feed.name for feed in at.feeds)
        if at.notes.known(name, fields, "R202", (*path, "neighbours"), feed=feeds) and name in {
            field for feed in at.feeds for field in keys_of(at, feed.name)
        }:
            at.notes.add((*path, "neighbours"), "R540", name=name)
    found = Baseline(weeks, base.earlier or 0, name or "", 0, least, base.average == "median")
    return replace(found, over_ms=(base.over or model.over or 0)) if base.earlier else found


def keys_of(at: Loading, feed: str) -> list[str]:
    """The fields of a feed that make up the rule's key."""
    by = at.model.by
    return list(by.get("*") or by.get(feed, []))


def _steps(model: WindowModel, at: Loading) -> None:
    """Windows are whole numbers of buckets, and not too many."""
    if model.gap is not None or not model.over:
        return
    step, base = model.step(), model.baseline
    lengths: dict[tuple[str, ...], int] = {("over",): model.over}
    if base is not None:
        lengths[("baseline", "earlier")] = base.earlier or 0
        lengths[("baseline", "over")] = base.over or 0
    for path, length in lengths.items():
        if length % step:
            long, short = written(length, "ms"), written(step, "ms")
            at.notes.add((*_PATH, *path), "R537", name=path[-1], length=long, step=short)
        elif length // step > _MOST_BUCKETS:
            at.notes.add((*_PATH, *path), "R539", count=length // step, most=_MOST_BUCKETS)
