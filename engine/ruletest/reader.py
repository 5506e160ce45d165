"""Takes a test file apart: typed values by path, and every problem with its place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from engine.errors import Location, Problem
from engine.ruleset.document import Document, Path
from engine.ruletest.moments import Unreadable

_WANTED = {"mapping": "T103", "list": "T121", "text": "T122", "whole": "T123"}


def nearest(name: str, names: Collection[str]) -> str:
    """The known name most like a wrong one, or nothing."""
    return next(iter(get_close_matches(name, sorted(names), 1)), "")


@dataclass(slots=True)
class Reader:
    """One test file being read; `problems` grows as it goes."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: Path) -> Location:
        """The place of a value."""
        return self.document.at(path)

    def blame(self, place: Location, code: str, near: str = "", **found: object) -> None:
        """Note a problem at a place."""
        excerpt = self.document.excerpt(place)
        self.problems.append(Problem(place, code, found, nearest=near, excerpt=excerpt))

    def unreadable(self, path: Path, problem: Unreadable) -> None:
        """Note a text that says nothing we know, at the character where it stops making sense."""
        place = self.document.inside(path, problem.column)
        excerpt = self.document.excerpt(place)
        self.problems.append(Problem(place, problem.code, problem.found, excerpt=excerpt))

    def mapping(
        self, value: object, path: Path, allowed: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """A mapping, its keys checked against those allowed (any, if none are named)."""
        if not isinstance(value, Mapping):
            self.wrong(path, "mapping", value)
            return {}
        for name in value:
            if allowed and name not in allowed:
                place = self.document.key((*path, name))
                self.blame(place, "T101", nearest(name, allowed), name=name)
        return value

    def sequence(self, value: object, path: Path) -> list[Any]:
        """A list."""
        if isinstance(value, list):
            return value
        self.wrong(path, "list", value)
        return []

    def text(self, value: object, path: Path) -> str:
        """A text; numbers are taken as they would be written."""
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.wrong(path, "text", value)
        return ""

    def whole(self, value: object, path: Path) -> int:
        """A whole number of at least 1."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.wrong(path, "whole", value)
        return 1

    def wrong(self, path: Path, kind: str, value: object) -> None:
        """Note that a value is of another kind than wanted (`mapping`, `list`, `text`, `whole`)."""
        shown = "{...}" if isinstance(value, dict) else str(value)
        shown = "[...]" if isinstance(value, list) else shown
        self.blame(self.at(path), _WANTED[kind], found=shown[:60])
