"""Help pages in both languages, laid out by display width so that Chinese lines up.

They are made from the verbs' signatures, without building the parser: that alone would take a
quarter of a second.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints
from unicodedata import east_asian_width

from typer.models import ArgumentInfo, OptionInfo

from engine.edge.cli.voice import voice
from engine.text import catalogue

WIDTH = 96
_COLUMN = 28
_VERBS_COLUMN = 12
_WIDE = ("W", "F")


def width(text: str) -> int:
    """How many cells a text takes on a terminal."""
    return sum(2 if east_asian_width(char) in _WIDE else 1 for char in text)


@dataclass(frozen=True, slots=True)
class Part:
    """One argument or option of a verb, as help shows it."""

    name: str
    shown: str
    is_option: bool
    required: bool = False
    many: bool = False


def page(verb: str, function: Callable[..., Any]) -> str:
    """Usage, what the verb does, its arguments and its options (`opt-<verb>-<name>`)."""
    speak = voice().say
    parts = list(_parts(function))
    words = [f"forewarn {verb}", speak("help-options-word")]
    for part in parts:
        if not part.is_option:
            shown = part.shown if part.required else f"[{part.shown}]"
            words.append(f"{shown}..." if part.many else shown)
    lines = [speak("help-usage", usage=" ".join(words)), "", *_wrapped(speak(f"help-{verb}"))]
    if f"help-{verb}-more" in catalogue():
        lines += ["", *_wrapped(speak(f"help-{verb}-more"))]
    arguments = [(part.shown, _about(verb, part)) for part in parts if not part.is_option]
    options = [(part.shown, _about(verb, part)) for part in parts if part.is_option]
    options.append(("--help", speak("opt-help")))
    for title, rows in (("help-arguments", arguments), ("help-options", options)):
        if rows:
            lines += ["", speak(title), *table(rows)]
    return "\n".join(lines)


def overview(verbs: Iterable[str]) -> str:
    """What the command is, its verbs and the options that stand before them."""
    speak = voice().say
    usage = speak("help-usage", usage=f"forewarn {speak('help-verb-word')}")
    names = ("lang", "install-completion", "show-completion", "help")
    shown = {"lang": "--lang zh|en"}
    options = [(shown.get(one, f"--{one}"), speak(f"opt-{one.replace('-', '_')}")) for one in names]
    return "\n".join(
        [
            usage,
            "",
            *_wrapped(speak("help-forewarn")),
            "",
            speak("help-verbs"),
            *table(((name, speak(f"help-{name}")) for name in verbs), _VERBS_COLUMN),
            "",
            speak("help-options"),
            *table(options),
        ]
    )


def _parts(function: Callable[..., Any]) -> Iterator[Part]:
    """Arguments and options in the order of the signature."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, *notes = get_args(hints[name]) or (hints[name],)
        about = next((note for note in notes if isinstance(note, OptionInfo | ArgumentInfo)), None)
        if about is None:
            continue
        metavar = str(about.metavar or name.upper())
        needed = parameter.default is inspect.Parameter.empty
        if isinstance(about, ArgumentInfo):
            yield Part(name, metavar, is_option=False, required=needed, many="list" in str(kind))
            continue
        names = ", ".join(str(one) for one in (about.default, *(about.param_decls or ())) if one)
        shown = names if kind is bool else f"{names} {metavar}"
        yield Part(name, shown, is_option=True, required=needed)


def _about(verb: str, part: Part) -> str:
    for name in (f"opt-{verb}-{part.name}", f"opt-{part.name}"):
        if name in catalogue():
            return voice().say(name)
    return ""


def table(rows: Iterable[tuple[str, str]], column: int = _COLUMN) -> list[str]:
    """Two columns, the right one wrapped."""
    lines = []
    for left, right in rows:
        text = _wrapped(right, WIDTH - column - 2)
        gap = column - width(left)
        if gap < 2:  # noqa: PLR2004 - at least two spaces between the columns
            lines.append(f"  {left}")
            lines += [" " * (column + 2) + line for line in text]
        else:
            lines.append(f"  {left}{' ' * gap}{text[0] if text else ''}".rstrip())
            lines += [" " * (column + 2) + line for line in text[1:]]
    return lines


def _wrapped(text: str, columns: int = WIDTH) -> list[str]:
    """Lines no wider than so many cells; Chinese may break anywhere, English between words."""
    lines = []
    for paragraph in text.splitlines() or [""]:
        if width(paragraph) == len(paragraph):
            lines += textwrap.wrap(paragraph, columns) or [""]
            continue
        line = ""
        for char in paragraph:
            if width(line + char) > columns and char not in "，。；：、）”》":
                lines.append(line)
                line = ""
            line += char
        lines.append(line)
    return lines
