"""YAML as people declare it: every value with its line and column, and nothing surprising.

Read from the events of the C parser, so that a hostile file is refused before anything is built:
repeated keys, anchors, aliases, tags, merge keys, several documents, tabs as indentation, too
much depth, size or number of values.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from engine.errors import Location, Problem
from engine.ruleset.document import Document, Mark, Path
from engine.ruleset.scalars import resolve

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_VALUES = 100_000
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r\n|[\n\r\u0085\u2028\u2029]")
_TAB = re.compile(r"[ ]*\t[ \t]*[^\s#]")


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """A file of a pack as it was found: the path people know it by, and its bytes."""

    path: str
    raw: bytes


class Reading(NamedTuple):
    """What reading gave: a document unless nothing of it can be trusted, and all problems."""

    document: Document | None
    problems: tuple[Problem, ...]


def read(file: DeclaredFile) -> Reading:
    """Read one YAML file into plain values with places.

    Never raises for what the file holds. A repeated key keeps its first value; after any other
    problem than a repeated key there is no document.
    """
    text = decode(file)
    if isinstance(text, Problem):
        return Reading(None, (text,))
    lines = _BREAK.split(text)
    tabs = [
        Problem(Location(file.path, number, line.index("\t") + 1), "R103")
        for number, line in enumerate(lines if "\t" in text else (), 1)
        if _TAB.match(line)
    ]
    if tabs:
        return Reading(None, tuple(tabs))
    builder = _Builder(file.path)
    try:
        builder.take_all(yaml.CSafeLoader(text).get_event)
    except yaml.YAMLError as error:
        builder.problems.append(_syntax(file.path, error, lines))
        builder.stopped = True
    if not builder.stopped and not builder.documents:
        builder.problems.append(Problem(Location(file.path), "R121"))
        builder.stopped = True
    if builder.stopped:
        return Reading(None, tuple(builder.problems))
    document = Document(file.path, builder.value, lines, builder.marks, builder.keys)
    return Reading(document, tuple(builder.problems))


def decode(file: DeclaredFile, limit: int = MAX_BYTES) -> str | Problem:
    """The text of a file: UTF-8, with or without a byte order mark, and not too large."""
    start = Location(file.path)
    if len(file.raw) > limit:
        return Problem(start, "R100", {"limit": f"{limit // 1_000_000} MB"})
    raw = file.raw.removeprefix(_BOM)
    if raw.startswith(_WIDE_BOMS):
        return Problem(start, "R101", {"byte": f"0x{raw[0]:02x}"})
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        return Problem(_end_of(file.path, before), "R101", {"byte": f"0x{raw[error.start]:02x}"})
    control = _CONTROL.search(text)
    if control:
        place = _end_of(file.path, text[: control.start()])
        return Problem(place, "R102", {"char": f"U+{ord(control.group()):04X}"})
    return text


def _end_of(path: str, before: str) -> Location:
    """The place just after some text at the start of a file."""
    lines = _BREAK.split(before)
    return Location(path, len(lines), len(lines[-1]) + 1)


_SYNTAX = (
    ("mapping values are not allowed", "R106"),
    ("cannot start any token", "R107"),
    ("could not find expected ':'", "R108"),
    ("did not find expected key", "R109"),
    ("did not find expected '-' indicator", "R109"),
    ("expected ',' or", "R105"),
    ("unexpected end of stream", "R105"),
    ("escape", "R110"),
    ("undefined tag handle", "R116"),
    ("anchor", "R115"),
    ("alias", "R115"),
    ("tag", "R116"),
)
_OPENED = frozenset({"R105"})
_NO_COLON = "R108"


def _closes(line: str, column: int) -> bool:
    """Whether a bracket is closed behind a place, so that what stands in it is at fault."""
    return any(bracket in line[column:] for bracket in "}]")


def _syntax(path: str, error: yaml.YAMLError, lines: Sequence[str]) -> Problem:
    """The parser's complaint in our words, at the place a person has to mend."""
    said = str(getattr(error, "problem", "") or "")
    code = next((code for part, code in _SYNTAX if part in said), "R104")
    mark = getattr(error, "problem_mark", None)
    if code in _OPENED:
        opened = getattr(error, "context_mark", None)
        if opened and mark and opened.line == mark.line and _closes(lines[mark.line], mark.column):
            code = "R152"
        else:
            mark = opened or mark
    if code == _NO_COLON:  # the parser notices it on a later line than the key
        mark = getattr(error, "context_mark", None) or mark
    if mark is None:
        return Problem(Location(path), code)
    return Problem(Location(path, mark.line + 1, mark.column + 1), code)


