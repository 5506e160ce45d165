"""What loading declared files gives: a project, or what is wrong, as text and for programs."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.errors import Level, Problem
from engine.ruleset.spec import AS_DECLARED, Project, SharedAs


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What loading cannot know by itself.

    Attributes:
        today: The day against which legal bases are judged; None: they are not judged.
        version: The version of Forewarn that packs may need.
        lint: Whether warnings about meaning are given besides errors.
        shared: Other values of lists, and which overrides hold.

    """

    today: date | None = None
    version: str = "0.1.0"
    lint: bool = True
    shared: SharedAs = AS_DECLARED


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project, unless something is wrong, and all problems sorted by file and place."""

    project: Project | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the project from being run."""
        return tuple(problem for problem in self.problems if problem.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that do not."""
        return tuple(problem for problem in self.problems if problem.level is Level.WARNING)

    def report(self, lang: str = "en") -> str:
        """All problems as a person reads them."""
        return "\n".join(problem.report(lang) for problem in self.problems)

    def as_json(self, lang: str = "en") -> list[dict[str, Any]]:
        """All problems for programs: place, level, code, sentence, nearest right name, excerpt."""
        return [problem_as_json(problem, lang) for problem in self.problems]


def problem_as_json(problem: Problem, lang: str = "en") -> dict[str, Any]:
    """One problem for programs."""
    return {
        "file": problem.at.file,
        "line": problem.at.line,
        "column": problem.at.column,
        "level": problem.level.value,
        "code": problem.code,
        "message": problem.what(lang),
        "nearest": problem.nearest,
        "excerpt": problem.excerpt,
        "found": {name: str(value) for name, value in problem.found.items()},
    }
