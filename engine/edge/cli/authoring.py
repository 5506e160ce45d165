"""The verbs of those who write rules."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang, Paths

# The work is imported inside the verbs, so that their help comes at once.
# ruff: noqa: PLC0415


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR")] = Path(),
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Make a project that runs at once."""
    from engine.edge.cli.scaffold import make_project

    del json, lang
    return make_project(folder)


def check(
    paths: Paths = None,
    strict: Annotated[bool, typer.Option("--strict")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Say everything that is wrong with declarations."""
    from engine.edge.cli.checking import check_declarations

    del json, lang
    return check_declarations(paths or [], strict=strict)


def prove(
    paths: Paths = None,
    only: Annotated[str | None, typer.Option("-k", metavar="TEXT")] = None,
    quick: Annotated[bool, typer.Option("--quick")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Run the tests beside the rules."""
    from engine.edge.cli.testing import run_tests

    del json, lang
    return run_tests(paths or [], only=only or "", quick=quick, verbose=verbose, junit=junit)


def fmt(
    paths: Paths = None,
    check: Annotated[bool, typer.Option("--check")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Lay declarations out in one way."""
    from engine.edge.cli.formatting import format_declarations

    del json, lang
    return format_declarations(paths or [], check=check)


def schema(
    kind: Annotated[str | None, typer.Argument(metavar="KIND")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Print the JSON Schema of declarations."""
    from engine.edge.cli.schema_verb import show_schema

    del json, lang
    return show_schema(kind or "", out)


def describe(
    thing: Annotated[str, typer.Argument(metavar="THING")],
    paths: Paths = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Say what something is."""
    from engine.edge.cli.describe_verb import describe_thing

    del json, lang
    return describe_thing(thing, paths or [])


def list_(
    what: Annotated[str, typer.Argument(metavar="KIND")],
    paths: Paths = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """List what there is."""
    from engine.edge.cli.describe_verb import list_things

    del json, lang
    return list_things(what, paths or [])


def graph(
    paths: Paths = None,
    mermaid: Annotated[bool, typer.Option("--mermaid")] = False,
    dot: Annotated[bool, typer.Option("--dot")] = False,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Show how things hang together."""
    from engine.edge.cli.graph_verb import show_graph

    del json, lang
    return show_graph(paths or [], as_mermaid=mermaid, as_dot=dot)


COMMANDS: Mapping[str, Callable[..., Any]] = {
    "init": init,
    "check": check,
    "test": prove,
    "fmt": fmt,
    "schema": schema,
    "describe": describe,
    "list": list_,
    "graph": graph,
}
