"""A YAML file as it is written: nodes, how each is spelled, and the comments that belong to it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import yaml

Place = tuple[int, int]
"""Line and column, both from 0."""


class Why(StrEnum):
    """Why a file is left alone; the sentences are `fmt-why-<value>`."""

    DIRECTIVE = "directive"
    KEY = "key"
    BLOCK = "block"
    LIST = "list"
    NO_MAPPING = "no-mapping"
    BREAK = "break"
    DOUBT = "doubt"


class Unformattable(Exception):
    """Something is written in a way that cannot be laid out anew without a risk.

    Attributes:
        line, column: Where, counted from 1.

    """

    def __init__(self, reason: Why, place: Place = (0, 0)) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line, self.column = place[0] + 1, place[1] + 1


@dataclass(slots=True)
class Comment:
    """A comment with its sign; `alone` when nothing else stands on its line."""

    place: Place
    text: str
    alone: bool


@dataclass(slots=True)
class Node:
    """A value: a scalar, a list or a mapping, in flow (`{}`, `[]`) or block style.

    Attributes:
        kind: `scalar`, `list` or `mapping`.
        style: Of a scalar its quote or block sign, `flow` or `block` of the others.
        raw: A scalar as written; for block scalars all its lines.
        entries: What a list or mapping holds.
        foot: Comments behind the last entry; an empty text is a blank line.
        whole: A flow value that must be kept as it is written.
        pair: A mapping that stands in a list without braces of its own: `[at: 5m, 12]`.

    """

    kind: str
    style: str
    start: Place
    end: Place
    raw: list[str] = field(default_factory=list)
    entries: list["Entry"] = field(default_factory=list)
    foot: list[str] = field(default_factory=list)
    whole: bool = False
    pair: bool = False

    @property
    def is_block(self) -> bool:
        """Whether its entries stand on lines of their own."""
        return self.style == "block"


@dataclass(slots=True)
class Entry:
    """One item of a list, or one key with its value.

    Attributes:
        lead: Comments above it; an empty text is a blank line.
        trail: The comment behind its first line, and the lines that go on with it.

    """

    start: Place
    key: Node | None
    value: Node
    lead: list[str] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)


def parse(text: str) -> tuple[Node, list[str], bool]:
    """The tree of a file that the project's reader accepts, its lines, and whether `---` begins it.

    Raises:
        Unformattable: Something is written in a way that is not laid out anew.

    """
    lines = text.split("\n")
    builder = _Builder(lines)
    root: Node | None = None
    begins = False
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and event.version:
            raise Unformattable(Why.DIRECTIVE, _place(event.start_mark))
        if isinstance(event, yaml.DocumentStartEvent):
            begins = bool(event.explicit)
        if isinstance(event, yaml.NodeEvent):
            root = builder.node(event, events)
            break
    for _ in events:
        pass
    if root is None or not root.is_block:
        raise Unformattable(Why.NO_MAPPING)
    return root, lines, begins


def entries(node: Node) -> Iterator[tuple[Node, Entry]]:
    """All entries of block style below a node, each with what holds it, in their order."""
    if node.is_block:
        for entry in node.entries:
            yield node, entry
            yield from entries(entry.value)


class _Builder:
    """Builds nodes from the parser's events."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def node(self, event: Any, events: Iterator[Any]) -> Node:
        """The node that begins with this event; takes all events that belong to it."""
        start, end = _place(event.start_mark), _place(event.end_mark)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, start, end)
        is_map = isinstance(event, yaml.MappingStartEvent)
        flow = bool(event.flow_style)
        node = Node("mapping" if is_map else "list", "flow" if flow else "block", start, end)
        node.pair = flow and self.lines[start[0]][start[1] : start[1] + 1] not in ("{", "[")
        closing = yaml.MappingEndEvent if is_map else yaml.SequenceEndEvent
        while not isinstance(event := next(events), closing):
            self._entry(node, event, events)
        if flow:
            node.end = _place(event.end_mark)
        return node

    def _entry(self, node: Node, event: Any, events: Iterator[Any]) -> None:
        """One entry of a node."""
        if node.kind == "list":
            value = self.node(event, events)
            dash = self._dash(value) if node.is_block else value.start
            node.entries.append(Entry(dash, None, value))
            node.whole |= value.whole
            return
        key = self.node(event, events)
        if key.kind != "scalar" or key.start[0] != key.end[0] or self._explicit(key):
            raise Unformattable(Why.KEY, key.start)
        value = self.node(next(events), events)
        node.entries.append(Entry(key.start, key, value))
        node.whole |= value.whole

    def _explicit(self, key: Node) -> bool:
        """Whether a key is written with a question mark before it."""
        before = self.lines[key.start[0]][: key.start[1]].rstrip()
        return before.endswith("?")

    def _dash(self, value: Node) -> Place:
        """Where the dash of a list item stands: before its value, or on a line above."""
        line, column = value.start
        before = self.lines[line][:column]
        while "-" not in before or before[before.rindex("-") + 1 :].strip():
            line -= 1
            if line < 0:
                raise Unformattable(Why.LIST, value.start)
            before = self.lines[line].split("#", 1)[0]
        return line, before.rindex("-")

    def _scalar(self, event: Any, start: Place, end: Place) -> Node:
        style = event.style or ""
        if style in ("|", ">"):
            raw, end = self._block(start)
        elif start[0] == end[0]:
            raw = [self.lines[start[0]][start[1] : end[1]]]
        else:
            between = self.lines[start[0] + 1 : end[0]]
            raw = [self.lines[start[0]][start[1] :], *between, self.lines[end[0]][: end[1]]]
        node = Node("scalar", style, start, end, [line.rstrip() for line in raw])
        if style in ("|", ">"):
            node.raw = raw
        node.whole = len(raw) > 1
        return node

    def _block(self, start: Place) -> tuple[list[str], Place]:
        """The lines of a text in block style: its sign, then its content without indentation."""
        header = self.lines[start[0]][start[1] :].rstrip()
        if header not in ("|", ">", "|-", ">-"):
            raise Unformattable(Why.BLOCK, start)
        content: list[str] = []
        margin = -1
        last = start[0]
        for number in range(start[0] + 1, len(self.lines)):
            line = self.lines[number]
            indent = len(line) - len(line.lstrip(" "))
            if not line.strip(" "):
                content.append("")
                continue
            if margin < 0:
                margin = indent
            if indent < margin or margin == 0:
                break
            content.append(line[margin:])
            last = number
        content = content[: last - start[0]]
        if not content or not content[0]:
            raise Unformattable(Why.BLOCK, start)
        return [header, *content], (last, len(self.lines[last]))


def _place(mark: Any) -> Place:
    return mark.line, mark.column
