"""Text into a tree, by a small grammar of our own: nothing outside it can be said.

From weakest to strongest: `a if c else b`, `or`, `and`, `not`, comparisons, `+ -`, `* / %`, `-x`.
"""

from functools import lru_cache
from typing import NoReturn, TypeVar

from engine.errors import Location, Problem
from engine.model.units import Quantity
from engine.ruleset.expr.syntax import (
    Arith,
    Call,
    Choice,
    Compare,
    Constant,
    Expr,
    Items,
    Logic,
    Name,
    Node,
    Number,
    Unary,
)
from engine.ruleset.expr.tokens import Reader, Refused, Token, tokenize
from engine.text.terms import Term

_Grown = TypeVar("_Grown", bound=Node)
MAX_DEPTH = 40
MAX_NODES = 200
_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
_CONSTANTS = {"true": True, "false": False, "null": None}


def parse(text: str, at: Location) -> Expr | list[Problem]:
    """Read an expression; answers its tree, or what is wrong with it.

    Args:
        text: The expression.
        at: Where its first character stands in the file.

    """
    try:
        return Expr(text, at, _root(text))
    except Refused:
        pass
    try:
        return Expr(text, at, _read(Reader(text, at)))  # once more, for the place of the problem
    except Refused as refused:
        return [refused.problem]


@lru_cache(maxsize=4096)
def _root(text: str) -> Node:
    """The tree of an expression; it is the same wherever the text stands, and cannot change."""
    return _read(Reader(text, Location("")))


def _read(reader: Reader) -> Node:
    return _Parser(reader, tokenize(reader)).whole()


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, reader: Reader, tokens: list[Token]) -> None:
        self.reader = reader
        self.tokens = tokens
        self.next = 0
        self.depth = 0
        self.nodes = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self, *texts: str) -> Token | None:
        """The next token if it is one of these signs or words."""
        token = self.token
        if token.kind in {"sign", "word"} and token.text in texts:
            self.next += 1
            return token
        return None

    def demand(self, text: str) -> Token:
        token = self.take(text)
        if token is None:
            self.fail(f"'{text}'")
        return token

    def fail(self, expected: str) -> NoReturn:
        """Refuse the next token and say what should stand there."""
        token = self.token
        if token.kind == "end":
            if not self.reader.text.strip():
                raise self.reader.refuse(0, "R309")
            raise self.reader.refuse(token.start, "R311", expected=Term(expected))
        raise self.reader.refuse(
            token.start, "R301", expected=Term(expected), found=token.text[:40]
        )

    def grown(self, node: _Grown) -> _Grown:
        """Count a finished part against the limit."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.reader.refuse(node.start, "R304", limit=MAX_NODES)
        return node

    def deeper(self) -> None:
        """Count one more level of nesting against the limit."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.reader.refuse(self.token.start, "R303", limit=MAX_DEPTH)

    def whole(self) -> Node:
        """The whole text as one expression."""
        root = self.expression()
        if self.token.kind != "end":
            self.fail("operator")
        return root

    def expression(self) -> Node:
        """`a if condition else b`, or anything stronger."""
        self.deeper()
        then = self.disjunction()
        if self.take("if"):
            condition = self.disjunction()
            self.demand("else")
            other = self.expression()
            then = self.grown(Choice(then.start, other.end, condition, then, other))
        self.depth -= 1
        return then

    def disjunction(self) -> Node:
        operands = [self.conjunction()]
        while self.take("or"):
            operands.append(self.conjunction())
        return self.logic("or", operands)

    def conjunction(self) -> Node:
        operands = [self.negation()]
        while self.take("and"):
            operands.append(self.negation())
        return self.logic("and", operands)

    def logic(self, op: str, operands: list[Node]) -> Node:
        if len(operands) == 1:
            return operands[0]
        return self.grown(Logic(operands[0].start, operands[-1].end, op, tuple(operands)))

    def negation(self) -> Node:
        token = self.take("not")
        if token is None:
            return self.comparison()
        self.deeper()
        operand = self.negation()
        self.depth -= 1
        return self.grown(Unary(token.start, operand.end, "not", operand))

    def comparison(self) -> Node:
        operands, ops, places = [self.sum()], [], []
        while True:
            start = self.token.start
            op = self.comparison_sign()
            if op is None:
                break
            ops.append(op)
            places.append(start)
            operands.append(self.sum())
        if not ops:
            return operands[0]
        if len(ops) > 1 and not _COMPARISONS.issuperset(ops):
            raise self.reader.refuse(places[1], "R312")
        span = (operands[0].start, operands[-1].end)
        return self.grown(Compare(*span, tuple(operands), tuple(ops), tuple(places)))

    def comparison_sign(self) -> str | None:
        """The comparison that stands next, taken; `not in` is one."""
        token = self.token
        if token.kind == "sign" and token.text in _COMPARISONS:
            self.next += 1
            return token.text
        if self.take("in"):
            return "in"
        if self.take("not"):
            self.demand("in")
            return "not in"
        return None

    def sum(self) -> Node:
        left = self.product()
        while sign := self.take("+", "-"):
            right = self.product()
            left = self.grown(Arith(left.start, right.end, sign.text, left, right, sign.start))
        return left

    def product(self) -> Node:
        left = self.negative()
        while sign := self.take("*", "/", "%"):
            right = self.negative()
            left = self.grown(Arith(left.start, right.end, sign.text, left, right, sign.start))
        return left

    def negative(self) -> Node:
        sign = self.take("-")
        if sign is None:
            return self.primary()
        self.deeper()
        operand = self.negative()
        self.depth -= 1
        return self.grown(Unary(sign.start, operand.end, "-", operand))

    def primary(self) -> Node:
        """A number, text, constant, name, call, list, or something in brackets."""
        token = self.token
        if token.kind == "number":
            self.next += 1
            assert isinstance(token.value, Quantity)  # noqa: S101 - by construction
            return self.grown(Number(token.start, token.end, token.value.value, token.value.unit))
        if token.kind == "text":
            self.next += 1
            assert isinstance(token.value, str)  # noqa: S101 - by construction
            return self.grown(Constant(token.start, token.end, token.value))
        if token.kind == "name":
            return self.name()
        if self.take("("):
            inner = self.expression()
            self.demand(")")
            return inner
        if self.take("["):
            items = self.sequence("]")
            end = self.tokens[self.next - 1].end
            return self.grown(Items(token.start, end, items))
        if token.kind == "word" and token.text in _CONSTANTS:
            self.next += 1
            return self.grown(Constant(token.start, token.end, _CONSTANTS[token.text]))
        return self.fail("value")

    def sequence(self, closing: str) -> tuple[Node, ...]:
        """Expressions between commas up to the closing bracket; a last comma is allowed."""
        items: list[Node] = []
        while not self.take(closing):
            items.append(self.expression())
            if not self.take(","):
                if not self.take(closing):
                    self.fail(f"',' or '{closing}'")
                break
        return tuple(items)

    def name(self) -> Node:
        """A name with its dots, or a call."""
        first = self.token
        self.next += 1
        if self.take("("):
            args = self.sequence(")")
            end = self.tokens[self.next - 1].end
            return self.grown(Call(first.start, end, first.text, args))
        parts, end = [first.text], first.end
        while self.take("."):
            part = self.token
            if part.kind not in {"name", "word"}:
                self.fail("name")
            self.next += 1
            parts.append(part.text)
            end = part.end
        if self.token.kind == "sign" and self.token.text == "(":
            raise self.reader.refuse(first.start, "R313", name=".".join(parts)[:40])
        return self.grown(Name(first.start, end, tuple(parts)))
