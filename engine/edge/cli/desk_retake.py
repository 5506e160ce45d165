"""`forewarn desk retake`: transitions that the desk could not take, listed and taken again."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from engine.cases.model import Actor, Role
from engine.cases.policy import Policy
from engine.edge.cli.audit_verbs import open_existing
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.projects import find
from engine.edge.cli.voice import voice
from engine.edge.cli.who import logged_in
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.opening import declared_desk, make_desk, open_ledger
from engine.edge.desk.retake import Line, failed, retake
from engine.edge.settings import Configured


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of one command line of `forewarn desk`."""

    action: str
    folder: Path
    data: Path | None = None
    lang: str | None = None
    ids: tuple[str, ...] = ()
    everything: bool = False
    reason: str | None = None
    who: str | None = None


def take_again(asked: Asked, configured: Configured) -> int:
    """List what the desk could not take, or take it again; 1 where some of it fails once more.

    The running desk, if there is one, sends what comes of it.

    Raises:
        Misuse: no reason is given.
        DeclarationError: rules or desk cannot be used.
        EnvironmentUnusable: there is no desk's database, or it cannot be used.

    """
    if not asked.ids and not asked.everything:
        store = open_existing(configured)
        try:
            lines = store.read_now(failed)
        except SQLAlchemyError as error:
            raise store.unusable(error) from error
        finally:
            store.close_now()
        return _told(lines)
    reason = (asked.reason or "").strip()
    if not reason:
        raise Misuse(voice().say("outbox-reason"))
    project = find(configured.packs).usable()
    policy = declared_desk(configured, project, None).policy or Policy()
    store = open_existing(configured)
    actor = Actor(name=asked.who or f"console:{logged_in()}", role=Role.OPERATOR)
    ledger = open_ledger(configured, voice().lang)
    keeper = Keeper(store, make_desk(policy, project), ledger, policy.storm)

    async def again() -> Sequence[Line]:
        try:
            ids = None if asked.everything else frozenset(asked.ids)
            return await retake(keeper, ids, actor, reason)
        except SQLAlchemyError as error:
            raise store.unusable(error) from error
        finally:
            await store.close()

    done = asyncio.run(again())
    named = {one.delivery for one in done} | {one.episode for one in done}
    for unknown in [one for one in asked.ids if one not in named]:
        voice().note(voice().say("desk-retake-unknown", name=unknown))
    _told(done)
    if not voice().json:
        fine = sum(one.outcome != "failed" for one in done)
        voice().line(voice().say("desk-retaken", done=fine, failed=len(done) - fine))
    return Exit.FAILED if any(one.outcome == "failed" for one in done) else Exit.FINE


def _told(lines: Sequence[Line]) -> int:
    """Each transition in a line."""
    if voice().json:
        voice().data([asdict(one) for one in lines])
        return Exit.FINE
    for one in lines:
        at = datetime.fromtimestamp(one.taken_ms / 1000, UTC).isoformat(" ", "seconds")
        said = (at, one.delivery, one.rule, one.key, one.transition, one.outcome)
        voice().line("  ".join(said).rstrip())
    return Exit.FINE
