"""The verb about deliveries: ls, show, retry, drop, trail."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang

# The work is imported inside the verb, so that its help comes at once.
# ruff: noqa: PLC0415


def outbox(
    action: Annotated[str, typer.Argument(metavar="ls|show|retry|drop|trail")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID")] = None,
    folder: Annotated[Path, typer.Option("--folder", "-f", metavar="DIR")] = Path(),
    sink: Annotated[str | None, typer.Option("--sink", metavar="NAME")] = None,
    phase: Annotated[list[str] | None, typer.Option("--phase", metavar="PHASE")] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE")] = None,
    alert: Annotated[str | None, typer.Option("--alert", metavar="ALERT")] = None,
    older: Annotated[str | None, typer.Option("--older", metavar="TIME")] = None,
    newer: Annotated[str | None, typer.Option("--newer", metavar="TIME")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1)] = 100,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT")] = None,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME")] = None,
    plan: Annotated[bool, typer.Option("--plan")] = False,
    overtaken: Annotated[bool, typer.Option("--overtaken")] = False,
    following: Annotated[bool, typer.Option("--following")] = False,
    unmasked: Annotated[bool, typer.Option("--unmasked")] = False,
    desk: Annotated[bool, typer.Option("--desk")] = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Look at deliveries, send them again, drop them."""
    from engine.edge.cli.outbox_verbs import Asked, carry_out

    del json, lang
    return carry_out(
        Asked(
            action=action, ids=tuple(ids or ()), folder=folder, data=data, sink=sink,
            phases=tuple(phase or ()), rule=rule, alert=alert, older=older, newer=newer,
            limit=limit, reason=reason, who=who, plan=plan, overtaken=overtaken,
            following=following, unmasked=unmasked, desk=desk,
        )
    )  # fmt: skip


COMMANDS: Mapping[str, Callable[..., Any]] = {"outbox": outbox}
