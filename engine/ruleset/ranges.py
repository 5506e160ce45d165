"""Whether a condition can ever be true, going by the declared ranges and values of the fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from engine.feeds.spec import FieldSpec
from engine.ruleset.expr.tree import Checked

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(slots=True)
class _Span:
    """What is still possible for one field."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    texts: set[str] | None = None

    def narrow(self, sign: str, value: Any) -> None:
        """Take a comparison with a constant into account."""
        if sign in {">", ">="} and (
            self.low is None or (value, sign == ">") > (self.low, self.low_open)
        ):
            self.low, self.low_open = value, sign == ">"
        if sign in {"<", "<="} and (
            self.high is None or (value, sign != "<") < (self.high, not self.high_open)
        ):
            self.high, self.high_open = value, sign == "<"
        if sign == "==":
            self.narrow(">=", value)
            self.narrow("<=", value)

    def empty(self) -> bool:
        """Whether nothing is possible any more."""
        if self.texts is not None and not self.texts:
            return True
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))


def impossible(node: Checked, fields: Mapping[str, FieldSpec]) -> str:
    """The field because of which a condition can never be true, or nothing if it may be.

    Looks at comparisons with constants that are joined by `and`; whatever else a condition says is
    taken as possible.
    """
    spans: dict[str, _Span] = {}
    for part in _joined(node):
        if part.op != "compare" or not isinstance(part.value, tuple):
            continue
        for left, sign, right in zip(part.args, part.value, part.args[1:], strict=False):
            _note(spans, fields, left, str(sign), right)
    return next((name for name, span in sorted(spans.items()) if span.empty()), "")


def _joined(node: Checked) -> list[Checked]:
    """The parts that must all be true."""
    if node.op != "and":
        return [node]
    return [part for child in node.args for part in _joined(child)]


def _note(
    spans: dict[str, _Span],
    fields: Mapping[str, FieldSpec],
    left: Checked,
    sign: str,
    right: Checked,
) -> None:
    """Narrow the field of one comparison between a field and a constant."""
    if left.op == "const" and right.op == "event":
        left, sign, right = right, _MIRRORED.get(sign, ""), left
    if left.op != "event" or right.op != "const":
        return
    spec = fields.get(str(left.value))
    if spec is None:
        return
    span = spans.setdefault(spec.name, _Span(spec.low, spec.high, texts=set(spec.values) or None))
    value = right.value
    if isinstance(value, str):
        if span.texts is not None and sign in {"==", "!="}:
            span.texts = {text for text in span.texts if (text == value) == (sign == "==")}
    elif isinstance(value, int | float | Fraction) and not isinstance(value, bool):
        span.narrow(sign, value)
