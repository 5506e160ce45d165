"""`cluster` as declared: alike records of one key within a time."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.operators.specs.cluster import ClusterSpec
from engine.ruleset.quantities import Distance, Duration
from engine.ruleset.schema_types import Expression
from engine.ruleset.shape import refuse
from engine.ruleset.when.base import Doubt, Loading, OperatorModel

_PATH = ("when", "cluster")
_MOST = 10_000
_LEAST_ALIKE = 0.5


class ClusterModel(OperatorModel):
    """`cluster`: alike records of one key come within a time."""

    at_least: Annotated[int, Field(ge=2, le=_MOST)]
    within: Duration
    near: Distance | None = None
    text: Expression | None = None
    alike: Annotated[float | None, Field(gt=0, le=1, strict=False)] = None
    distinct: Expression | None = None
    grows: Annotated[list[Annotated[int, Field(ge=2, le=_MOST)]], Field(max_length=20)] = Field(
        default=[]
    )
    keep: Annotated[int, Field(ge=2, le=_MOST)] = 2000

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.alike is not None and self.text is None:
            refuse("R612", at="alike")
        for index, size in enumerate(self.grows):
            if size <= (self.grows[index - 1] if index else self.at_least):
                refuse("R610", size=size, at="grows")
        if self.keep < self.at_least:
            refuse("R611", keep=self.keep, count=self.at_least, at="keep")
        return self

    def doubts(self) -> Iterable[Doubt]:
        """Without place and text only the key makes records alike."""
        if self.near is None and self.text is None and self.distinct is None and not self.grows:
            yield (), "W261", {}


def load(model: ClusterModel, at: Loading) -> ClusterSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    at.positive(model.within, "cluster", "within")
    at.positive(model.near, "cluster", "near")
    if model.near is not None:
        at.needs_positions("cluster")
    text = at.phrases.expression(model.text, (*_PATH, "text"), at.scope, "text")
    distinct = at.phrases.expression(model.distinct, (*_PATH, "distinct"), at.scope)
    if (text is None) != (model.text is None) or (distinct is None) != (model.distinct is None):
        return None
    return ClusterSpec(
        at_least=model.at_least,
        within_ms=model.within,
        radius_m=model.near,
        text=text,
        alike=_LEAST_ALIKE if model.alike is None else float(model.alike),
        distinct=distinct,
        grows=tuple(model.grows),
        keep=model.keep,
    )
