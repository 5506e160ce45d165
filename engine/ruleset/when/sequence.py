"""`sequence` as declared: steps in their order, each an event that comes or must not come."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import Field, PlainValidator, model_validator

from engine.model.units import QuantityError, parse_duration
from engine.operators.specs.base import Path
from engine.operators.specs.sequence import Again, SequenceSpec, StepSpec
from engine.ruleset.expr import Typed
from engine.ruleset.expr.types import ALERT_EXTRAS, EXTRAS, TIME, Type
from engine.ruleset.known import Known, common_scope, start_record
from engine.ruleset.quantities import Duration
from engine.ruleset.schema_types import Expression, Identifier, Text
from engine.ruleset.shape import Strict, refuse, show
from engine.ruleset.when.base import Doubt, Loading, OperatorModel, exactly_one

_PATH = ("when", "sequence")
_NEVER_FOR = re.compile(r"never-for\s+(\S.*)")
_MOST_STEPS = 20


class AgainText(NamedTuple):
    """What was declared under `again`: the way, and for `never-for` how long."""

    way: Again
    rest_ms: int = 0


def _again(value: Any) -> AgainText:
    """`after-end`, `at-once`, or `never-for` and a duration."""
    if value in {"after-end", "at-once"}:
        return AgainText(Again(value))
    found = _NEVER_FOR.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        refuse("R586", text=show(value))
    try:
        rest = parse_duration(found[1])
    except QuantityError as error:
        refuse(error.code, **error.found, nearest=error.nearest)
    if rest <= 0:
        refuse("R586", text=show(value))
    return AgainText(Again.NEVER_FOR, rest)


class StepModel(Strict):
    """One step: an event of `feed` that comes, or of `not` that must not come."""

    feed: Text | None = None
    not_: Annotated[Text | None, Field(alias="not")] = None
    where: Expression | None = None
    name: Identifier | None = None
    within: Duration | None = None
    times: Annotated[int | None, Field(ge=1, le=1000)] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one({"feed": self.feed, "not": self.not_}, "feed", "not")
        if self.not_ is not None and self.times is not None:
            refuse("R580", name="times", at="times")
        if self.not_ is not None and self.name is not None:
            refuse("R580", name="name", at="name")
        return self

    @property
    def source(self) -> str:
        """The feed of its events."""
        return self.feed or self.not_ or ""


class SequenceModel(OperatorModel):
    """`sequence`: steps one after the other, in time; some of them must not happen."""

    names_feeds: ClassVar[bool] = True

    steps: Annotated[list[StepModel], Field(min_length=2, max_length=_MOST_STEPS)]
    within: Duration | None = None
    strict: bool = False
    again: Annotated[AgainText, PlainValidator(_again, json_schema_input_type=str)] = AgainText(
        Again.AFTER_END
    )
    overlap: bool = True
    quiet: Duration | None = None
    runs: Annotated[int, Field(ge=1, le=10_000)] = 100

    def events(self) -> Sequence[tuple[Path, str]]:
        """The feeds of the steps, those that must come first."""
        named = [
            (("steps", index, "not" if step.not_ else "feed"), step.source)
            for index, step in enumerate(self.steps)
        ]
        return sorted(named, key=lambda one: one[0][2] == "not")

    def doubts(self) -> Iterable[Doubt]:
        """A step that may take longer than all of them never takes so long."""
        for index, step in enumerate(self.steps):
            if step.feed and step.within and self.within and step.within > self.within:
                yield ("steps", index, "within"), "W250", {}

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """A record for each named step that must come."""
        return {step.name: record(step.source, known) for step in self.steps if step.name}


def record(feed: str, known: Known) -> Type:
    """The event of a step, as later steps and texts see it: every field nullable, and its time."""
    plain = start_record(known.feeds.get(feed), None)
    fields = {**(plain.fields or {}), "event_time": Type(TIME, nullable=True)}
    return Type(plain.kind, nullable=True, fields=fields)


def load(model: SequenceModel, at: Loading) -> SequenceSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    _names(model, at)
    _limits(model, at)
    lookups = {name: at.scope.names[name] for name in at.model.lookup if name in at.scope.names}
    earlier: dict[str, Type] = {}
    steps: list[StepSpec] = []
    for index, step in enumerate(model.steps):
        feed = at.known.feeds[step.source]
        scope = common_scope([feed], at.known, {**lookups, **earlier})
        where = at.phrases.condition(step.where, (*_PATH, "steps", index, "where"), scope)
        if where is None and step.where is not None:
            return None
        steps.append(_step(step, where, earlier))
        if step.name:
            earlier[step.name] = record(step.source, at.known)
    return SequenceSpec(
        steps=tuple(steps),
        within_ms=model.within or 0,
        strict=model.strict,
        again=model.again.way,
        rest_ms=model.again.rest_ms,
        overlap=model.overlap,
        quiet_ms=model.quiet or 0,
        runs=model.runs,
    )


def _step(step: StepModel, where: Typed | None, earlier: Mapping[str, Type]) -> StepSpec:
    """One step; it refers to others when its condition reads their names."""
    return StepSpec(
        feed=step.source,
        where=where,
        name=step.name or "",
        within_ms=step.within or 0,
        times=step.times or 1,
        absent=step.not_ is not None,
        refers=where is not None and not earlier.keys().isdisjoint(where.names),
    )


def _names(model: SequenceModel, at: Loading) -> None:
    """Names of steps are their own: no field, look-up or word of the language has them."""
    taken = {*EXTRAS, *ALERT_EXTRAS, *at.model.lookup}
    taken |= {field for feed in at.feeds for field in feed.fields}
    seen: set[str] = set()
    for index, step in enumerate(model.steps):
        if step.name is None:
            continue
        path = (*_PATH, "steps", index, "name")
        if step.name in seen:
            at.notes.add(path, "R583", name=step.name)
        elif step.name in taken:
            at.notes.add(path, "R584", name=step.name)
        seen.add(step.name)


def _limits(model: SequenceModel, at: Loading) -> None:
    """Something must happen first, and the wait for every other step must end."""
    notes, steps = at.notes, model.steps
    at.positive(model.within, "sequence", "within")
    for index, step in enumerate(steps):
        at.positive(step.within, "sequence", "steps", index, "within")
    if steps[0].not_ is not None:
        notes.add((*_PATH, "steps", 0, "not"), "R581", at_key=True)
        return
    closing = steps[-1].not_ is not None
    last = max(index for index, step in enumerate(steps) if step.not_ is None)
    for index, step in enumerate(steps):
        waited = (index > 0 or (step.times or 1) > 1) if step.feed else index > last
        if waited and step.within is None and model.within is None:
            notes.add((*_PATH, "steps", index), "R582", number=index + 1)
    if at.model.for_ and not closing and (model.quiet or 0) < at.model.for_:
        notes.add(("for",), "R587")
