"""Problems gathered while one declared file is being checked."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.errors import Level, Problem
from engine.ruleset.document import Document
from engine.ruleset.shape import nearest, show

_UNKNOWN = frozenset({"R333", "R334"})
_WARNS = ("W", "D2")
"""How codes of warnings begin; those of the desk have a block of their own."""


@dataclass(slots=True)
class Notes:
    """Collects the problems of one document, each at its place.

    Attributes:
        broken: Names that files would have declared which could not be read, and codes of
            what cannot be known therefore; that they are unknown is not said again.

    """

    document: Document
    broken: Collection[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)

    def add(
        self,
        path: Sequence[str | int],
        code: str,
        near: str = "",
        *,
        at_key: bool = False,
        **found: object,
    ) -> None:
        """Note a problem at a value, or at its key; the code says whether it is a warning."""
        at = self.document.key(path) if at_key else self.document.at(path)
        level = Level.WARNING if code.startswith(_WARNS) else Level.ERROR
        self.problems.append(Problem(at, code, found, near, level))

    def take(self, problems: Iterable[Problem], path: Sequence[str | int]) -> None:
        """Take over problems that were found inside the text at a path."""
        self.problems += [
            self.document.relocate(problem, path)
            for problem in problems
            if problem.code not in _UNKNOWN or str(problem.found.get("name")) not in self.broken
        ]

    def known(
        self,
        name: str,
        names: Iterable[str],
        code: str,
        path: Sequence[str | int],
        *,
        at_key: bool = False,
        **found: object,
    ) -> bool:
        """Whether a name is one of those declared; if not, notes it with the nearest right one."""
        declared = list(names)
        if name in declared:
            return True
        if name not in self.broken and code not in self.broken:
            near = nearest(name, declared)
            self.add(path, code, near, at_key=at_key, name=show(name)[1:-1], **found)
        return False

    def wrong(self) -> bool:
        """Whether an error was noted."""
        return any(problem.level is Level.ERROR for problem in self.problems)

    def finished(self) -> tuple[Problem, ...]:
        """All problems, each with the source line it stands in."""
        return tuple(
            problem
            if problem.excerpt or not self.document.holds(problem.at.file)
            else replace(problem, excerpt=self.document.excerpt(problem.at))
            for problem in self.problems
        )
