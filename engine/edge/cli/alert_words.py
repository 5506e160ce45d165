"""The verbs about alerts, cases and service tokens."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.edge.cli.options import Json, Lang
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.text import say

# The work is imported inside the verbs, so that their help comes at once.
# ruff: noqa: PLC0415

Refs = Annotated[list[str] | None, typer.Argument(metavar="ID")]
Reason = Annotated[str, typer.Option("--reason", "-m", metavar="TEXT")]
To = Annotated[str | None, typer.Option("--to", metavar="DEPARTMENT")]
Person = Annotated[str | None, typer.Option("--person", metavar="NAME")]
VerdictOf = Annotated[
    str | None, typer.Option("--verdict", metavar="true|false|duplicate|elsewhere")
]
Rule = Annotated[list[str] | None, typer.Option("--rule", metavar="RULE")]
Key = Annotated[list[str] | None, typer.Option("--key", metavar="KEY")]
Area = Annotated[list[str] | None, typer.Option("--area", metavar="CODE")]
Department = Annotated[list[str] | None, typer.Option("--department", metavar="NAME")]
Find = Annotated[str, typer.Option("--find", metavar="TEXT")]
Level = Annotated[str | None, typer.Option("--level", metavar="blue|yellow|orange|red")]
All = Annotated[bool, typer.Option("--all", "-a")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=200)]
After = Annotated[str, typer.Option("--after", metavar="PLACE")]
Seen = Annotated[int | None, typer.Option("--seen", metavar="VERSION", min=0)]
Request = Annotated[str | None, typer.Option("--request", metavar="KEY")]
Api = Annotated[str | None, typer.Option("--api", metavar="URL")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", metavar="FILE")]
Trusted = Annotated[Path | None, typer.Option("--ca", metavar="FILE")]


def alert(
    action: Annotated[str, typer.Argument(metavar="ls|show|ack|assign|close|reopen|silence")],
    ids: Refs = None,
    reason: Reason = "",
    to: To = None,
    person: Person = None,
    verdict: VerdictOf = None,
    rule: Rule = None,
    key: Key = None,
    area: Area = None,
    level: Level = None,
    find: Find = "",
    every: All = False,
    limit: Limit = 50,
    after: After = "",
    length: Annotated[str, typer.Option("--for", metavar="TIME")] = "1h",
    seen: Seen = None,
    request: Request = None,
    api: Api = None,
    token_file: TokenFile = None,
    ca: Trusted = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Look at alerts, and do what people do about them."""
    from engine.edge.cli.alert_verbs import Asked, on_alerts

    del json, lang
    return on_alerts(
        Asked(
            action=action, ids=tuple(ids or ()), reason=reason, to=to, person=person,
            verdict=verdict, rules=tuple(rule or ()), keys=tuple(key or ()),
            areas=tuple(area or ()), level=level, find=find, every=every, limit=limit,
            after=after, length=length, seen=seen, request=request, api=api,
            token_file=token_file, ca=ca,
        )
    )  # fmt: skip


def case(
    action: Annotated[str, typer.Argument(metavar="ls|show|MOVE")],
    ids: Refs = None,
    reason: Reason = "",
    to: To = None,
    person: Person = None,
    verdict: VerdictOf = None,
    found: Annotated[str | None, typer.Option("--found", metavar="TEXT")] = None,
    into: Annotated[str | None, typer.Option("--into", metavar="CASE")] = None,
    stage: Annotated[str | None, typer.Option("--stage", metavar="STAGE")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME")] = None,
    sink: Annotated[str | None, typer.Option("--sink", metavar="NAME")] = None,
    solved: Annotated[bool | None, typer.Option("--solved/--not-solved")] = None,
    satisfied: Annotated[bool | None, typer.Option("--satisfied/--not-satisfied")] = None,
    rule: Rule = None,
    key: Key = None,
    area: Area = None,
    department: Department = None,
    level: Level = None,
    state: Annotated[list[str] | None, typer.Option("--state", metavar="STATE")] = None,
    due: Annotated[bool, typer.Option("--due")] = False,
    find: Find = "",
    every: All = False,
    limit: Limit = 50,
    after: After = "",
    seen: Seen = None,
    request: Request = None,
    api: Api = None,
    token_file: TokenFile = None,
    ca: Trusted = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Look at cases, and move them."""
    from engine.edge.cli.alert_verbs import Asked, on_cases

    del json, lang
    return on_cases(
        Asked(
            action=action, ids=tuple(ids or ()), reason=reason, to=to, person=person,
            verdict=verdict, found=found, into=into, stage=stage, until=until, sink=sink,
            solved=solved, satisfied=satisfied, rules=tuple(rule or ()), keys=tuple(key or ()),
            areas=tuple(area or ()), departments=tuple(department or ()), level=level,
            states=tuple(state or ()), due=due, find=find, every=every, limit=limit, after=after,
            seen=seen, request=request, api=api, token_file=token_file, ca=ca,
        )
    )  # fmt: skip


def token(
    action: Annotated[str, typer.Argument(metavar="add|ls|revoke")],
    name: Annotated[str, typer.Argument(metavar="NAME|ID")] = "",
    folder: Annotated[Path, typer.Option("--folder", "-f", metavar="DIR")] = Path(),
    role: Annotated[list[str] | None, typer.Option("--role", metavar="ROLE")] = None,
    area: Area = None,
    department: Department = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=366)] = 90,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE")] = None,
    every: All = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR")] = None,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Give service tokens for the API, list them, take them back."""
    try:
        from engine.edge.cli.token_verbs import Asked, carry_out
    except ModuleNotFoundError as error:
        raise EnvironmentUnusable(say("desk-lacking", voice().lang, name=error.name)) from error
    del json, lang
    return carry_out(
        Asked(
            action=action, name=name, folder=folder, roles=tuple(role or ()),
            areas=tuple(area or ()), departments=tuple(department or ()), days=days, out=out,
            every=every, data=data,
        )
    )  # fmt: skip


COMMANDS: Mapping[str, Callable[..., Any]] = {"alert": alert, "case": case, "token": token}
