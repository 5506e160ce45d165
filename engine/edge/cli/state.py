"""The verb about saved state: export, import, inspect, diff, plan, adopt."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang, Packs

# The work is imported inside the verb, so that its help comes at once.
# ruff: noqa: PLC0415


def state(
    action: Annotated[str, typer.Argument(metavar="export|import|inspect|diff|plan|adopt")],
    places: Annotated[list[Path] | None, typer.Argument(metavar="FOLDER|FILE")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE")] = None,
    replace: Annotated[bool, typer.Option("--replace")] = False,
    feeds: Annotated[str | None, typer.Option("--feeds", metavar="start|end")] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE")] = None,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY")] = None,
    rules: Packs = None,
    broker: Annotated[str | None, typer.Option("--broker", metavar="URL")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Look at, move and plan saved state."""
    from engine.edge.cli.state_verbs import Asked, carry_out

    del json, lang
    return carry_out(
        Asked(action, places or [], out, replace, feeds, rule, key, rules or [], broker, data)
    )


COMMANDS: Mapping[str, Callable[..., Any]] = {"state": state}
