"""`corridor` as declared: a route, and what is looked at along it."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from engine.operators.specs.corridor import CorridorSpec, Watched
from engine.ruleset.expr.types import NUMBER, TEXT, Type
from engine.ruleset.quantities import Distance, Duration, Speed
from engine.ruleset.schema_types import Expression, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import Loading, OperatorModel, exactly_one

_PATH = ("when", "corridor")
_TYPES = {
    "route": Type(TEXT, nullable=True),
    "progress": Type(NUMBER, nullable=True, unit="m"),
    "away": Type(NUMBER, nullable=True, unit="m"),
    "turned": Type(NUMBER, nullable=True, unit="m"),
    "mean_speed": Type(NUMBER, nullable=True, unit="km/h"),
}


class OffModel(Strict):
    """Further from the route than `by` for `at_least`."""

    by: Distance
    at_least: Duration = 0


class BackModel(Strict):
    """More than `by` behind the furthest point it has come to."""

    by: Distance


class SectionModel(Strict):
    """From one post of the route to the next too fast or too slowly."""

    faster_than: Speed | None = None
    slower_than: Speed | None = None
    quiet: Duration = 0

    @model_validator(mode="after")
    def _a_limit(self) -> Self:
        fast, slow = self.faster_than, self.slower_than
        if fast is None and slow is None:
            refuse("R591")
        if fast is not None and slow is not None and fast <= slow:
            refuse("R592", at="faster_than")
        return self


class TolerateModel(Strict):
    """What a signal may do without changing the answer."""

    silent: Duration = 300_000
    gap: Literal["counts"] | None = None


class CorridorModel(OperatorModel):
    """`corridor`: a key leaves its planned route, turns back, or is too fast or slow on it."""

    typed_names: ClassVar[frozenset[str]] = frozenset(_TYPES)

    routes: Text
    route: Expression
    off: OffModel | None = None
    back: BackModel | None = None
    section: SectionModel | None = None
    width: Distance = 300.0
    slack: Distance = 100.0
    tolerate: TolerateModel = TolerateModel()
    forget: Duration = 86_400_000

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = {"off": self.off, "back": self.back, "section": self.section}
        exactly_one(dict(given), "off", "back", "section")
        if self.off is not None and "width" in self.model_fields_set:
            refuse("R593", at="width")
        return self


def load(model: CorridorModel, at: Loading) -> CorridorSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    known, notes = at.known, at.notes
    if model.routes in known.layers:
        notes.add((*_PATH, "routes"), "R590", name=model.routes)
    else:
        notes.known(model.routes, known.lines, "R204", (*_PATH, "routes"))
    at.needs_positions("corridor")
    watched = next(one for one in Watched if getattr(model, one.value) is not None)
    at.positive(model.off.by if model.off else None, "corridor", "off", "by")
    at.positive(model.width, "corridor", "width")
    at.positive(model.back.by if model.back else None, "corridor", "back", "by")
    at.positive(model.forget, "corridor", "forget")
    route = at.phrases.expression(model.route, (*_PATH, "route"), at.scope, "text")
    if route is None:
        return None
    section = model.section
    return CorridorSpec(
        watched=watched,
        layer=model.routes,
        route=route,
        width_m=model.off.by if model.off else model.width,
        at_least_ms=model.off.at_least if model.off else 0,
        by_m=model.back.by if model.back else 0.0,
        faster_mps=section.faster_than if section else None,
        slower_mps=section.slower_than if section else None,
        quiet_ms=section.quiet if section else 0,
        slack_m=model.slack,
        silent_ms=model.tolerate.silent,
        gap_counts=model.tolerate.gap is not None,
        forget_ms=model.forget,
        types=_TYPES,
    )
