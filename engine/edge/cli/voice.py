"""How a command speaks: language, text or JSON, colour, and where to."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from engine.errors import Level, Problem
from engine.text import LANGUAGES, say

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "orange": "38;5;208"}
_LONGEST_EXCERPT = 160
_SECRETS = (
    re.compile(r"(?i)((?:secret|token|password)[\"']?:\s*)(\"[^\"]*\"?|'[^']*'?|[^\s,}\]]+)"),
    re.compile(r"(://)([^/@\s\"']+)(?=@)"),
)
"""What must not be shown of a settings line: values of secret keys, and who logs in to a URL."""
_LOCALE_NAMES = ("FOREWARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language to speak: `--lang`, else FOREWARN_LANG, else the locale's, else English."""
    asked = asked_language(arguments).lower()
    if asked.startswith(LANGUAGES):
        return asked[:2]
    for name in _LOCALE_NAMES:
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def asked_language(arguments: Sequence[str]) -> str:
    """What stands after the last `--lang`, empty without one; words after `--` are not ours."""
    ours = list(takewhile(lambda word: word != "--", arguments))
    asked = ""
    for word, following in pairwise([*ours, ""]):
        if word == "--lang":
            asked = following
        elif word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
    return asked


@dataclass(frozen=True, slots=True)
class Voice:
    """Speaks to one person or program for the length of one command.

    Results go to standard output, everything about the work itself to standard error. With
    `json` standard output carries nothing but JSON.
    """

    lang: str = "en"
    json: bool = False

    def say(self, sentence: str, /, **values: object) -> str:
        """A sentence of the catalogue."""
        return say(sentence, self.lang, **values)

    def line(self, text: str = "") -> None:
        """A line of the result."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """A line about the work, not part of the result."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def data(self, value: object) -> None:
        """The result as JSON."""
        self.line(json.dumps(value, ensure_ascii=False, indent=2, default=str))

    def record(self, value: object) -> None:
        """One of many results, as one line of JSON."""
        self.line(json.dumps(value, ensure_ascii=False, default=str))

    def colour(self, text: str, name: str) -> str:
        """Text in a colour, where standard output is a terminal that wants it."""
        if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
            return text
        return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m"

    def problems(self, problems: Sequence[Problem], *, on_result: bool) -> None:
        """All problems of declarations with their places, sorted, with a count at the end."""
        if self.json:
            return
        put = self.line if on_result else self.note
        for problem in sorted(problems, key=lambda problem: (problem.at, problem.code)):
            put(_with_excerpt(problem).report(self.lang))
        if problems:
            put("")
            put(self.count(problems))

    def count(self, problems: Sequence[Problem]) -> str:
        """`3 errors, 1 warning`."""
        errors = sum(problem.level is Level.ERROR for problem in problems)
        return self.say("cli-count", errors=errors, warnings=len(problems) - errors)

    def problem_data(self, problem: Problem) -> dict[str, Any]:
        """A problem as plain values; both languages, so that a console can show either."""
        return {
            "file": problem.at.file,
            "line": problem.at.line,
            "column": problem.at.column,
            "code": problem.code,
            "level": str(problem.level),
            "what": {lang: problem.what(lang) for lang in LANGUAGES},
            "nearest": problem.nearest or None,
        }


def _with_excerpt(problem: Problem) -> Problem:
    """The problem with the line it stands in, read again where loading did not keep it.

    A link is not read: what it leads to may be no business of who reads the report.
    """
    file = Path(problem.at.file)
    if problem.excerpt or file.is_symlink() or not file.is_file():
        return problem
    lines = file.read_text("utf-8", "replace").splitlines()
    if not 0 < problem.at.line <= len(lines) or problem.at.column > _LONGEST_EXCERPT:
        return problem
    excerpt = lines[problem.at.line - 1][:_LONGEST_EXCERPT].rstrip()
    for pattern in _SECRETS:  # as long as before, so that the caret stays in its place
        excerpt = pattern.sub(lambda found: found[1] + "*" * len(found[2]), excerpt)
    return replace(problem, excerpt=excerpt)


_CURRENT = [Voice()]


def speak_as(voice: Voice) -> None:
    """Use this voice for the rest of the command, in all its threads."""
    _CURRENT[0] = voice


def voice() -> Voice:
    """The voice of the command that runs now."""
    return _CURRENT[0]
