"""The outboxes there are: of a data folder (daemon, dispatcher), and of a desk's database."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from engine.edge.cli.doors import ask
from engine.edge.cli.voice import voice
from engine.edge.control import OUTBOX, read_control
from engine.edge.outbox_door import PATH
from engine.edge.settings import Configured
from engine.edge.store import Store, connect_reader
from engine.edge.store import outbox_look as look
from engine.edge.store.lock import is_locked
from engine.edge.store.outbox_hand import Deed, Result
from engine.edge.store.outbox_look import Chosen, Entry, Line
from engine.edge.store.schema import FILE_NAME
from engine.errors import EnvironmentUnusable

PATIENCE_S = 60.0

# The libraries of a desk are an extra, and slow to come.
# ruff: noqa: PLC0415


def now_ms() -> int:
    """Wall clock, UTC ms."""
    return time.time_ns() // 1_000_000


class Box(Protocol):
    """An outbox that is looked at and worked on by hand."""

    unfinished: tuple[str, ...]

    def find(self, chosen: Chosen, limit: int = -1) -> list[Line]:
        """The chosen deliveries; -1 for all of them."""

    def count(self, chosen: Chosen) -> dict[str, dict[str, int]]:
        """How many are chosen, by sink and phase."""

    def body(self, line: Line) -> bytes:
        """What is sent of a delivery."""

    def trail(self, rows: Sequence[int] | None, limit: int = -1) -> list[Entry]:
        """What was done by hand, of some deliveries or of all."""

    def do(self, deed: Deed) -> Result:
        """Do something by hand."""


@contextmanager
def box_of(configured: Configured, *, desk: bool, clock_ms: int) -> Iterator[Box]:
    """The outbox of an installation, to be closed again.

    Raises:
        EnvironmentUnusable: there is none, or it cannot be used.

    """
    if desk:
        try:
            from engine.edge.cli.outbox_of_desk import desk_box
        except ModuleNotFoundError as error:
            raise EnvironmentUnusable(voice().say("desk-lacking", name=error.name)) from error
        with desk_box(configured, clock_ms) as found:
            yield found
        return
    path = configured.data_folder / FILE_NAME
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("explain-no-database", path=path))
    try:
        with closing(connect_reader(path)) as link:
            yield FolderBox(configured.data_folder, link, clock_ms)
    except sqlite3.Error as error:
        sentence = voice().say("store-unusable", path=path, why=str(error))
        raise EnvironmentUnusable(sentence) from error


class FolderBox:
    """The outbox of a data folder: read beside whoever works on it, changed through them."""

    unfinished: tuple[str, ...] = look.UNFINISHED

    def __init__(self, folder: Path, link: sqlite3.Connection, clock_ms: int) -> None:
        """Look by this connection, at this time."""
        self._folder, self._link, self._now_ms = folder, link, clock_ms

    def find(self, chosen: Chosen, limit: int = -1) -> list[Line]:
        """The chosen deliveries; -1 for all of them."""
        return look.find(self._link, chosen, self._now_ms, limit)

    def count(self, chosen: Chosen) -> dict[str, dict[str, int]]:
        """How many are chosen, by sink and phase."""
        return look.count(self._link, chosen, self._now_ms)

    def body(self, line: Line) -> bytes:
        """What is sent of a delivery."""
        return look.body_of(self._link, line.delivery_id)

    def trail(self, rows: Sequence[int] | None, limit: int = -1) -> list[Entry]:
        """What was done by hand, of some deliveries or of all."""
        return look.trail(self._link, rows, limit)

    def do(self, deed: Deed) -> Result:
        """Let the running process do it, or do it here when none runs.

        Raises:
            EnvironmentUnusable: it runs and opens no port, does not answer, or refuses.

        """
        if not is_locked(self._folder):
            return asyncio.run(self._alone(deed))
        control = read_control(self._folder)
        if control is None or control.port <= 0 or OUTBOX not in control.does:
            raise EnvironmentUnusable(voice().say("outbox-no-door", path=self._folder))
        said = ask(control, PATH, PATIENCE_S, holding="done", body=msgspec.json.encode(deed))
        return msgspec.convert(said, Result)

    async def _alone(self, deed: Deed) -> Result:
        """Do it without a daemon: nothing is under way."""
        store = Store(
            self._folder, lambda _change: (), lang=voice().lang, now_ms=lambda: self._now_ms
        )
        try:
            return await store.by_hand(deed, {})
        finally:
            await store.close()
