"""Lays a declared file out anew; what it says and its comments stay the same, or it is refused."""

from collections.abc import Sequence
from typing import Any

import yaml

from engine.errors import Problem
from engine.ruleset.fmt.comments import attach, find_comments
from engine.ruleset.fmt.flow import flow, shifted, spelled, width
from engine.ruleset.fmt.order import COLUMNS, kind_of, name_of, ordered
from engine.ruleset.fmt.tree import Entry, Node, Unformattable, Why, parse
from engine.ruleset.source import DeclaredFile, decode, read

COMMENTS = 51
"""Comments behind a line begin in this column (from 0) where the line leaves room for them."""

_STEP = 2
_GAP = 3
_ODD_BREAKS = ("\r", "\u0085", "\u2028", "\u2029")
_Line = tuple[str, Sequence[str]]
"""A line and the comments behind it."""


def format_file(file: DeclaredFile) -> str | tuple[Problem, ...]:
    """The file's text in canonical layout, or what is wrong with the file.

    Raises:
        Unformattable: It cannot be laid out anew without a risk.

    """
    before = read(file)
    if before.document is None or before.problems:
        return before.problems
    text = decode(file)
    assert isinstance(text, str)  # noqa: S101 - it was read above
    text = text.replace("\r\n", "\n")
    for odd in _ODD_BREAKS:
        if odd in text:
            line = text[: text.index(odd)].count("\n")
            raise Unformattable(Why.BREAK, (line, 0))
    laid_out = _lay_out(text)
    after = read(DeclaredFile(file.path, laid_out.encode()))
    same = after.document is not None and _same(before.document.value, after.document.value)
    if not same or _comments(text) != _comments(laid_out) or _lay_out(laid_out) != laid_out:
        raise Unformattable(Why.DOUBT)
    return laid_out


def _lay_out(text: str) -> str:
    """The canonical text."""
    try:
        root, lines, begins = parse(text)
    except yaml.YAMLError as error:
        raise Unformattable(Why.DOUBT) from error
    writer = _Writer(lines, kind_of(root))
    head = attach(root, lines)
    root.entries = ordered(root)
    written: list[_Line] = [("---", ())] if begins else []
    written += [(comment, ()) for comment in _blanks_once(head)]
    if written and not head:
        written = written[:1]
    writer.block(root, 0, written)
    return _joined(written)


class _Writer:
    """Writes blocks line by line."""

    def __init__(self, lines: list[str], kind: str) -> None:
        self.lines = lines
        self.kind = kind

    def block(self, node: Node, indent: int, out: list[_Line], path: tuple[str, ...] = ()) -> None:
        """All entries of a list or mapping in block style."""
        column = self._column(node, path)
        for number, entry in enumerate(node.entries):
            lead = list(entry.lead)
            if number == 0:
                lead = lead[next((n for n, one in enumerate(lead) if one), len(lead)) :]
            elif self.kind == "tests" and path == ("tests",):
                lead = ["", *lead]
            out += [(" " * indent + one if one else "", ()) for one in _blanks_once(lead)]
            self._entry(entry, indent, out, path, column)
        foot = _blanks_once(node.foot)
        out += [(" " * indent + one if one else "", ()) for one in foot]

    def _column(self, node: Node, path: tuple[str, ...]) -> int:
        """How wide the names of a mapping are that is set out in columns; 0 where none is."""
        if not path or path[-1] not in COLUMNS.get(self.kind, ()) or node.kind != "mapping":
            return 0
        if any(entry.value.is_block or entry.value.whole for entry in node.entries):
            return 0
        return max(width(spelled(entry.key)) for entry in node.entries if entry.key is not None)

    def _entry(
        self, entry: Entry, indent: int, out: list[_Line], path: tuple[str, ...], column: int
    ) -> None:
        if entry.key is None:
            start = " " * indent + "-"
        else:
            start = " " * indent + spelled(entry.key) + ":"
            start += " " * max(0, column - width(spelled(entry.key)))
        value = entry.value
        if not value.is_block:
            lines = self._plain(value, start, indent)
            out += [(line, ()) for line in lines[:-1]]
            out.append((lines[-1], entry.trail))
        elif entry.key is None:
            above = [comment for comment in _above_item(entry) if comment]
            out += [(" " * indent + comment, ()) for comment in above]
            inner: list[_Line] = []
            self.block(value, indent + _STEP, inner, (*path, "-"))
            first = inner[0]
            out.append((start + " " + first[0][indent + _STEP :], first[1]))
            out += inner[1:]
        else:
            out.append((start, entry.trail))
            self.block(value, indent + _STEP, out, (*path, name_of(entry)))

    def _plain(self, value: Node, start: str, indent: int) -> list[str]:
        """A scalar or a value in brackets behind the start of its line."""
        if value.style in ("|", ">"):
            margin = " " * (indent + _STEP)
            content = [margin + line.rstrip(" ") if line else "" for line in value.raw[1:]]
            return [f"{start} {value.raw[0]}", *content]
        if value.kind == "scalar" and len(value.raw) <= 1:
            return [f"{start} {spelled(value)}".rstrip()]
        if value.kind == "scalar":
            margin = " " * (indent + _STEP)
            more = [margin + text if (text := line.strip(" ")) else "" for line in value.raw[1:]]
            return [f"{start} {value.raw[0]}", *more]
        column = width(start) + 1
        if value.whole:
            (first, left), (last, right) = value.start, value.end
            lines = [self.lines[first][left:], *self.lines[first + 1 : last]]
            lines.append(self.lines[last][:right])
            lines = [line.rstrip() for line in lines]
            old = width(self.lines[first][:left])
            moved = shifted(lines, old, column, indent + _STEP)
            return [f"{start} {moved[0]}", *moved[1:]]
        lines = flow(value, column)
        return [f"{start} {lines[0]}", *lines[1:]]


def _above_item(entry: Entry) -> list[str]:
    """Takes what stands between the dash of an item and its first line; it goes above the dash."""
    taken = entry.trail
    entry.trail = []
    first = entry.value.entries[0]
    taken += first.lead
    first.lead = []
    if first.key is None and first.value.is_block:
        taken += _above_item(first)
    return taken


def _joined(written: list[_Line]) -> str:
    """All lines with their comments; no blank line at either end."""
    lines: list[str] = []
    for text, trail in written:
        if not trail:
            lines.append(text)
            continue
        column = max(COMMENTS, width(text) + _GAP)
        lines.append(text + " " * (column - width(text)) + trail[0])
        lines += [" " * _characters(lines[-1], trail[0]) + more for more in trail[1:]]
    return "\n".join(lines).strip("\n") + "\n"


def _characters(line: str, comment: str) -> int:
    """In which column, counted in characters, a comment stands."""
    return len(line) - len(comment)


def _blanks_once(lead: Sequence[str]) -> list[str]:
    """Comments and blank lines, never two blank lines after each other."""
    return [one for number, one in enumerate(lead) if one or number == 0 or lead[number - 1]]


def _comments(text: str) -> list[str]:
    """Every comment of a text, whatever its place."""
    root, lines, _ = parse(text)
    return sorted(comment.text for comment in find_comments(root, lines))


def _same(one: Any, other: Any) -> bool:
    """Whether two files say the same, up to the order of the keys at the top."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return all(repr(one[name]) == repr(other[name]) for name in one)
    return False
