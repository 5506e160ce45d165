"""From the words on the command line to an exit code, whatever happens in between."""

import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.helptext import overview, page
from engine.edge.cli.voice import Voice, asked_language, language, speak_as, voice
from engine.errors import DeclarationError, EnvironmentUnusable, StateError
from engine.text import LANGUAGES

VERBS: Mapping[str, str] = {
    "init": "authoring",
    "check": "authoring",
    "test": "authoring",
    "explain": "explain",
    "fmt": "authoring",
    "schema": "authoring",
    "describe": "authoring",
    "list": "authoring",
    "graph": "authoring",
    "route": "route_verb",
    "replay": "running",
    "backtest": "running",
    "run": "running",
    "reload": "running",
    "simulate": "running",
    "state": "state",
    "outbox": "outbox",
    "desk": "desk_words",
    "audit": "desk_words",
    "report": "report_verb",
    "alert": "alert_words",
    "case": "alert_words",
    "token": "alert_words",
    "receive": "running",
    "demo": "running",
    "doctor": "about",
    "health": "about",
    "version": "about",
}
"""Each verb and the file that holds it; a file is read only when one of its verbs is used."""

PASSING = {"simulate"}
"""Verbs that hand options they do not know to someone else."""

_COMPLETE = "_FOREWARN_COMPLETE"
"""Set by the shell when it asks what may come next."""

_PASSING = {"allow_extra_args": True, "ignore_unknown_options": True}
_USAGE: tuple[type[Exception], ...] = typer.BadParameter.__mro__[1:3]  # UsageError, ClickException


class Terminated(SystemExit):
    """The command was told to stop by a signal."""


class Verbs(TyperGroup):
    """The command itself: knows its verbs by name and reads them late, so that help is fast."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All verbs in the order in which people meet them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Read one verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        if cmd_name not in self.commands:
            settings = _PASSING if cmd_name in PASSING else {}
            single = _app()
            single.command(cmd_name, cls=Verb, context_settings=settings)(_function(cmd_name))
            self.commands[cmd_name] = typer.main.get_command(single)
        return self.commands[cmd_name]

    def get_help(self, ctx: Any) -> str:
        """What the command is, its verbs and its options."""
        del ctx
        return overview(VERBS)


class Verb(TyperCommand):
    """One verb; its help comes from the catalogue."""

    def get_help(self, ctx: Any) -> str:
        """The whole help page."""
        del ctx
        name = self.name or ""
        return page(name, _function(name))


def _function(verb: str) -> Callable[..., Any]:
    """The function of a verb, read from its file."""
    commands: Mapping[str, Callable[..., Any]]
    commands = import_module(f"engine.edge.cli.{VERBS[verb]}").COMMANDS
    return commands[verb]


def _app(**options: Any) -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=bool(options.pop("complete", False)),
        **options,
    )


def build() -> Any:
    """The whole command, ready to be called with words."""
    app = _app(cls=Verbs, name="forewarn", complete=True)

    @app.callback()
    def forewarn() -> None:
        """Hold the verbs; reading even one option here would cost a fifth of a second."""

    command = typer.main.get_command(app)
    command.name = "forewarn"
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and answer its exit code (see `exits.py`); never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    speak_as(Voice(language(words, os.environ), "--json" in words))
    before = signal.signal(signal.SIGTERM, _terminate) if arguments is None else None
    try:
        return _guarded(words)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _guarded(words: list[str]) -> int:
    asked = asked_language(words)
    if asked and not asked.lower().startswith(LANGUAGES):
        refused = Misuse(voice().say("cli-usage-language", lang=asked))
        return _unusable("cli-misuse", refused, Exit.USAGE)
    words = _from_verb(words)
    if words[:1] == ["--version"]:
        words = ["version", *words[1:]]
    if not words and _COMPLETE not in os.environ:
        voice().line(overview(VERBS))
        return Exit.USAGE
    if words and words[0] in VERBS and "--help" in words[1:]:
        voice().line(page(words[0], _function(words[0])))
        return Exit.FINE
    try:
        answer = build().main(words, prog_name="forewarn", standalone_mode=False)
        return int(answer) if isinstance(answer, int) else Exit.FINE
    except _USAGE as error:
        return _misused(error)
    except Misuse as error:
        return _unusable("cli-misuse", error, Exit.USAGE)
    except DeclarationError as error:
        if voice().json:
            voice().data({"problems": [voice().problem_data(one) for one in error.problems]})
        voice().problems(error.problems, on_result=False)
        return Exit.DECLARATIONS
    except EnvironmentUnusable as error:
        return _unusable("cli-environment", error, Exit.ENVIRONMENT)
    except StateError as error:
        return _unusable("cli-state", error, Exit.STATE)
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the interpreter's last flush
        return Exit.FINE
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else Exit.BUG
    except Exception:  # noqa: BLE001 - the last net: whatever it is, it is our bug
        return _bug(words)


def _from_verb(words: list[str]) -> list[str]:
    """The words without a `--lang` before the verb, which has been heard already."""
    if words[:1] == ["--lang"]:
        return words[2:]
    return words[1:] if words and words[0].startswith("--lang=") else words


def _unusable(name: str, error: Exception, code: Exit) -> int:
    if voice().json:
        voice().data({"error": {"code": int(code), "detail": str(error)}})
    voice().note(voice().say(name, detail=error))
    return code


def _misused(error: Any) -> int:
    """A wrong command line: what is wrong with it, and where help is."""
    context: Any = getattr(error, "ctx", None)
    kind = type(error).__name__
    names = {
        "option": getattr(error, "option_name", ""),
        "parameter": _parameter(error),
        "message": error.format_message(),
    }
    known = {"NoSuchOption", "MissingParameter", "BadOptionUsage", "BadParameter"}
    sentence = voice().say(f"cli-usage-{kind}" if kind in known else "cli-usage-other", **names)
    wanted = getattr(error, "message", "").split("'")
    if kind in ("UsageError", "NoSuchCommand") and "No such command" in error.message:
        sentence = voice().say("cli-usage-verb", verb=wanted[1])
        if near := get_close_matches(wanted[1], VERBS, 1):
            sentence += voice().say("cli-usage-verb-near", near=near[0])
    if "unexpected extra argument" in error.format_message():
        extra = error.format_message().partition(" (")[2].removesuffix(")")
        sentence = voice().say("cli-usage-extra", words=extra)
    if voice().json:
        voice().data({"error": {"code": int(Exit.USAGE), "detail": sentence}})
    voice().note(sentence)
    path = context.command_path if context is not None else "forewarn"
    voice().note(voice().say("cli-usage-help", command=f"{path} --help"))
    return Exit.USAGE


def _parameter(error: Any) -> str:
    parameter = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "param_hint", "") or "")
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(parameter.opts[0])


def _bug(words: Sequence[str]) -> int:
    """Write down what happened for those who can mend it, and say where it lies."""
    report = [
        f"forewarn {' '.join(words)}",
        f"Python {platform.python_version()} on {platform.platform()}",
        "",
        traceback.format_exc(),
    ]
    handle, path = tempfile.mkstemp(prefix="forewarn-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(report))
    voice().note(voice().say("cli-bug", what=sys.exc_info()[1], path=Path(path)))
    return Exit.BUG


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated(int(Exit.TERMINATED))
