"""`change` as declared: a value changes, jumps, moves too fast, is new, or stands still."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from engine.operators.specs.change import ChangeSpec, Kind, Scalar
from engine.ruleset.expr import Typed
from engine.ruleset.expr.numbers import as_ratio
from engine.ruleset.expr.types import BOOL, NUMBER, TEXT, Type
from engine.ruleset.phrases import Path
from engine.ruleset.quantities import Duration
from engine.ruleset.schema_types import Expression, Positive
from engine.ruleset.shape import refuse, show
from engine.ruleset.when.base import Loading, OperatorModel
from engine.ruleset.when.limits import limit
from engine.text.terms import Term

_PATH = ("when", "change")
_DIRECTIONS = {"up": 1, "down": -1, "both": 0}
_DAY_MS = 86_400_000
_FEWEST = 3
_KINDS: Mapping[str, type | tuple[type, ...]] = {TEXT: str, BOOL: bool, NUMBER: (int, float)}
_FITS: Mapping[str, frozenset[str]] = {
    "within": frozenset({"jumps"}),
    "direction": frozenset({"jumps"}),
    "per": frozenset({"rises", "falls"}),
    "span": frozenset({"rises", "falls"}),
    "gap": frozenset({"rises", "falls", "unchanged_for"}),
    "tolerance": frozenset({"unchanged_for"}),
    "min_samples": frozenset({"unchanged_for"}),
    "quiet": frozenset({"jumps", "unseen_for", "from"}),
    "forget": frozenset({"jumps", "from", "to"}),
}


def _values(value: Any) -> tuple[Scalar, ...]:
    """One value, or a list of values."""
    items = value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, str | int | float | bool):
            refuse("R544", text=show(item))
    if not items:
        refuse("R544", text="[]")
    return tuple(items)


_Written = Scalar | Annotated[list[Scalar], Field(min_length=1)]
Values = Annotated[tuple[Scalar, ...], PlainValidator(_values, json_schema_input_type=_Written)]


class ChangeModel(OperatorModel):
    """`change`: a value changes, jumps, moves too fast, is new, or stands still."""

    typed_names: ClassVar[frozenset[str]] = frozenset({"value", "before", "moved"})

    of: Expression
    from_: Annotated[Values | None, Field(alias="from")] = None
    to: Values | None = None
    jumps: Expression | None = None
    rises: Expression | None = None
    falls: Expression | None = None
    unseen_for: Duration | None = None
    unchanged_for: Duration | None = None
    within: Duration | None = None
    direction: Literal["up", "down", "both"] | None = None
    per: Duration | None = None
    span: Duration | None = None
    gap: Duration | None = None
    tolerance: Expression | None = None
    min_samples: Positive | None = None
    quiet: Duration | None = None
    forget: Duration | None = None

    def kind(self) -> str:
        """The key that says what kind of change is meant; `from` also for any change."""
        names = ("jumps", "rises", "falls", "unseen_for", "unchanged_for", "to")
        return next((name for name in names if getattr(self, name) is not None), "from")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        names = ("jumps", "rises", "falls", "unseen_for", "unchanged_for")
        given = [name for name in names if getattr(self, name) is not None]
        given += ["to" if self.to is not None else "from"] if self.to or self.from_ else []
        if len(given) > 1:
            refuse("R536", name=given[1], other=given[0], at=given[1])
        kind = self.kind()
        for name, kinds in _FITS.items():
            if getattr(self, name) is not None and kind not in kinds:
                other = kind if given else "of"
                refuse("R536", name=name, other=other, at=name)
        if kind in {"rises", "falls"} and self.per is None:
            refuse("R535", name=kind, missing="per", at=kind)
        return self


def load(model: ChangeModel, at: Loading) -> ChangeSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    before = len(at.notes.problems)
    for name in ("unseen_for", "unchanged_for", "within", "per", "span", "quiet", "forget"):
        at.positive(getattr(model, name), "change", name)
    kind = model.kind()
    numeric = kind in {"jumps", "rises", "falls"} or model.tolerance is not None
    of = at.phrases.expression(model.of, (*_PATH, "of"), at.scope, NUMBER if numeric else None)
    if of is None:
        return None
    if of.type.kind in {"record", "position", "list", "null"}:
        at.notes.add((*_PATH, "of"), "R541", text=model.of)
        return None
    far, relative = _limit(model, kind, of, at)
    tolerance = _tolerance(model, of, at)
    for name in ("from", "to"):
        _fits(getattr(model, "from_" if name == "from" else name), name, of, at)
    if len(at.notes.problems) > before:
        return None
    unchanged, unseen = model.unchanged_for, model.unseen_for
    span = model.span or model.per or 0
    gap = model.within or 0
    if model.rises is not None or model.falls is not None:
        gap = span if model.gap is None else model.gap
    elif unchanged is not None:
        gap = unchanged if model.gap is None else model.gap
    forget = model.forget or unseen or 30 * _DAY_MS
    if model.rises is not None or model.falls is not None or unchanged is not None:
        forget = span + gap
    return ChangeSpec(
        kind=_kind(kind),
        of=of,
        before=model.from_ or (),
        after=model.to or (),
        limit=far,
        relative=relative,
        direction=_DIRECTIONS[model.direction or "both"],
        per_ms=model.per or 0,
        span_back_ms=span,
        least_ms=unseen or unchanged or 0,
        tolerance=tolerance,
        min_samples=model.min_samples or _FEWEST,
        gap_ms=gap,
        quiet_ms=model.quiet or 0,
        forget_ms=forget,
        types=_names(kind, of),
    )


def _kind(name: str) -> Kind:
    """The kind of change that a key stands for."""
    named = {"unseen_for": Kind.UNSEEN, "unchanged_for": Kind.UNCHANGED}
    if name in {"from", "to"}:
        return Kind.BECOMES
    return named.get(name) or Kind(name)


def _limit(model: ChangeModel, kind: str, of: Typed, at: Loading) -> tuple[Typed | None, bool]:
    """How far is too far, in the unit of the value; and whether it is a share of the value before.

    A percentage is a share, unless the value itself is one.
    """
    if kind not in {"jumps", "rises", "falls"}:
        return None, False
    text, path = getattr(model, kind), (*_PATH, kind)
    if kind == "jumps" and of.type.measures != "ratio":
        share = at.phrases.expression(text, path, at.scope, NUMBER)
        if share is None or share.type.measures == "ratio":
            if share is None:
                return None, False
            node = as_ratio(share.node)
            return Typed(
                share.text, node.type, share.names, node, share.uses_event_only, share.at
            ), True
    return limit(text, path, at.scope, of.type, at), False


def _tolerance(model: ChangeModel, of: Typed, at: Loading) -> float:
    """How far a value may lie from a run's first one; a constant."""
    if model.tolerance is None:
        return 0.0
    path = (*_PATH, "tolerance")
    typed = limit(model.tolerance, path, at.scope, of.type, at)
    if typed is None:
        return 0.0
    if typed.node.op != "const":
        at.notes.add(path, "R545", text=model.tolerance)
        return 0.0
    return float(typed.node.value)  # type: ignore[arg-type]