_NODES = frozenset({yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent})
_ENDS = frozenset({yaml.SequenceEndEvent, yaml.MappingEndEvent})


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled."""

    path: Path
    value: Any
    key: str | None = None
    awaits_key: bool = False
    repeated: bool = False


@dataclass(slots=True)
class _Builder:
    """Builds the value of a document from parser events, noting each place."""

    file: str
    value: Any = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    documents: int = 0
    values: int = 0
    skipping: int = 0
    stopped: bool = False

    def take_all(self, following: Callable[[], Any]) -> None:
        """Use every event; sets `stopped` when the rest of the file must not be read.

        Args:
            following: Gives the next event, None after the last.

        """
        while not self.stopped:
            event = following()
            kind = type(event)
            if kind in _NODES:
                self._node(event)
            elif kind in _ENDS:
                self._close()
            elif kind is yaml.DocumentStartEvent:
                self._document(event)
            elif kind is yaml.AliasEvent:
                self._refuse(event, "R115", name=f"*{event.anchor}")
            elif event is None:
                break

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse(event, "R118")

    def _refuse(self, event: Any, code: str, **found: object) -> None:
        """Note a problem after which the file is not used."""
        mark = event.start_mark
        place = Location(self.file, mark.line + 1, mark.column + 1)
        self.problems.append(Problem(place, code, found))
        self.stopped = True

    def _node(self, event: Any) -> None:
        """Take a scalar, or the start of a list or mapping."""
        self.values += 1
        if event.anchor:
            self._refuse(event, "R115", name=f"&{event.anchor}")
        elif event.tag:
            self._refuse(event, "R116", tag=str(event.tag)[:60])
        elif self.values > MAX_VALUES:
            self._refuse(event, "R120", limit=MAX_VALUES)
        elif len(self.open) + self.skipping >= MAX_DEPTH and not isinstance(
            event, yaml.ScalarEvent
        ):
            self._refuse(event, "R119", limit=MAX_DEPTH)
        elif self.open and self.open[-1].awaits_key and not self.skipping:
            self._key(event)
        else:
            self._value(event)

    def _key(self, event: Any) -> None:
        """Take the key of a mapping."""
        if not isinstance(event, yaml.ScalarEvent) or not event.value:
            braces = isinstance(event, yaml.MappingStartEvent) and event.flow_style
            self._refuse(event, "R145" if braces else "R122")
            return
        top, name = self.open[-1], event.value
        if name == "<<" and event.implicit[0]:
            self._refuse(event, "R117")
            return
        top.key, top.awaits_key = name, False
        path = (*top.path, name)
        top.repeated = name in top.value
        if top.repeated:
            first = self.keys[path].line + 1
            here = _mark(event)
            place = Location(self.file, here.line + 1, here.column + 1)
            self.problems.append(Problem(place, "R114", {"name": name[:60], "line": first}))
        else:
            self.keys[path] = _mark(event)

    def _value(self, event: Any) -> None:
        """Take a value: put it where it belongs and, if it is a list or mapping, open it."""
        if self.skipping or (self.open and self.open[-1].repeated):
            self._skip(event)
            return
        value: Any
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        is_scalar = not is_mapping and isinstance(event, yaml.ScalarEvent)
        if is_scalar:
            value = resolve(event.value) if event.implicit[0] else event.value
        else:
            value = {} if is_mapping else []
        path = self._place(value)
        self.marks[path] = _mark(event)
        if not is_scalar:
            self.open.append(_Open(path, value, awaits_key=is_mapping))

    def _place(self, value: Any) -> Path:
        """Put a value into what is open; answers its path."""
        if not self.open:
            self.value = value
            return ()
        top = self.open[-1]
        if top.key is None:
            top.value.append(value)
            return (*top.path, len(top.value) - 1)
        top.value[top.key] = value
        path = (*top.path, top.key)
        top.key, top.awaits_key = None, True
        return path

    def _skip(self, event: Any) -> None:
        """Pass over the value of a repeated key, however deep."""
        if not isinstance(event, yaml.ScalarEvent):
            self.skipping += 1
        elif not self.skipping:
            self._skipped()

    def _skipped(self) -> None:
        top = self.open[-1]
        top.key, top.awaits_key, top.repeated = None, True, False

    def _close(self) -> None:
        """End the innermost list or mapping."""
        if not self.skipping:
            self.open.pop()
            return
        self.skipping -= 1
        if not self.skipping:
            self._skipped()


def _mark(event: Any) -> Mark:
    """The place of an event; the style is the quote or block sign of a text."""
    start, end = event.start_mark, event.end_mark
    style = event.style if isinstance(event, yaml.ScalarEvent) else ""
    return Mark(start.line, start.column, end.line, end.column, style or "")
