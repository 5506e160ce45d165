"""`cross` as declared: a key enters, leaves or passes a zone or a line."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from engine.model.units import QuantityError, parse_quantity
from engine.operators.specs.cross import CrossSpec, How
from engine.ruleset.expr.types import RECORD, TEXT, Type
from engine.ruleset.quantities import Distance, Duration
from engine.ruleset.schema_types import Expression, Text
from engine.ruleset.shape import Strict, refuse, show
from engine.ruleset.when.base import Loading, OperatorModel, exactly_one
from engine.ruleset.when.limits import widened

_PATH = ("when", "cross")
_GAP_MS = 5 * 60_000
_DAY_MS = 86_400_000
_DIRECTIONS = {"left-to-right": 1, "right-to-left": -1, "both": 0}
_ROUND = 360


def _bearing(value: Any) -> float:
    """Degrees clockwise from north."""
    try:
        degrees = float(parse_quantity(value, "angle").base) if isinstance(value, str) else None
    except QuantityError:
        degrees = None
    if degrees is None or degrees > _ROUND:
        refuse("R550", text=show(value))
    return degrees


Bearing = Annotated[float, PlainValidator(_bearing, json_schema_input_type=str)]


class BearingModel(Strict):
    """Clockwise from one bearing to another."""

    from_: Annotated[Bearing, Field(alias="from")]
    to: Bearing


class CrossModel(OperatorModel):
    """`cross`: a key enters, leaves or passes a zone or a line."""

    typed_names: ClassVar[frozenset[str]] = frozenset({"zone"})

    enters: Text | None = None
    leaves: Text | None = None
    passes: Text | None = None
    direction: Literal["left-to-right", "right-to-left", "both"] | None = None
    bearing: BearingModel | None = None
    gap: Duration | None = None
    at_least: Duration | None = None
    while_: Annotated[Expression | None, Field(alias="while")] = None
    margin: Distance = 0.0
    fixes: Annotated[int, Field(ge=1, le=1000)] = 1
    first_fix: Literal["counts", "ignored"] | None = None
    quiet: Duration | None = None
    forget: Duration | None = None

    def how(self) -> How:
        """What the key does."""
        if self.enters is not None:
            return How.ENTERS
        return How.LEAVES if self.leaves is not None else How.PASSES

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kinds: dict[str, object] = {
            "enters": self.enters,
            "leaves": self.leaves,
            "passes": self.passes,
        }
        exactly_one(kinds, *kinds)
        how = self.how()
        if self.direction is not None and how is not How.PASSES:
            refuse("R536", name="direction", other=how.value, at="direction")
        if self.first_fix is not None and how is not How.ENTERS:
            refuse("R536", name="first_fix", other=how.value, at="first_fix")
        if self.quiet is not None and how is How.ENTERS:
            refuse("R536", name="quiet", other=how.value, at="quiet")
        return self


def load(model: CrossModel, at: Loading) -> CrossSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    before, known, how = len(at.notes.problems), at.known, model.how()
    for name in ("at_least", "quiet", "forget"):
        at.positive(getattr(model, name), "cross", name)
    at.needs_positions("cross")
    layer = getattr(model, how.value)
    choices = {*known.layers, *known.lines} if how is How.PASSES else {*known.layers}
    path = (*_PATH, how.value)
    if how is not How.PASSES and layer in known.lines:
        at.notes.add(path, "R551", name=layer, text=how.value)
    else:
        at.notes.known(layer, choices, "R204", path)
    lines = layer in known.lines
    if lines and model.at_least is not None:
        at.notes.add((*_PATH, "at_least"), "R536", name="at_least", other=layer)
    if not lines and model.direction is not None:
        at.notes.add((*_PATH, "direction"), "R552", name=layer)
    forget = _DAY_MS if model.forget is None else model.forget
    gap = _GAP_MS if model.gap is None else model.gap
    if forget < gap:
        at.notes.add((*_PATH, "forget" if model.forget is not None else "gap"), "R553")
    kept = known.lines.get(layer) or known.layers.get(layer) or {}
    names = {"id": Type(TEXT), "name": Type(TEXT)}
    record = Type(RECORD, fields={**{name: kind.maybe() for name, kind in kept.items()}, **names})
    scope = widened(at.scope, {"zone": record})
    only_while = at.phrases.condition(model.while_, (*_PATH, "while"), scope)
    if len(at.notes.problems) > before:
        return None
    return CrossSpec(
        how=how,
        layer=layer,
        direction=_DIRECTIONS[model.direction or "both"],
        bearing=(model.bearing.from_, model.bearing.to) if model.bearing else None,
        gap_ms=gap,
        at_least_ms=model.at_least or 0,
        only_while=only_while,
        margin_m=model.margin,
        fixes=model.fixes,
        first_counts=model.first_fix == "counts",
        quiet_ms=model.quiet or 0,
        forget_ms=forget,
        types={"zone": record.maybe()},
    )
