"""`near` as declared: keys are near each other for a time, or a key has lost its escort."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.operators.specs.near import Kind, NearSpec
from engine.ruleset.expr.types import TEXT, Type
from engine.ruleset.known import Known
from engine.ruleset.quantities import Distance, Duration, Speed
from engine.ruleset.schema_types import Expression, Identifier, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import Doubt, Loading, OperatorModel
from engine.ruleset.when.speeds import speed_field

WIDEST_M = 100_000.0
_MOST_KEYS = 10_000


class KindModel(Strict):
    """Keys of one kind: which those are, and how many a gathering needs."""

    where: Expression | None = None
    count: Annotated[int, Field(ge=1, le=_MOST_KEYS)] = 1


class ApartModel(Strict):
    """A kind of key that must stay near another kind."""

    kind: Text
    from_: Annotated[Text, Field(alias="from")]


class Tolerate(Strict):
    """What a gathering survives: a member's silence, and a short lack of company."""

    silent: Duration | None = None
    outside: Duration = 0


class NearModel(OperatorModel):
    """`near`: keys are within a radius of each other."""

    radius: Distance
    at_least: Duration
    count: Annotated[int, Field(ge=2, le=_MOST_KEYS)] | None = None
    kinds: dict[Identifier, KindModel] = Field(default={})
    slower_than: Speed | None = None
    while_: Annotated[Expression | None, Field(alias="while")] = None
    tolerate: Tolerate = Tolerate()
    apart: ApartModel | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.apart is not None:
            self._fits_apart(self.apart)
        elif self.count is None and not self.kinds:
            refuse("R512")
        elif self.count is None and sum(kind.count for kind in self.kinds.values()) < 2:  # noqa: PLR2004
            refuse("R513", at="kinds")
        return self

    def _fits_apart(self, apart: ApartModel) -> None:
        """Two kinds, and nothing that only a gathering has."""
        if self.count is not None:
            refuse("R518", name="count", at="count")
        if self.tolerate.outside:
            refuse("R518", name="tolerate: outside", at="tolerate")
        if {apart.kind, apart.from_} != set(self.kinds) or apart.kind == apart.from_:
            refuse("R517", kinds=", ".join(self.kinds) or "-", at="apart")

    def doubts(self) -> Iterable[Doubt]:
        """Members that are never forgotten, and members that only pass by."""
        if self.tolerate.silent is None:
            yield (), "W230", {}
        if self.slower_than is None and self.while_ is None and self.apart is None:
            yield (), "W231", {}

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """The key that leads the gathering now; the alert's own key is the one that founded it."""
        del known
        return {} if self.apart is not None else {"leader": Type(TEXT, nullable=True)}


def load(model: NearModel, at: Loading) -> NearSpec:
    """The checked operator; what is wrong is noted."""
    notes, path = at.notes, ("when", "near")
    at.needs_positions("near")
    at.positive(model.radius, "near", "radius")
    if model.radius > WIDEST_M:
        notes.add((*path, "radius"), "R519", most=int(WIDEST_M / 1000))
    if model.apart is not None:
        at.positive(model.at_least, "near", "at_least")
    if model.tolerate.outside and model.tolerate.outside >= model.at_least > 0:
        notes.add((*path, "tolerate", "outside"), "R415", name="outside")
    kinds: list[Kind] = []
    for name, kind in model.kinds.items():
        if kinds and kinds[-1].where is None and model.kinds[kinds[-1].name].where is None:
            notes.add((*path, "kinds", name), "R516", name=name, kind=kinds[-1].name, at_key=True)
        where = at.condition(kind.where, "near", "kinds", name, "where")
        kinds.append(Kind(name, where, kind.count))
    names = [kind.name for kind in kinds]
    field, scale = speed_field(model.slower_than, "near", at)
    apart = model.apart
    return NearSpec(
        radius_m=model.radius,
        at_least_ms=model.at_least,
        count=model.count or max(2, sum(kind.count for kind in kinds)),
        kinds=tuple(kinds),
        slower_than_mps=model.slower_than,
        speed_field=field,
        speed_scale=scale,
        only_while=at.condition(model.while_, "near", "while"),
        silent_ms=model.tolerate.silent,
        outside_ms=model.tolerate.outside,
        apart=None if apart is None else names.index(apart.kind),
        from_=None if apart is None else names.index(apart.from_),
    )
