"""A declared file with another file's values laid over it; each value knows where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Location, Problem
from engine.ruleset.document import Document, Path


@dataclass(frozen=True, slots=True)
class Overridden:
    """One value that another file changed.

    Attributes:
        path: The way to it in the file that was changed.
        how: `replace` or `append`.
        old: What stood there; None where nothing did.
        new: What stands there now; None where it was taken away.
        by: Name of the override.
        at: Where the override says it.

    """

    path: Path
    how: str
    old: Any
    new: Any
    by: str
    at: Location


@dataclass(frozen=True, slots=True)
class Layered(Document):
    """A document some of whose values stand in other documents.

    Attributes:
        base: The document below.
        origins: For each value that is laid over it, the document and the path there.

    """

    base: Document | None = None
    origins: Mapping[Path, tuple[Document, Path]] = field(default_factory=dict)

    @classmethod
    def over(
        cls, base: Document, value: Any, origins: Mapping[Path, tuple[Document, Path]]
    ) -> "Layered":
        """Lay values over a document; `value` is what they make together."""
        return cls(base.file, value, base.lines, base.marks, base.keys, base, origins)

    def at(self, path: Sequence[str | int] = ()) -> Location:
        """The place of a value, or of the nearest value around it that is written down."""
        document, inner = self._origin(path)
        return document.at(inner)

    def key(self, path: Sequence[str | int]) -> Location:
        """The place of the key of a value."""
        document, inner = self._origin(path)
        return document.key(inner)

    def text_at(self, path: Sequence[str | int]) -> Location:
        """The place of the first character inside a text."""
        document, inner = self._origin(path)
        return document.text_at(inner)

    def inside(self, path: Sequence[str | int], offset: int) -> Location:
        """The place of a character of a text."""
        document, inner = self._origin(path)
        return document.inside(inner, offset)

    def relocate(self, problem: Problem, path: Sequence[str | int]) -> Problem:
        """Correct the place of a problem found inside a text, in whichever file it stands."""
        document, inner = self._origin(path)
        return document.relocate(problem, inner)

    def excerpt(self, at: Location) -> str:
        """The source line at a place of any of its files."""
        for document in (self._below, *(document for document, _ in self.origins.values())):
            if document.file == at.file:
                return document.excerpt(at)
        return ""

    def holds(self, file: str) -> bool:
        """Whether a file is one of those it is made of."""
        documents = (self._below, *(document for document, _ in self.origins.values()))
        return any(document.holds(file) for document in documents)

    @property
    def _below(self) -> Document:
        assert self.base is not None  # noqa: S101 - `over` gave it
        return self.base

    def _origin(self, path: Sequence[str | int]) -> tuple[Document, Path]:
        """The document that says what stands at a path, and the path there."""
        steps = tuple(path)
        for length in range(len(steps), 0, -1):
            found = self.origins.get(steps[:length])
            if found is not None:
                return found[0], (*found[1], *steps[length:])
        return self._below, steps
