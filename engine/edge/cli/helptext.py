"""Help pages in both languages, laid out by display width so that Chinese lines up."""

import textwrap
from collections.abc import Iterable
from typing import Any
from unicodedata import east_asian_width

from typer.core import TyperCommand

from engine.edge.cli.voice import voice
from engine.text import catalogue

WIDTH = 96
_COLUMN = 28
VERBS_COLUMN = 12
_WIDE = ("W", "F")


def width(text: str) -> int:
    """How many cells a text takes on a terminal."""
    return sum(2 if east_asian_width(char) in _WIDE else 1 for char in text)


class HelpedCommand(TyperCommand):
    """A verb whose help comes from the catalogue: `help-<verb>` and `opt-<verb>-<name>`."""

    def get_help(self, ctx: Any) -> str:
        """The whole help page."""
        return page(self, ctx)


def page(command: Any, ctx: Any) -> str:
    """Usage, what the verb does, its arguments and its options."""
    speak = voice().say
    name = command.name or ""
    parts = [speak("help-usage", usage=_usage(command, ctx)), "", *_wrapped(speak(f"help-{name}"))]
    if f"help-{name}-more" in catalogue():
        parts += ["", *_wrapped(speak(f"help-{name}-more"))]
    rows = [_row(parameter, name, ctx) for parameter in command.get_params(ctx)]
    arguments = [(left, right) for left, right, option in rows if not option]
    options = [(left, right) for left, right, option in rows if option]
    for title, some in (("help-arguments", arguments), ("help-options", options)):
        if some:
            parts += ["", speak(title), *table(some)]
    return "\n".join(parts)


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


def _usage(command: Any, ctx: Any) -> str:
    words = [ctx.command_path, voice().say("help-options-word")]
    for parameter in command.get_params(ctx):
        if parameter.param_type_name == "argument":
            name = _metavar(parameter)
            shown = name if parameter.required else f"[{name}]"
            words.append(f"{shown}..." if parameter.nargs == -1 else shown)
    return " ".join(words)


def _row(parameter: Any, verb: str, ctx: Any) -> tuple[str, str, bool]:
    """What stands left and right for a parameter, and whether it is an option."""
    del ctx
    for key in (f"opt-{verb}-{parameter.name}", f"opt-{parameter.name}"):
        if key in catalogue():
            text = voice().say(key)
            break
    else:
        text = ""
    if parameter.param_type_name == "argument":
        return _metavar(parameter), text, False
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    flag = getattr(parameter, "is_flag", False)
    return (names if flag else f"{names} {_metavar(parameter)}"), text, True


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or (parameter.name or "").upper())


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
