"""`dwell` as declared: a key stays within a radius or inside zones."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.feeds.spec import FeedSpec
from engine.model.unit_table import UNITS
from engine.operators.specs.dwell import DwellSpec
from engine.ruleset.quantities import Distance, Duration, Speed
from engine.ruleset.schema_types import Expression, Text
from engine.ruleset.shape import Strict
from engine.ruleset.when.base import Doubt, Loading, OperatorModel, exactly_one


class Tolerate(Strict):
    """What a stay survives: being outside shortly, being silent."""

    outside: Duration = 0
    silent: Duration | None = None
    gap: Literal["counts", "breaks"] = "breaks"


class DwellModel(OperatorModel):
    """`dwell`: a key stays within a radius or inside zones."""

    radius: Distance | None = None
    zones: Text | None = None
    at_least: Duration
    slower_than: Speed | None = None
    while_: Annotated[Expression | None, Field(alias="while")] = None
    tolerate: Tolerate = Tolerate()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one({"radius": self.radius, "zones": self.zones}, "radius", "zones")
        return self

    def doubts(self) -> Iterable[Doubt]:
        """A gap that counts means nothing where no silence breaks a stay."""
        if self.tolerate.gap == "counts" and self.tolerate.silent is None:
            yield ("tolerate", "gap"), "W217", {}


def load(model: DwellModel, at: Loading) -> DwellSpec | None:
    """The checked operator; what is wrong is noted."""
    notes, path = at.notes, ("when", "dwell")
    only_while = at.condition(model.while_, "dwell", "while")
    if model.zones is not None:
        notes.known(model.zones, at.known.layers, "R204", (*path, "zones"))
    at.needs_positions("dwell")
    at.positive(model.at_least, "dwell", "at_least")
    tolerate = model.tolerate
    if tolerate.outside and tolerate.outside >= model.at_least > 0:
        notes.add((*path, "tolerate", "outside"), "R415", name="outside")
    field, scale = _speed(model, at)
    return DwellSpec(
        at_least_ms=model.at_least,
        radius_m=model.radius,
        zones=model.zones or "",
        slower_than_mps=model.slower_than,
        speed_field=field,
        speed_scale=scale,
        only_while=only_while,
        outside_ms=tolerate.outside,
        silent_ms=tolerate.silent,
        gap_counts=tolerate.gap == "counts",
    )


def _speed(model: DwellModel, at: Loading) -> tuple[str, float]:
    """The field that holds the speed, and metres a second in one of its units."""
    if model.slower_than is None or not at.feeds:
        return "", 1.0
    choices = [_speed_fields(feed) for feed in at.feeds]
    shared = [item for item in choices[0] if all(item in other for other in choices)]
    named = [item for item in shared if item[0] == "speed"] or shared
    if len(named) != 1:
        names = ", ".join(feed.name for feed in at.feeds)
        at.notes.add(("when", "dwell", "slower_than"), "R222", feed=names, count=len(named))
        return "", 1.0
    return named[0][0], float(UNITS[named[0][1]].factor)


def _speed_fields(feed: FeedSpec) -> list[tuple[str, str]]:
    """The fields of a feed whose unit is a speed, with that unit."""
    return [
        (name, spec.unit)
        for name, spec in feed.fields.items()
        if spec.unit in UNITS and UNITS[spec.unit].dimension == "speed"
    ]
