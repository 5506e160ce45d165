"""A declared file once read: plain values, and the line and column of every one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from engine.errors import Location, Problem

Path = tuple[str | int, ...]
"""The way to a value: keys of mappings and indexes of lists, from the top."""

_EXCERPT = 160


class Mark(NamedTuple):
    """Where a value begins and ends, lines and columns from 0, and how it is quoted."""

    line: int
    column: int
    end_line: int
    end_column: int
    style: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One declared file: its value, its lines, and where each value and each key stands.

    Attributes:
        file: The path as people are shown it.
        value: Mappings, lists, text, numbers, booleans and None.
        lines: The text, line by line, for excerpts.
        marks: Place of each value by its path.
        keys: Place of each key by the path of its value.

    """

    file: str
    value: Any
    lines: Sequence[str]
    marks: Mapping[Path, Mark]
    keys: Mapping[Path, Mark]

    def at(self, path: Sequence[str | int] = ()) -> Location:
        """The place of a value, or of the nearest value around it that is written down."""
        mark = self.marks[self._known(path)]
        return Location(self.file, mark.line + 1, mark.column + 1)

    def key(self, path: Sequence[str | int]) -> Location:
        """The place of the key of a value; for list items and what is not written, of the value."""
        mark = self.keys.get(tuple(path))
        if mark is None:
            return self.at(path)
        return Location(self.file, mark.line + 1, mark.column + 1)

    def text_at(self, path: Sequence[str | int]) -> Location:
        """The place of the first character inside a text, after its quote or block sign."""
        return self.inside(path, 0)

    def inside(self, path: Sequence[str | int], offset: int) -> Location:
        """The place of the character `offset` of a text, through quotes, folds and escapes.

        The characters of the text are followed in the source one by one; white space that
        folding changed is stepped over. After an escape the place may be a few columns off.
        """
        known = self._known(path)
        mark = self.marks[known]
        value = self._value(known)
        line, column = mark.line, mark.column
        if mark.style in {"'", '"'}:
            column += 1
        elif mark.style in {"|", ">"}:
            line, column = line + 1, 0
        if not isinstance(value, str):
            return Location(self.file, line + 1, column + 1 + offset)
        return self._follow(value, offset, line, column)

    def _follow(self, value: str, offset: int, line: int, column: int) -> Location:
        """Step through the source until `offset` characters of the value have been seen."""
        for index, char in enumerate(value[: offset + 1]):
            if char.isspace():
                if index == offset:
                    break
                column += 1
                continue
            seek = (line, column)
            found = self._next(char, line, column)
            line, column = found or seek
            if index < offset:
                column += 1
        return Location(self.file, line + 1, column + 1)

    def _next(self, char: str, line: int, column: int) -> tuple[int, int] | None:
        """The next place that holds `char`, stepping over white space and escapes."""
        while line < len(self.lines):
            text = self.lines[line]
            while column < len(text):
                if text[column] == char:
                    return line, column
                if not (text[column].isspace() or text[column] in "\\'"):
                    return None
                column += 1
            line, column = line + 1, 0
        return None

    def relocate(self, problem: Problem, path: Sequence[str | int]) -> Problem:
        """Correct the place of a problem found inside a text, counted as if the text stood alone.

        Whoever read the text counted from `text_at(path)`, each line break beginning a new line at
        column 1; the source has quotes, indentation and folds besides.
        """
        base, value = self.text_at(path), self._value(self._known(path))
        if not isinstance(value, str) or problem.at.file != self.file:
            return problem
        row = problem.at.line - base.line
        before = value.split("\n")[:row]
        column = problem.at.column - 1 if row else problem.at.column - base.column
        offset = sum(len(line) + 1 for line in before) + column
        if row < 0 or not 0 < offset <= len(value):
            return problem
        return replace(problem, at=self.inside(path, offset))

    def holds(self, file: str) -> bool:
        """Whether a file is this one."""
        return file == self.file

    def excerpt(self, at: Location) -> str:
        """The source line at a place, cut to a readable length; empty where it would not help."""
        if not 0 < at.line <= len(self.lines) or at.column > _EXCERPT:
            return ""
        line = self.lines[at.line - 1][:_EXCERPT].replace("\t", " ").rstrip()
        return "".join(char if char.isprintable() else "?" for char in line)

    def _known(self, path: Sequence[str | int]) -> Path:
        """What of a path is written in the file, without the steps a shorthand leaves out."""
        known: Path = ()
        for step in path:
            if (*known, step) in self.marks:
                known = (*known, step)
        return known

    def _value(self, path: Path) -> Any:
        """The value at a path that is known to exist."""
        value = self.value
        for step in path:
            value = value[step]
        return value
