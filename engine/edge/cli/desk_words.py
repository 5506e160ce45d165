"""The verbs about the desk's own keeping: `desk` runs and upgrades it, `audit` looks at it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang

# The work is imported inside each verb, so that its help comes at once.
# ruff: noqa: PLC0415

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR")]
Folder = Annotated[Path, typer.Option("--folder", "-f", metavar="DIR")]


def desk(
    action: Annotated[str, typer.Argument(metavar="run|upgrade|status|retake")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID")] = None,
    folder: Folder = Path(),
    everything: Annotated[bool, typer.Option("--all")] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT")] = None,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME")] = None,
    data: Data = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Run the desk in a process of its own, bring its tables up, say how it is, take again."""
    from engine.edge.cli.desk_retake import Asked
    from engine.edge.cli.desk_verbs import carry_out

    del json
    asked = Asked(
        action, folder, data, lang, tuple(ids or ()), everything=everything, reason=reason, who=who
    )
    return carry_out(asked)


def audit(
    action: Annotated[str, typer.Argument(metavar="verify|ls")],
    folder: Folder = Path(),
    head: Annotated[Path | None, typer.Option("--head", metavar="FILE")] = None,
    about: Annotated[str | None, typer.Option("--about", metavar="OBJECT")] = None,
    who: Annotated[str | None, typer.Option("--by", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1)] = 100,
    data: Data = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Check the chain of the desk's audit, or list what it holds."""
    from engine.edge.cli.audit_verbs import Asked, carry_out

    del json, lang
    return carry_out(Asked(action, folder, data, head, about, who, limit))


COMMANDS: Mapping[str, Callable[..., Any]] = {"desk": desk, "audit": audit}
