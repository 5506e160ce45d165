"""The verbs about the installation itself: doctor, health, version."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang

# The work is imported inside the verbs, so that their help comes at once.
# ruff: noqa: PLC0415


def doctor(
    target: Annotated[Path, typer.Argument(metavar="FOLDER|FILE")] = Path(),
    connect: Annotated[bool, typer.Option("--connect")] = False,
    broker: Annotated[str | None, typer.Option("--broker", metavar="URL")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Look whether everything needed is there."""
    from engine.edge.cli.doctor import examine

    del json, lang
    return examine(target, connect=connect, broker=broker)


def health(
    target: Annotated[Path, typer.Argument(metavar="FOLDER|FILE")] = Path(),
    live: Annotated[bool, typer.Option("--live")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Ask a running daemon how it is."""
    from engine.edge.cli.asking import ask_health

    del json, lang
    return ask_health(target, live=live)


def version(json: Json = False, lang: Lang = None) -> int:
    """Say which version this is."""
    from engine.edge.cli.versions import tell_version

    del json, lang
    return tell_version()


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "doctor": doctor,
    "health": health,
    "version": version,
}
