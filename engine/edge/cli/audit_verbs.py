"""What `forewarn audit` does: verify the chain, list its newest rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.voice import voice
from engine.edge.desk.audit import Break
from engine.edge.desk.heads import read_heads
from engine.edge.desk.opening import database_of, head_path, open_ledger, open_store
from engine.edge.desk.store import DeskStore
from engine.edge.desk.tables import audit
from engine.edge.settings import Configured
from engine.errors import EnvironmentUnusable

SHOWN = 20
"""So many broken rows are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of one command line."""

    action: str
    folder: Path
    data: Path | None
    head: Path | None
    about: str | None
    who: str | None
    limit: int


def carry_out(asked: Asked) -> int:
    """Do what was asked; answers the exit code.

    Raises:
        Misuse: the words make no sense together.
        EnvironmentUnusable: there is no desk here, or no key.

    """
    does = ACTIONS.get(asked.action)
    if does is None:
        words = {"found": asked.action, "actions": ", ".join(ACTIONS)}
        raise Misuse(voice().say("audit-action", **words))
    configured = settings_of(asked.folder, data=asked.data)
    store = open_existing(configured)
    try:
        return does(asked, configured, store)
    except SQLAlchemyError as error:
        raise store.unusable(error) from error
    finally:
        store.close_now()


def open_existing(configured: Configured) -> DeskStore:
    """The desk's database, which must be there.

    Raises:
        EnvironmentUnusable: there is none.

    """
    url = database_of(configured, voice().lang)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise EnvironmentUnusable(voice().say("desk-none", path=url.database))
    return open_store(configured, voice().lang)


def _verify(asked: Asked, configured: Configured, store: DeskStore) -> int:
    """The whole chain, and every head that was written elsewhere."""
    path = asked.head or head_path(configured)
    heads = read_heads(path, voice().lang) if asked.head or path.exists() else []
    ledger = open_ledger(configured, voice().lang)
    count, breaks = store.read_now(lambda link: ledger.verify(link, heads))
    if voice().json:
        found = [{"row": one.seq, "kind": one.kind} for one in breaks]
        voice().data({"rows": count, "heads": len(heads), "breaks": found})
    else:
        _say(count, len(heads), breaks, path)
    return Exit.FAILED if breaks else Exit.FINE


def _say(count: int, heads: int, breaks: Sequence[Break], path: Path) -> None:
    if not heads:
        voice().note(voice().say("audit-no-head", path=path))
    for one in breaks[:SHOWN]:
        voice().line(voice().say(f"audit-break-{one.kind}", row=one.seq))
    if len(breaks) > SHOWN:
        voice().line(voice().say("audit-more", count=len(breaks) - SHOWN))
    name = "audit-broken" if breaks else "audit-whole"
    voice().line(voice().say(name, rows=count, heads=heads, breaks=len(breaks)))


def _ls(asked: Asked, configured: Configured, store: DeskStore) -> int:
    """The newest rows, the newest last."""
    del configured

    def job(link: Connection) -> list[dict[str, Any]]:
        query = select(audit).order_by(audit.c.seq.desc()).limit(asked.limit)
        if asked.about:
            query = query.where(audit.c.object == asked.about)
        if asked.who:
            query = query.where(audit.c.actor == asked.who)
        return [dict(row) for row in link.execute(query).mappings()]

    rows = store.read_now(job)[::-1]
    if voice().json:
        voice().data({"rows": rows})
        return Exit.FINE
    for row in rows:
        at = datetime.fromtimestamp(row["at_ms"] / 1000, UTC).isoformat(timespec="seconds")
        who = f"{row['actor']} ({row['role']})"
        words = [str(row["seq"]), at, who, row["address"], _did(row), row["object"]]
        voice().line("  ".join(word for word in [*words, row["reason"]] if word))
    if not rows:
        voice().note(voice().say("audit-empty"))
    return Exit.FINE


def _did(row: Mapping[str, Any]) -> str:
    """What a row says was done; of a request that was refused also what was asked."""
    asked = msgspec.json.decode(row["details"] or "{}").get("verb", "")
    return f"{row['action']} {asked}" if row["action"] == "refused" and asked else row["action"]


ACTIONS: Mapping[str, Callable[[Asked, Configured, DeskStore], int]] = {
    "verify": _verify,
    "ls": _ls,
}
