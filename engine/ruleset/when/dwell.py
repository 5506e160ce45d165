"""`dwell` as declared: a key stays within a radius or inside zones."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.operators.specs.dwell import DwellSpec
from engine.ruleset.quantities import Distance, Duration, Speed
from engine.ruleset.schema_types import Expression, Text
from engine.ruleset.shape import Strict
from engine.ruleset.when.base import Doubt, Loading, OperatorModel, exactly_one
from engine.ruleset.when.speeds import speed_field


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
    field, scale = speed_field(model.slower_than, "dwell", at)
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
