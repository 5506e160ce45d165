"""Transitions that the desk could not take, taken again by hand, each once, with who asked and why.

What made the desk fail (a fault of ours, a row that did not fit) is mended meanwhile. An alert is
taken up where it broke off: first what failed, then what came after it and found no case.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, exists, or_, select, update

from engine.cases.model import Actor
from engine.edge.desk.audit import Entry
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.rows import FAILED, Kept
from engine.edge.desk.tables import alerts, members, transitions
from engine.model.change import Change

UNHEARD = "never-opened"
"""Why nothing is told of a transition whose alert had no case when it came."""
_decode = msgspec.json.Decoder(Change).decode


@dataclass(frozen=True, slots=True)
class Line:
    """A transition that the desk could not take.

    Attributes:
        delivery: Its id.
        taken_ms: When it came, UTC ms.
        outcome: After another try: `taken`, `quiet:<why>`, or `failed`; empty before.

    """

    delivery: str
    episode: str
    rule: str
    key: str
    transition: str
    taken_ms: int
    outcome: str = ""


def failed(link: Connection, limit: int | None = None) -> list[Line]:
    """The transitions that the desk could not take, oldest first."""
    query = (
        select(transitions.c.body, transitions.c.taken_ms)
        .where(transitions.c.quiet == FAILED)
        .order_by(transitions.c.taken_ms, transitions.c.episode, transitions.c.ordinal)
        .limit(limit)
    )
    return [_line(_decode(row.body), row.taken_ms) for row in link.execute(query)]


async def retake(
    keeper: Keeper, ids: Collection[str] | None, actor: Actor, reason: str
) -> Sequence[Line]:
    """Take again what failed: one transaction with its rows of the audit for each alert.

    Args:
        keeper: The desk over its store.
        ids: Deliveries or alerts; None: all that failed.
        actor: Who asks.
        reason: Why.

    Returns:
        What became of each; nothing of those that have not failed, or no longer.

    """
    lines = await keeper.store.read(failed)
    wanted = [
        one for one in lines if ids is None or one.delivery in ids or one.episode in ids
    ]  # fmt: skip
    done: list[Line] = []
    for episode in dict.fromkeys(one.episode for one in wanted):
        done += await keeper.transact(
            lambda link, now_ms, kept, episode=episode: _again(  # type: ignore[misc]
                keeper, link, now_ms, kept, episode, actor, reason
            )
        )
    return done


def _again(
    keeper: Keeper,
    link: Connection,
    now_ms: int,
    kept: Kept,
    episode: str,
    actor: Actor,
    reason: str,
) -> list[Line]:
    """Everything of one alert that failed, and what came later and found no case."""
    earlier = transitions.alias("earlier")
    behind = exists().where(
        earlier.c.episode == transitions.c.episode, earlier.c.quiet == FAILED,
        earlier.c.ordinal < transitions.c.ordinal,
    )  # fmt: skip
    query = (
        select(transitions.c.body, transitions.c.taken_ms, transitions.c.quiet)
        .where(
            transitions.c.episode == episode,
            or_(transitions.c.quiet == FAILED, (transitions.c.quiet == UNHEARD) & behind),
        )
        .order_by(transitions.c.ordinal)
    )
    found: list[Line] = []
    for row in link.execute(query).all():
        change = _decode(row.body)
        quiet = keeper.decide(link, change, now_ms, kept)
        if quiet is None:
            found.append(_line(change, row.taken_ms, "failed"))
            break  # what came after it finds no case either
        _mark(link, change, quiet)
        outcome = f"quiet:{quiet}" if quiet else "taken"
        found.append(_line(change, row.taken_ms, outcome))
    for one in found:
        details = {"delivery": one.delivery, "transition": one.transition, "outcome": one.outcome}
        about = f"alert:{episode}"
        kept.entries.append(Entry(actor, "retake", about, reason, details=details))
    return found


def _mark(link: Connection, change: Change, quiet: str) -> None:
    """The transition is taken, and its alert belongs to the case that has it."""
    one = transitions.c.delivery_id == change.delivery_id
    link.execute(update(transitions).where(one).values(quiet=quiet))
    has = select(members.c.incident).where(members.c.episode == change.episode_id)
    incident = link.execute(has).scalar() or ""
    first = alerts.c.episode == change.episode_id
    link.execute(update(alerts).where(first, alerts.c.quiet == FAILED).values(quiet=quiet))
    link.execute(update(alerts).where(first).values(incident=incident))


def _line(change: Change, taken_ms: int, outcome: str = "") -> Line:
    return Line(
        change.delivery_id, change.episode_id, change.rule, change.key, str(change.transition),
        taken_ms, outcome,
    )  # fmt: skip
