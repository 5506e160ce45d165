"""The verb that assesses a month."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang

# The work is imported inside the verb, so that its help comes at once.
# ruff: noqa: PLC0415


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER|FILE")] = Path(),
    month: Annotated[str | None, typer.Option("--month", "-m", metavar="MONTH")] = None,
    out: Annotated[list[Path] | None, typer.Option("--out", "-o", metavar="FILE")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Assess a month."""
    from engine.edge.cli.voice import voice
    from engine.errors import EnvironmentUnusable

    del json, lang
    try:
        from engine.edge.cli.report_month import report_month
    except ModuleNotFoundError as error:
        raise EnvironmentUnusable(voice().say("desk-lacking", name=error.name)) from error
    return report_month(folder, month, tuple(out or ()), data)


COMMANDS: Mapping[str, Callable[..., Any]] = {"report": report}
