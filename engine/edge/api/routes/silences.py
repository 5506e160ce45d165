"""Silences: alerts that are kept and not told for a while, asked for with a reason."""

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from engine.cases.book import Silence
from engine.cases.policy import Match
from engine.edge.api.asking import Asking, Key
from engine.edge.api.description import answers
from engine.edge.api.documents import QuietTime, Silences, quiet_of
from engine.edge.api.problems import Code, Refusal, wrong_field
from engine.edge.api.roles import BASE
from engine.edge.api.scope import commands, reaches
from engine.edge.api.taken import Body, Id, Instant, Name, Piece, Reason, Words
from engine.model.severity import Severity

router = APIRouter(prefix=BASE)

LONGEST_DAYS = 30
_DAY_MS = 86_400_000


class AboutAsked(Body):
    """Which alerts: all parts that are given must agree; a `*` at the end stands for any rest."""

    rules: list[Piece] = Field(default_factory=list, max_length=50)
    keys: list[Piece] = Field(default_factory=list, max_length=50)
    areas: list[Name] = Field(default_factory=list, max_length=50)
    packs: list[Name] = Field(default_factory=list, max_length=50)
    labels: dict[Name, list[Piece]] = Field(default_factory=dict, max_length=20)
    min_severity: Severity | None = None


class SilenceAsked(Body):
    """A silence to be kept; `for_ms` says how long it lasts, or `until_ms` when it ends."""

    match: AboutAsked
    reason: Reason
    from_ms: Instant | None = None
    until_ms: Instant | None = None
    for_ms: Instant | None = None


class EndAsked(Body):
    """Why a silence ends before its time."""

    reason: Words = ""


@router.get("/silences", responses=answers(Silences))
async def silences(asking: Asking, *, ended: bool = False) -> Response:
    """Silences in force or to come; with `ended` those that are over as well."""
    services = asking.services
    found = await services.shelf.silences(None if ended else services.now_ms())
    mine = [quiet_of(one) for one in found if reaches(asking.account, one.match)]
    return await asking.shown(Silences(items=mine), [f"silence:{one.id}" for one in mine])


@router.post("/silences", status_code=201, responses=answers(QuietTime, 201))
async def add(asking: Asking, key: Key, asked: SilenceAsked) -> Response:
    """Keep alerts that match, and tell nobody of them, for a time and with a reason."""
    services = asking.services
    match = _match(asked.match)
    known = await services.shelf.find_silence(key)
    begin = services.now_ms() if known is None else known.from_ms
    from_ms = begin if asked.from_ms is None else asked.from_ms
    until_ms = asked.until_ms if asked.for_ms is None else from_ms + asked.for_ms
    if until_ms is None:
        raise Refusal(Code.INVALID, errors=[wrong_field("/body/until_ms", "missing")])
    silence = Silence(
        id=key,
        match=match,
        from_ms=from_ms,
        until_ms=until_ms,
        actor=asking.actor,
        reason=asked.reason,
    )
    narrow = any((match.rules, match.keys, match.areas, match.packs, match.labels))
    fits = silence.from_ms < silence.until_ms <= silence.from_ms + LONGEST_DAYS * _DAY_MS
    if not narrow or not fits or not commands(asking.account, match):
        raise Refusal(Code.SILENCE_TOO_WIDE, days=LONGEST_DAYS)
    if known is None:
        await services.shelf.silence(silence)
    elif (known.match, known.from_ms, known.until_ms, known.reason) != (
        match, silence.from_ms, silence.until_ms, silence.reason,
    ):  # fmt: skip
        raise Refusal(Code.KEY_REUSED)
    return await asking.shown(quiet_of(known or silence), [f"silence:{key}"], status=201)


@router.post("/silences/{silence}/end", responses=answers(QuietTime))
async def end(asking: Asking, key: Key, silence: Id, asked: EndAsked) -> Response:
    """End a silence now; one that is over stays as it was."""
    del key
    services = asking.services
    known, now_ms = await services.shelf.find_silence(silence), services.now_ms()
    if known is None or not reaches(asking.account, known.match):
        raise Refusal(Code.NOT_FOUND)
    if not commands(asking.account, known.match):
        raise Refusal(Code.SILENCE_TOO_WIDE, days=LONGEST_DAYS)
    if known.ended_ms is None and known.until_ms > now_ms:
        ended = {"ended_ms": now_ms, "actor": asking.actor}
        if asked.reason:
            ended["reason"] = asked.reason
        known = msgspec.structs.replace(known, **ended)
        await services.shelf.silence(known, ends=True)
    return await asking.shown(quiet_of(known), [f"silence:{silence}"])


def _match(about: AboutAsked) -> Match:
    return Match(
        labels={name: frozenset(values) for name, values in about.labels.items()},
        rules=tuple(about.rules),
        keys=tuple(about.keys),
        areas=tuple(about.areas),
        packs=tuple(about.packs),
        min_severity=str(about.min_severity or ""),
    )
