"""The desk's database: one writer at a time, readers beside it, SQLite or PostgreSQL by URL.

SQLite: one file of the data folder, write-ahead log, every commit flushed. PostgreSQL: every
writing transaction holds one advisory lock, so that two desks at a database take turns and what
one decided on is what the other reads. An answer means that it is on disk.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from engine.edge import crashpoint
from engine.edge.desk.migrate import upgrade
from engine.errors import EnvironmentUnusable
from engine.text import say

FILE_NAME = "desk.db"
"""The desk's file of a data folder, where no other database is named."""

READERS = 4
LOCK = 0x464F5245
"""Number of the advisory lock that writers of a PostgreSQL database take ("FORE")."""
BUSY_S = 15
"""How long a writer waits for another process that has the SQLite file."""
DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}

T = TypeVar("T")
Job = Callable[[Connection], T]


def wall_ms() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def desk_url(said: str | None, folder: Path, lang: str = "en") -> URL:
    """The address of the database: what was said, or the desk's own file of a data folder.

    Raises:
        EnvironmentUnusable: not the address of an SQLite file or a PostgreSQL database.

    """
    if said is None:
        return URL.create("sqlite", database=str(folder / FILE_NAME))
    try:
        url = make_url(said)
    except ArgumentError as error:
        raise EnvironmentUnusable(say("desk-url", lang)) from error
    kind = url.get_backend_name()
    if kind not in DIALECTS or (kind == "sqlite" and url.database in (None, "", ":memory:")):
        raise EnvironmentUnusable(say("desk-url", lang))
    if kind == "sqlite":
        url = url.set(database=str(folder / str(url.database)))
    return url.set(drivername=DIALECTS[kind])


def may_pass(error: BaseException) -> bool:
    """Whether the same work may succeed later: disk full, database away, lock held too long."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return (code & 0xFF) in _TRANSIENT
        return str(getattr(error.orig, "sqlstate", None) or "08")[:2] in _AWAY
    return isinstance(error, SQLAlchemyError) and "timeout" in type(error).__name__.lower()


_TRANSIENT = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}
)
_AWAY = frozenset({"08", "40", "53", "55", "57", "58"})
"""Classes of PostgreSQL's codes: connection, rollback, resources, lock, shutdown, system."""


class DeskStore:
    """The open database. Jobs are plain functions of a connection; each is one transaction.

    Attributes:
        upgraded: The version of the tables before it was opened (empty: there were none), and now.

    """

    def __init__(self, url: URL, lang: str = "en", now_ms: Callable[[], int] = wall_ms) -> None:
        """Open the database and bring its tables up to this version.

        Raises:
            EnvironmentUnusable: it cannot be reached, written or understood.
            StateError: a newer Forewarn made its tables.

        """
        self.url, self.lang = url, lang
        self._now_ms = now_ms
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._listeners: list[Callable[[], None]] = []
        self._writing = ThreadPoolExecutor(1, "desk-writer")
        self._reading = ThreadPoolExecutor(READERS, "desk-reader")
        self._closed = False
        self.upgraded = ("", "")
        try:
            self._writer = _engine(url, 1, writes=True)
            self._reader = _engine(url, READERS, writes=False)
            try:
                self.upgraded = upgrade(self._writer, self.name, lang)
            except SQLAlchemyError as error:
                raise self.unusable(error) from error
        except BaseException:
            self.close_now()
            raise

    @property
    def name(self) -> str:
        """The address as people may see it, without a password."""
        if self.is_sqlite:
            return str(self.url.database)
        return self.url.render_as_string(hide_password=True)

    def unusable(self, error: BaseException) -> EnvironmentUnusable:
        """What to say when the database does not work; its own words, without our statement."""
        why = getattr(error, "orig", None) or error
        return EnvironmentUnusable(say("desk-unusable", self.lang, where=self.name, why=why))

    def now_ms(self) -> int:
        """The desk's clock."""
        return self._now_ms()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after every write that is on disk."""
        self._listeners.append(listener)

    def write_now(self, job: Job[T]) -> T:
        """Do a job in a writing transaction, in this thread."""
        with self._writer.begin() as link:
            if not self.is_sqlite:
                link.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            answer = job(link)
            crashpoint.passing("desk-not-committed")
        crashpoint.passing("desk-committed")
        return answer

    def read_now(self, job: Job[T]) -> T:
        """Do a job that only looks, in this thread; it sees whole transactions."""
        with self._reader.connect() as link, link.begin():
            return job(link)

    async def write(self, job: Job[T]) -> T:
        """Do a job in a writing transaction; once begun it ends, even if we are cancelled."""
        loop = asyncio.get_running_loop()
        answer = await asyncio.shield(loop.run_in_executor(self._writing, self.write_now, job))
        for listener in self._listeners:
            listener()
        return answer

    async def read(self, job: Job[T]) -> T:
        """Do a job that only looks."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.read_now, job)

    async def close(self) -> None:
        """Finish what is under way and let go; safe to call twice."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """The same without a loop."""
        if self._closed:
            return
        self._closed = True
        self._writing.shutdown()
        self._reading.shutdown()
        for name in ("_writer", "_reader"):
            engine: Engine | None = getattr(self, name, None)
            if engine is not None:
                engine.dispose()


def _engine(url: URL, size: int, *, writes: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        level = "READ COMMITTED" if writes else "REPEATABLE READ"
        patience: dict[str, Any] = {"connect_timeout": 10, "application_name": "forewarn-desk"}
        if not writes:
            patience["prepare_threshold"] = None  # each search is planned for its own words
        return create_engine(
            url, pool_size=size, max_overflow=0, pool_pre_ping=True, isolation_level=level,
            connect_args=patience, hide_parameters=True,
        )  # fmt: skip
    if writes:
        _own_file(Path(str(url.database)))
    engine = create_engine(
        url, pool_size=size, max_overflow=0, hide_parameters=True,
        connect_args={"timeout": BUSY_S, "check_same_thread": False, "cached_statements": 256},
    )  # fmt: skip

    def connected(link: Any, _record: object) -> None:
        link.isolation_level = None  # else the driver begins transactions behind our back
        cursor = link.cursor()
        for pragma in _PRAGMAS if writes else (*_PRAGMAS, "query_only = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(link: Connection) -> None:
        link.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


_PRAGMAS = (
    "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -32768",
)  # fmt: skip


def _own_file(path: Path) -> None:
    """Cases hold personal data: nobody but its owner may read the file, nor SQLite's beside it."""
    with suppress(OSError):  # SQLite says it better
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
