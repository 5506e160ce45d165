"""The text of an expression cut into words, numbers, texts and signs."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from engine.errors import Location, Problem
from engine.model.units import Quantity, QuantityError, scan_quantity
from engine.ruleset.expr.syntax import place

MAX_LENGTH = 2000
WORDS = frozenset({"and", "or", "not", "in", "if", "else", "true", "false", "null"})
_SPACE = re.compile(r"[ \t\r\n]+")
_NAME = re.compile(r"[^\W\d]\w*")
_SIGNS = re.compile(r"<=|>=|==|!=|[<>+\-*/%()\[\],.]")
_FOREIGN_SIGNS = re.compile(
    r"\*\*|//|&&|\|\||<>|:=|=>|[=!&|^~?:;{}@#$`“”‘’，。（）＞＜＝！＋－×÷≥≤≠【】、]"
)
_INSTEAD = {
    "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "！": "not", "=": "==", "＝": "==",
    "<>": "!=", "≠": "!=", "≥": ">=", "≤": "<=", "＞": ">", "＜": "<", "“": '"', "”": '"',
    "‘": "'", "’": "'", "，": ",", "、": ",", "（": "(", "）": ")", "【": "[", "】": "]", "＋": "+",
    "－": "-", "×": "*", "÷": "/", "=>": ">=", "//": "/", "?": "if … else …",
    "AND": "and", "OR": "or", "NOT": "not", "IN": "in", "And": "and", "Or": "or", "Not": "not",
    "None": "null", "NULL": "null", "Null": "null", "nil": "null", "none": "null", "is": "==",
    "True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "elif": "else",
}  # fmt: skip
_ESCAPED = re.compile(r"""\\([\\"'])""")
_MEANT = 40


class Token(NamedTuple):
    """One word of an expression. `kind` is `number`, `text`, `name`, `word`, `sign` or `end`."""

    kind: str
    text: str
    start: int
    end: int
    value: str | Quantity | None = None


class Refused(Exception):
    """Reading stopped: the text is not an expression of ours."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.code)


@dataclass(slots=True)
class Reader:
    """A text being read, able to say where something in it went wrong."""

    text: str
    at: Location

    def refuse(self, offset: int, code: str, nearest: str = "", **found: object) -> Refused:
        """The problem `code` at a character of the text."""
        return Refused(Problem(place(self.text, self.at, offset), code, found, nearest))


def tokenize(reader: Reader) -> list[Token]:
    """Cut the text into tokens, the last of which is `end`.

    Raises:
        Refused: The text is too long, a quote is not closed, a number or unit cannot be read, or
            a character has no meaning here.

    """
    text = reader.text
    if len(text) > MAX_LENGTH:
        raise reader.refuse(0, "R302", length=len(text), limit=MAX_LENGTH)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        token = _next(reader, at)
        tokens.append(token)
        at = token.end
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def _next(reader: Reader, at: int) -> Token:
    """The token that starts at `at`, which is no space."""
    text, char = reader.text, reader.text[at]
    if char in "0123456789":
        return _number(reader, at)
    name = _NAME.match(text, at)
    if name:
        word = name[0]
        if word in _INSTEAD:
            raise reader.refuse(at, "R308", found=word, instead=_INSTEAD[word])
        return Token("word" if word in WORDS else "name", word, at, name.end())
    if char in "\"'":
        return _text(reader, at)
    foreign = _FOREIGN_SIGNS.match(text, at)
    if foreign and not text.startswith(("!=", "=="), at):
        if foreign[0] in _INSTEAD:
            raise reader.refuse(at, "R308", found=foreign[0], instead=_INSTEAD[foreign[0]])
        raise reader.refuse(at, "R306", char=foreign[0])
    sign = _SIGNS.match(text, at)
    if sign:
        return Token("sign", sign[0], at, sign.end())
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    raise reader.refuse(at, "R306", char=shown)


def _number(reader: Reader, at: int) -> Token:
    """A number and its unit."""
    try:
        quantity, end = scan_quantity(reader.text, at, WORDS)
    except QuantityError as error:
        raise reader.refuse(error.column, error.code, error.nearest, **error.found) from None
    return Token("number", reader.text[at:end], at, end, quantity)


def _text(reader: Reader, at: int) -> Token:
    """A text in quotes. A backslash stands for itself unless a quote or backslash follows it."""
    text, quote, end = reader.text, reader.text[at], at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" and text[end + 1 : end + 2] in {"\\", '"', "'"} else 1
    if end >= len(text):
        raise reader.refuse(at, "R305", text=text[at : at + _MEANT])
    return Token("text", text[at : end + 1], at, end + 1, _ESCAPED.sub(r"\1", text[at + 1 : end]))
