"""Who did what at the desk, in a chain that shows every row that was changed, taken out or moved.

    row n:  number, time, actor, role, department, address, action, object, before, after, reason,
            details, seal of row n-1   --HMAC-SHA256 with a key that the database does not hold-->
            seal of row n

The tables refuse changes, but who owns the database can switch that off; the seals then tell, for
nobody can make one without the key. Rows cut off at the end leave a chain that is whole: therefore
the newest seal is also written elsewhere, as a *head* (`engine.edge.desk.heads`).
"""

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Row, insert, select

from engine.cases.model import Actor
from engine.edge.desk.tables import audit
from engine.errors import EnvironmentUnusable
from engine.text import say

KEY_NAME = "desk-audit.key"
"""The key's file of the data folder, where no other is named."""

GENESIS = "0" * 64
"""What the first row names as the seal before it."""

_KEY_BYTES = 32
_FIELDS = tuple(column.name for column in audit.columns if column.name != "seal")
_PART = 1_000
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done.

    Attributes:
        action: A verb of a case, or a word of the desk's own (`read`, `silence`, `login`, ...).
        about: What it was done to: `incident:<id>`, `alert:<episode>`, `silence:<id>`, ...
        before, after: Hashes of the object before and after; empty where nothing was changed.
        details: More that must be known later; no personal data and no secrets.

    """

    actor: Actor
    action: str
    about: str
    reason: str = ""
    before: str = ""
    after: str = ""
    details: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the chain: its number and its seal."""

    seq: int = 0
    seal: str = GENESIS


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is broken: `seal`, `link` or `gap` at a row, or `head` that is not in it."""

    seq: int
    kind: str


def digest(body: str) -> str:
    """The hash of an object as it stood; empty for none."""
    return hashlib.sha256(body.encode()).hexdigest() if body else ""


class Ledger:
    """Writes rows of the audit inside somebody's transaction, and checks the chain."""

    def __init__(self, key: bytes) -> None:
        """Hold the key."""
        self._key = key

    def write(self, link: Connection, entries: Iterable[Entry], now_ms: int) -> Head:
        """Add rows behind the newest one; the caller's transaction is the only one that writes."""
        head = newest(link)
        rows = []
        for entry in entries:
            row: dict[str, object] = {
                "seq": head.seq + 1, "at_ms": now_ms, "actor": _clean(entry.actor.name),
                "role": str(entry.actor.role), "department": _clean(entry.actor.department),
                "address": _clean(entry.actor.address), "action": entry.action,
                "object": _clean(entry.about), "before": entry.before, "after": entry.after,
                "reason": _clean(entry.reason),
                "details": _encode(entry.details or {}).decode(), "previous": head.seal,
            }  # fmt: skip
            head = Head(head.seq + 1, self.seal([row[name] for name in _FIELDS]))
            rows.append(row | {"seal": head.seal})
        if rows:
            link.execute(insert(audit), rows)
        return head

    def seal(self, values: Iterable[object]) -> str:
        """The seal over the fields of a row, in the order of the table."""
        return hmac.new(self._key, _encode(list(values)), hashlib.sha256).hexdigest()

    def verify(self, link: Connection, heads: Iterable[Head] = ()) -> tuple[int, list[Break]]:
        """Go through the whole chain; answers how many rows there are and where it is broken.

        Args:
            link: A connection that sees one state of the database.
            heads: Seals that were written elsewhere: each must still stand in its row.

        """
        wanted = {head.seq: head.seal for head in heads if head.seq}
        breaks: list[Break] = []
        count, before = 0, Head()
        for row in _all(link):
            count += 1
            fields: list[object] = list(row)
            seal = fields.pop()
            seq, previous = int(row.seq), row.previous
            if seq != before.seq + 1:
                breaks.append(Break(seq, "gap"))
            if previous != before.seal:
                breaks.append(Break(seq, "link"))
            if not hmac.compare_digest(self.seal(fields), str(seal)):
                breaks.append(Break(seq, "seal"))
            if wanted.pop(seq, seal) != seal:
                breaks.append(Break(seq, "head"))
            before = Head(seq, str(seal))
        breaks += [Break(seq, "head") for seq in sorted(wanted)]
        return count, breaks


def newest(link: Connection) -> Head:
    """The end of the chain as the database has it."""
    query = select(audit.c.seq, audit.c.seal).order_by(audit.c.seq.desc()).limit(1)
    row = link.execute(query).first()
    return Head() if row is None else Head(row.seq, row.seal)


def holds(link: Connection, head: Head) -> bool:
    """Whether a seal still stands where it stood."""
    query = select(audit.c.seal).where(audit.c.seq == head.seq)
    return not head.seq or link.execute(query).scalar() == head.seal


def read_key(path: Path, lang: str = "en", *, make: bool = False) -> bytes:
    """The key of the audit, 64 hex digits in a file that only its owner reads.

    Args:
        path: The file.
        lang: Language of what is said.
        make: Whether a key is made where there is none: for a desk that begins.

    Raises:
        EnvironmentUnusable: there is no key, or it is not one.

    """
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(os.urandom(_KEY_BYTES).hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise EnvironmentUnusable(say("audit-key", lang, path=path, why=why)) from error
    if len(key) < _KEY_BYTES:
        raise EnvironmentUnusable(say("audit-key", lang, path=path, why=f"{len(key)} < 32"))
    return key


def _all(link: Connection) -> Iterator[Row[tuple[object, ...]]]:
    """All rows in order, a part at a time: a chain of years does not fit into memory."""
    at: int | None = None
    while True:
        query = select(audit).order_by(audit.c.seq).limit(_PART)
        rows = link.execute(query if at is None else query.where(audit.c.seq > at)).all()
        yield from rows
        if len(rows) < _PART:
            return
        at = int(rows[-1].seq)


def _clean(said: str) -> str:
    """Without what a database refuses to keep."""
    return said.replace("\0", "\ufffd")
