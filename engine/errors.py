"""Everything that can go wrong on purpose, and what the caller can do about it.

ForewarnError
├── DeclarationError      a person wrote something we cannot run          (exit 2)
├── EnvironmentUnusable   broker, database, disk or port is not there     (exit 4)
├── StateError            saved state does not fit these rules            (exit 5)
└── DeliveryError         a sink did not take an alert
    ├── Retryable         try again, after `retry_after_s` if given
    └── Permanent         never try this one again
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from engine.text import say


class Level(StrEnum):
    """How much a problem matters: an error stops loading, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@final
@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a declared file. Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def moved(self, columns: int) -> "Location":
        """The place `columns` characters further on the same line."""
        return Location(self.file, self.line, self.column + columns)


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a declaration: where, which code, what was found, what would be right.

    The sentence is not stored: `code` names an entry of the catalogue and `found` holds the
    words that go into it, so the same problem reads in Chinese and in English.
    """

    at: Location
    code: str
    found: Mapping[str, object] = field(default_factory=dict)
    nearest: str = ""
    level: Level = Level.ERROR
    excerpt: str = ""

    def what(self, lang: str = "en") -> str:
        """The sentence in one language, without place, code or full stop."""
        return say(f"{self.code}", lang, **self.found)

    def hint(self, lang: str = "en") -> str:
        """The nearest right name as a question, or nothing."""
        return say("did-you-mean", lang, name=self.nearest) if self.nearest else ""

    def report(self, lang: str = "en") -> str:
        """The problem as a person reads it: place, level, code, sentence, excerpt, hint."""
        level = say(f"level-{self.level}", lang)
        lines = [f"{self.at}: {level} {self.code}: {self.what(lang)}"]
        if self.excerpt:
            lines += [f"    {self.excerpt}", "    " + _caret(self.excerpt, self.at.column)]
        if self.nearest:
            lines.append(f"    {self.hint(lang)}")
        return "\n".join(lines)


def _caret(excerpt: str, column: int) -> str:
    """A line that points at `column` of the excerpt; wide characters take two cells."""
    before = excerpt[: column - 1]
    width = sum(2 if ord(char) > 0x2E7F else 1 for char in before)  # noqa: PLR2004 - first CJK block
    return " " * width + "^"


NAMED = "say:"
"""A word in an error that begins so is the name of a sentence."""


class ForewarnError(Exception):
    """Base of every error raised on purpose by this project."""


@final
class DeclarationError(ForewarnError):
    """Rules, feeds, zones or routes cannot be run; carries every problem, in order of place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.at, problem.code)))
        super().__init__("\n".join(problem.report() for problem in self.problems))


@final
class EnvironmentUnusable(ForewarnError):
    """Something outside that we need is not usable: broker, database, disk, port."""


@final
class StateError(ForewarnError):
    """Saved state does not fit the rules that should read it; says which rules.

    Attributes:
        name: The catalogue's sentence for it, if there is one; `found` are the words in it. A word
            that begins with `NAMED` is itself the name of a sentence.

    """

    def __init__(self, message: str = "", name: str = "", **found: str) -> None:
        self.name, self.found = name, found
        super().__init__(message or self.said("en"))

    def said(self, lang: str) -> str:
        """The sentence in one language."""
        if not self.name:
            return str(self)
        words = {key: word.removeprefix(NAMED) for key, word in self.found.items()}
        for key, word in self.found.items():
            if word.startswith(NAMED):
                words[key] = say(words[key], lang)
        return say(self.name, lang, **words)


class DeliveryError(ForewarnError):
    """A sink did not take an alert. `reason` is one of a bounded list, fit for a metric label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


@final
class NotKept(ForewarnError):
    """Records that were handed to us cannot be kept now (disk full); they may be later."""


@final
class Retryable(DeliveryError):
    """The same delivery may succeed later."""

    def __init__(self, reason: str, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason, detail)
        self.retry_after_s = retry_after_s


@final
class Permanent(DeliveryError):
    """This delivery can never succeed as it is; it goes to the dead letter."""
