"""The parts an expression is parsed into; each knows the characters it was read from."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from engine.errors import Location, Problem


@dataclass(frozen=True, slots=True)
class Node:
    """One part. `start` and `end` are indexes into the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number, exact, with the short spelling of its unit."""

    value: Fraction
    unit: str | None


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A text, `true`, `false` or `null`."""

    value: str | bool | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name, dotted or not: `speed`, `waybill.destination_zone`."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list in square brackets."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`not x` or `-x`."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Arith(Node):
    """`a + b`, `a - b`, `a * b`, `a / b`, `a % b`; `op_at` is where the sign stands."""

    op: str
    left: Node
    right: Node
    op_at: int


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`a and b and c` or `a or b or c`."""

    op: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`a < b`, `a in b`, and chains `a < b <= c`; `op_at` are the indexes of the signs."""

    operands: tuple[Node, ...]
    ops: tuple[str, ...]
    op_at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`a if condition else b`."""

    condition: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call of a function of ours."""

    name: str
    args: tuple[Node, ...]


class Meaning(Protocol):
    """A named expression that another one uses: a macro."""

    @property
    def name(self) -> str:
        """What is written in its place."""

    @property
    def expr(self) -> "Expr":
        """What it means."""

    @property
    def misfit(self) -> str:
        """The code of the problem that it does not fit where it is used."""

    @property
    def at(self) -> Location:
        """Where its expression begins."""

    def placed(self, problem: Problem) -> Problem:
        """A problem of its expression where it stands in the file."""


@dataclass(frozen=True, slots=True)
class Expanded(Node):
    """What a macro means, in the place of its name; positions in `body` are of the macro's text."""

    macro: Meaning
    body: Node


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """What a macro was given for one of its names; positions in `given` are of the user's text."""

    given: Node


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression: its text, where it stands, and its root."""

    text: str
    at: Location
    root: Node

    def place(self, offset: int) -> Location:
        """The location of a character of the text."""
        return place(self.text, self.at, offset)


def place(text: str, at: Location, offset: int) -> Location:
    """Where character `offset` of a text stands that starts at `at`."""
    before = text[:offset]
    lines = before.count("\n")
    if not lines:
        return at.moved(offset)
    return Location(at.file, at.line + lines, offset - before.rindex("\n"))
