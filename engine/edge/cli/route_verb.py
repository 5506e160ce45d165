"""The verb that says where an alert would go."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang, Paths

# The work is imported inside the verb, so that its help comes at once.
# ruff: noqa: PLC0415


def route(
    paths: Paths = None,
    alert: Annotated[str | None, typer.Option("--alert", "-a", metavar="FILE|ID")] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE")] = None,
    severity: Annotated[str | None, typer.Option("--severity", metavar="LEVEL")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="NAME=VALUE")] = None,
    key: Annotated[str | None, typer.Option("--key", "-k", metavar="KEY")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="LON,LAT")] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="TIME")] = None,
    test: Annotated[bool, typer.Option("--test")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Say where an alert would go, and why."""
    from engine.edge.cli.routing import Wanted, show_route, test_routes

    del json, lang
    if test:
        return test_routes(paths or [])
    wanted = Wanted(
        alert or "", rule or "", severity or "", tuple(label or ()), key or "", at or "", time or ""
    )
    return show_route(paths or [], wanted)


COMMANDS: Mapping[str, Callable[..., Any]] = {"route": route}
