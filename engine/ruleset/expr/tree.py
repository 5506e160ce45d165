"""The checked tree of an expression, with types, and how it prints back as text."""

from dataclasses import dataclass, field
from fractions import Fraction

from engine.errors import Location
from engine.model.units import written
from engine.ruleset.expr.types import Type


@dataclass(frozen=True, slots=True)
class Checked:
    """One checked part.

    Attributes:
        op: `const`, `event`, `time`, `position`, `extra`, `column`, `present`, `absent`, `and`,
            `or`, `not`, `compare`, `in`, `member`, `within`, `arith`, `neg`, `scale`, `choice`,
            `call`.
        type: What it answers.
        args: Its parts.
        value: What else the op needs: a constant, a name, comparison signs, a factor.
        start: Index of its first character in the text.
        end: Index after its last character.

    """

    op: str
    type: Type
    args: tuple["Checked", ...] = ()
    value: object = None
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Typed:
    """A checked expression, ready to be compiled.

    Attributes:
        text: What was written.
        type: What it answers.
        names: The names it uses, without what follows a dot, sorted.
        node: The checked tree.
        uses_event_only: It needs the event and its time, and nothing else.
        at: Where it is written.

    """

    text: str
    type: Type
    names: tuple[str, ...]
    node: Checked
    uses_event_only: bool
    at: Location = Location("")  # noqa: RUF009 - frozen

    def describe(self) -> str:
        """The checked form as text: brackets where they bind, units converted."""
        return describe(self.node)


def describe(node: Checked) -> str:
    """One checked part as text."""
    args = [describe(arg) for arg in node.args]
    value = node.value
    match node.op:
        case "const":
            return constant_text(value, node.type)
        case "event" | "extra" | "time" | "position":
            return value[0] if isinstance(value, tuple) else str(value)
        case "column":
            return f"{args[0]}.{value}"
        case "present":
            return f"({args[0]} != null)"
        case "absent":
            return f"({args[0]} == null)"
        case "and" | "or":
            return "(" + f" {node.op} ".join(args) + ")"
        case "not" | "neg":
            return f"({'not ' if node.op == 'not' else '-'}{args[0]})"
        case "compare" if isinstance(value, tuple):
            pairs = "".join(f" {op} {arg}" for op, arg in zip(value, args[1:], strict=True))
            return f"({args[0]}{pairs})"
        case "in":
            return f"({args[0]} in [{', '.join(args[1:])}])"
        case "member" | "within":
            return f"({args[0]} in {args[1]})"
        case "arith":
            return f"({args[0]} {value} {args[1]})"
        case "scale" if isinstance(value, Fraction):
            return f"({args[0]} as {node.type.unit or 'number'})"
        case "list":
            return f"[{', '.join(args)}]"
        case "choice":
            return f"({args[1]} if {args[0]} else {args[2]})"
        case _:
            return f"{value}({', '.join(args)})"


def constant_text(value: object, type_: Type) -> str:
    """A constant as it is written in a rule."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    if isinstance(value, int | float | Fraction):
        return written(value, type_.unit)
    return str(value)
