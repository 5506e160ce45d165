"""What `forewarn alert` and `forewarn case` do: requests to the API, answers printed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from engine.edge.cli.alert_report import (
    print_alert,
    print_alerts,
    print_case,
    print_cases,
    print_moved,
    print_refused,
    print_silence,
)
from engine.edge.cli.api_link import Link, NotDone, link_to
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import voice
from engine.model.units import QuantityError, parse_duration

ZONE = "Asia/Shanghai"

MOVES: Mapping[str, str] = {
    "dispatch": "dispatch",
    "ack": "acknowledge",
    "assign": "assign",
    "return": "return",
    "arrive": "arrive",
    "resolve": "resolve",
    "call-back": "call-back",
    "close": "close",
    "reopen": "reopen",
    "escalate": "escalate",
    "lift": "lift",
    "merge": "merge",
    "comment": "comment",
    "pause": "pause",
    "resume": "resume",
    "extend": "extend",
    "remind": "remind",
    "supervise": "supervise",
    "criticise": "criticise",
    "refer": "refer",
}
"""A word of the command line and the move it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of one command line."""

    action: str
    ids: Sequence[str]
    reason: str
    to: str | None
    person: str | None
    verdict: str | None
    level: str | None
    find: str
    every: bool
    limit: int
    after: str
    seen: int | None
    request: str | None
    api: str | None
    token_file: Path | None
    ca: Path | None
    rules: Sequence[str] = ()
    keys: Sequence[str] = ()
    areas: Sequence[str] = ()
    departments: Sequence[str] = ()
    states: Sequence[str] = ()
    found: str | None = None
    into: str | None = None
    stage: str | None = None
    until: str | None = None
    sink: str | None = None
    solved: bool | None = None
    satisfied: bool | None = None
    due: bool = False
    length: str = ""


def on_alerts(asked: Asked) -> int:
    """Do what was asked about alerts; answers the exit code.

    Raises:
        Misuse: the words make no sense together.
        EnvironmentUnusable: no desk answers.

    """
    does: Mapping[str, Callable[[Asked, Link], int]] = {
        "ls": _list_alerts,
        "show": _show_alert,
        "ack": _move,
        "assign": _move,
        "close": _move,
        "reopen": _move,
        "silence": _silence,
    }
    return _carry_out(asked, does)


def on_cases(asked: Asked) -> int:
    """Do what was asked about cases; answers the exit code.

    Raises:
        Misuse: the words make no sense together.
        EnvironmentUnusable: no desk answers.

    """
    return _carry_out(asked, {"ls": _list_cases, "show": _show_case, **dict.fromkeys(MOVES, _move)})


def _carry_out(asked: Asked, does: Mapping[str, Callable[[Asked, Link], int]]) -> int:
    act = does.get(asked.action)
    if act is None:
        raise Misuse(voice().say("alert-action", found=asked.action, actions=", ".join(does)))
    needs_ids = act in (_show_alert, _show_case, _move)
    if needs_ids != bool(asked.ids):
        name = "alert-needs-id" if needs_ids else "alert-no-id"
        raise Misuse(voice().say(name, action=asked.action))
    try:
        return act(asked, link_to(asked.api, asked.token_file, asked.ca))
    except NotDone as refused:
        print_refused(refused.problem)
        return Exit.FAILED


def _list_alerts(asked: Asked, link: Link) -> int:
    page = link.get(
        "/alerts",
        rule=asked.rules,
        key=asked.keys,
        q=asked.find,
        min_severity=asked.level,
        only="all" if asked.every else "open",
        limit=asked.limit,
        after=asked.after,
    )
    print_alerts(page)
    return Exit.FINE


def _show_alert(asked: Asked, link: Link) -> int:
    for name in asked.ids:
        print_alert(link.get(f"/alerts/{quote(name, safe='')}"))
    return Exit.FINE


def _list_cases(asked: Asked, link: Link) -> int:
    page = link.get(
        "/incidents",
        state=asked.states,
        department=asked.departments,
        area=asked.areas,
        rule=asked.rules,
        key=asked.keys,
        person=asked.person,
        min_severity=asked.level,
        q=asked.find,
        only="all" if asked.every or asked.states else "open",
        order="due" if asked.due else "opened",
        limit=asked.limit,
        after=asked.after,
    )
    print_cases(page)
    return Exit.FINE


def _show_case(asked: Asked, link: Link) -> int:
    for name in asked.ids:
        print_case(link.get(f"/incidents/{quote(name, safe='')}/history"))
    return Exit.FINE


def _move(asked: Asked, link: Link) -> int:
    """Move each of the cases named, in order; the first that is refused ends it."""
    move = MOVES[asked.action]
    body = _body(asked)
    if len(asked.ids) > 1 and (asked.seen is not None or asked.request):
        raise Misuse(voice().say("alert-one-id"))
    for name in asked.ids:
        case = _case_of(name, link)
        path = f"/incidents/{quote(case, safe='')}/{move}"
        print_moved(move, link.post(path, body, key=asked.request, seen=asked.seen))
    return Exit.FINE


def _case_of(name: str, link: Link) -> str:
    """The case that a name means: its own id or number, or that of one of its alerts."""
    try:
        return str(link.get(f"/incidents/{quote(name, safe='')}")["id"])
    except NotDone as refused:
        if refused.problem.get("code") != "not-found":
            raise
    try:
        found = link.get(f"/alerts/{quote(name, safe='')}")["incident"]
    except NotDone as refused:
        if refused.problem.get("code") != "not-found":
            raise
        raise Misuse(voice().say("alert-unknown", name=name)) from refused
    if not found:
        raise Misuse(voice().say("alert-no-case", name=name))
    return str(found)


def _body(asked: Asked) -> dict[str, Any]:
    """The details of a move, from the flags that were given."""
    said: dict[str, Any] = {
        "reason": asked.reason or None,
        "department": asked.to,
        "person": asked.person,
        "verdict": asked.verdict,
        "found": asked.found,
        "into": asked.into,
        "stage": asked.stage,
        "until_ms": None if asked.until is None else _instant(asked.until),
        "sink": asked.sink,
        "solved": asked.solved,
        "satisfied": asked.satisfied,
        "severity": asked.level if asked.action == "escalate" else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _silence(asked: Asked, link: Link) -> int:
    if not asked.reason:
        raise Misuse(voice().say("alert-silence-reason"))
    match = {"rules": asked.rules, "keys": asked.keys, "areas": asked.areas}
    about: dict[str, Any] = {name: list(values) for name, values in match.items() if values}
    if asked.level:
        about["min_severity"] = asked.level
    try:
        length_ms = parse_duration(asked.length)
    except QuantityError as error:
        raise Misuse(voice().say("alert-for", found=asked.length)) from error
    body = {"match": about, "reason": asked.reason, "for_ms": length_ms}
    print_silence(link.post("/silences", body, key=asked.request))
    return Exit.FINE


def _instant(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misuse(voice().say("alert-until", found=text)) from error
    placed = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(ZONE))
    return int(placed.timestamp() * 1000)