def _fits(values: tuple[Scalar, ...] | None, name: str, of: Typed, at: Loading) -> None:
    """The values of `from` and `to` are of the kind of what changes, and it can have them."""
    allowed = _allowed(of, at)
    wanted = _KINDS.get(of.type.kind, ())
    for index, value in enumerate(values or ()):
        path: Path = (*_PATH, name, index)
        kind = Term(of.type.kind)
        if not isinstance(value, wanted) or isinstance(value, bool) != (of.type.kind == BOOL):
            at.notes.add(path, "R546", text=show(value), of=of.text, kind=kind)
        elif allowed and isinstance(value, str):
            at.notes.known(value, allowed, "R547", path, of=of.text)


def _allowed(of: Typed, at: Loading) -> tuple[str, ...]:
    """The values that a field declares, where a field itself is watched."""
    found: set[str] = set()
    for feed in at.feeds:
        spec = feed.fields.get(of.text.strip())
        if spec is None or not spec.values:
            return ()
        found.update(spec.values)
    return tuple(sorted(found))


def _names(kind: str, of: Typed) -> Mapping[str, Type]:
    """The names that levels and texts may use."""
    types = {"value": of.type.maybe(), "before": of.type.maybe()}
    if of.type.kind == NUMBER and kind in {"jumps", "rises", "falls"}:
        types["moved"] = of.type.maybe()
    return types
