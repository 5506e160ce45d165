"""The verb that answers why: why an alert fired, why none did."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang, Packs

# The work is imported inside the verb, so that its help comes at once.
# ruff: noqa: PLC0415


def explain(
    what: Annotated[str, typer.Argument(metavar="RULE|ALERT")],
    key: Annotated[str | None, typer.Option("--key", "-k", metavar="KEY")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME")] = None,
    data: Annotated[list[str] | None, typer.Option("--data", "-d", metavar="DATA")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", "-f", metavar="DIR")] = None,
    rules: Packs = None,
    sort: Annotated[bool, typer.Option("--sort")] = False,
    form: Annotated[str | None, typer.Option("--format", metavar="text|json")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Say why a rule fired for a key, or why not."""
    from engine.edge.cli.explaining import Asked, explain_it

    del lang
    asked = Asked(what, key, at, tuple(data or ()), folder, tuple(rules or ()), sort, form or "")
    return explain_it(asked, as_json=json)


COMMANDS: Mapping[str, Callable[..., Any]] = {"explain": explain}
