"""Rows of a database, asked for again and again: what a query gives beyond the last row.

The rows of a query are read in the order of one column that only grows, the cursor: a number, a
time or a text. How far it came is kept in the transaction that keeps the rows, so a stop at any
moment loses and repeats nothing. Rows that share the cursor's last value are all read, also those
that appear later; a row that appears with a smaller value than the last one is never seen.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.sources.inbox import InboxSource
from engine.errors import EnvironmentUnusable, NotKept
from engine.ports import SourceContext
from engine.secret_files import read_secret
from engine.text import say

if TYPE_CHECKING:
    from sqlalchemy import Engine, TextClause

EXTRA = ("sql", "sqlalchemy", "psycopg")
INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_DISK_S = 1.0
_MOST_WAIT_S = 60.0
_DIGEST = 8
_REFUSED, _FORM = "sql-refused", "sql-form"
_COLON = re.compile(r"(?<!:):(?!:)")
_MAKERS: Mapping[str, Callable[[str], Any]] = {
    "datetime": datetime.fromisoformat, "date": date.fromisoformat, "Decimal": Decimal,
}  # fmt: skip
Seen = Counter[str]


class Options(BaseModel):
    """What may be declared about rows of a database.

    Attributes:
        url: `postgresql://user@host/database` or `sqlite:///file`, relative to the settings.
        password: Opens the database; or `password_file`, which wins.
        query: A SELECT without a semicolon; its columns are the fields of the records.
        cursor: The column of the query whose value only grows.
        start: Where to begin on the first day; rows at or below it are left out.
        every_s: How long to wait after all was read.
        page: Most rows asked for at once.
        timeout_s: How long the database may take for an answer.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"] = "sql"
    feed: str
    url: str = Field(pattern=r"^(postgresql|sqlite)(\+\w+)?://\S*$")
    password: SecretStr | None = None
    password_file: str | None = None
    query: str = Field(min_length=1, pattern=r"^[^;]*;?\s*$")
    cursor: str = Field(pattern=r"^[^\x00]{1,63}$")
    start: int | float | str | None = None
    every_s: float = Field(default=10.0, ge=0.1, le=86_400)
    page: int = Field(default=2000, ge=1, le=100_000)
    timeout_s: int = Field(default=60, ge=1, le=3600)
    inbox_limit: int = Field(default=200_000, ge=1)
    batch: int = Field(default=4000, ge=1, le=100_000)
    lang: str = "en"


def build(name: str, options: Options, context: SourceContext) -> "SqlSource":
    """A source that asks the declared query."""
    return SqlSource(name, options, context)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far reading came: the cursor's last value, and which rows with that value were read."""

    value: Any = None
    seen: Seen = field(default_factory=Counter)

    def written(self) -> str:
        """As text, to be kept."""
        return orjson.dumps(
            {"type": _type(self.value), "value": self.value, "seen": self.seen}, default=str
        ).decode()

    @classmethod
    def read(cls, text: str) -> "Mark":
        """From such a text."""
        found = orjson.loads(text)
        make = _MAKERS.get(found["type"])
        value = found["value"] if make is None else make(found["value"])
        return cls(value, Counter(found["seen"]))


class SqlSource(InboxSource):
    """Asks, keeps the rows together with how far it came, and waits."""

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` connects."""
        super().__init__(name, context, batch=options.batch, limit=options.inbox_limit)
        self._options = options
        self._task: asyncio.Task[None] | None = None
        self._engine: Engine | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        """Ask for the first time; a server that is away is asked again later.

        Raises:
            EnvironmentUnusable: the address is none, or the database refuses the query.

        """
        await super().open(resume)
        text = await self.context.journal.mark(self.name)
        mark = Mark(self._options.start) if text is None else Mark.read(text)
        self._engine = await asyncio.to_thread(self._connect)
        try:
            await asyncio.to_thread(self._ask, mark, 1)
        except _Away:
            self.context.count("ask-failed", 1)
        except _Refused as error:
            await asyncio.to_thread(self._engine.dispose)
            raise self._unusable(_REFUSED, str(error)) from error
        self._task = asyncio.create_task(self._poll(mark), name=f"sql-{self.name}")

    async def close(self) -> None:
        """Stop asking; safe to call twice."""
        self.stop_waiting()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await super().close()
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)

    async def _poll(self, mark: Mark) -> None:
        """Ask for ever."""
        wait_s = self._options.every_s
        while True:
            await self.room()
            try:
                rows = await asyncio.to_thread(self._ask, mark, self._options.page)
            except (_Away, _Refused):
                self.context.count("ask-failed", 1)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, max(_MOST_WAIT_S, self._options.every_s))
                continue
            wait_s = self._options.every_s
            fresh, mark = _fresh(rows, mark)
            if not fresh:
                await asyncio.sleep(wait_s)
                continue
            good, bad = self.sift(fresh)
            while True:
                try:
                    await self.keep(good, bad, mark=mark.written())
                    break
                except NotKept:
                    self.context.count("not-kept", len(fresh))
                    await asyncio.sleep(_DISK_S)
            self.context.count("rows", len(fresh))

    def _connect(self) -> "Engine":
        from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - an extra
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
        from sqlalchemy.pool import NullPool  # noqa: PLC0415

        options, folder = self._options, Path(self.context.folder)
        password = read_secret(options.password, options.password_file, folder, options.lang)
        try:
            url = make_url(options.url)
        except ArgumentError as error:
            raise self._unusable(_FORM, options.url.split("://")[0]) from error
        arguments: dict[str, Any] = {}
        if url.get_backend_name() == "sqlite":
            path = folder / (url.database or "")
            if not path.is_file():  # the driver would make an empty one
                raise self._unusable(_REFUSED, str(path))
            url = url.set(database=f"file:{path.as_posix()}", query={"mode": "ro", "uri": "true"})
            arguments = {"timeout": options.timeout_s}
        else:
            url = url if "+" in url.drivername else url.set(drivername="postgresql+psycopg")
            url = url if password is None else url.set(password=password)
            limits = f"-c statement_timeout={options.timeout_s * 1000}"
            arguments = {
                "connect_timeout": 10,
                "options": f"{limits} -c default_transaction_read_only=on",
            }
        return create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)

    def _ask(self, mark: Mark, page: int) -> list[tuple[Any, bytes]]:
        """The next rows with their cursor, those with the last value of the cursor first."""
        from sqlalchemy.exc import OperationalError, SQLAlchemyError  # noqa: PLC0415 - an extra

        assert self._engine is not None  # noqa: S101 - `open` comes first
        asked, values = self._question(mark, page)
        is_server = self._engine.url.get_backend_name() != "sqlite"
        try:
            with self._engine.connect() as link:
                answer = link.execute(asked, values)
                names = list(answer.keys())
                at = names.index(self._options.cursor)
                rows = [
                    (row[at], _record(zip(names, row, strict=True))) for row in answer.fetchall()
                ]
                link.rollback()
                return rows
        except OperationalError as error:
            raise (_Away if is_server else _Refused)(_said(error)) from None
        except (SQLAlchemyError, ValueError) as error:
            raise _Refused(_said(error)) from None

    def _question(self, mark: Mark, page: int) -> "tuple[TextClause, dict[str, Any]]":
        from sqlalchemy import text  # noqa: PLC0415 - an extra

        assert self._engine is not None  # noqa: S101 - `open` comes first
        column = self._engine.dialect.identifier_preparer.quote(self._options.cursor)
        query = _COLON.sub(r"\\:", self._options.query.strip().rstrip(";"))
        values: dict[str, Any] = {"page": page + sum(mark.seen.values())}
        where = f"{column} IS NOT NULL"
        if mark.value is not None:
            # What the operator wrote is asked as it is; only values come from elsewhere.
            where = f"{column} {'>=' if mark.seen else '>'} :after"
            values["after"] = mark.value
        asked = (
            f"SELECT * FROM ({query}) AS feed_rows"  # noqa: S608 - as above
            f" WHERE {where} ORDER BY {column} LIMIT :page"
        )
        return text(asked), values

    def _unusable(self, sentence: str, why: str) -> EnvironmentUnusable:
        return EnvironmentUnusable(say(sentence, self._options.lang, name=self.name, why=why))


class _Away(Exception):
    """The server does not answer now."""


class _Refused(Exception):
    """The database does not take the query."""


def _fresh(rows: Sequence[tuple[Any, bytes]], mark: Mark) -> tuple[list[bytes], Mark]:
    """The records that were not read before, and how far they lead."""
    known, fresh = Counter(mark.seen), []
    for value, record in rows:
        digest = hashlib.blake2b(record, digest_size=_DIGEST).hexdigest()
        if value == mark.value and known[digest]:
            known[digest] -= 1
            continue
        fresh.append((value, digest, record))
    if not fresh:
        return [], mark
    last = fresh[-1][0]
    seen = Counter(mark.seen) if last == mark.value else Counter[str]()
    seen.update(digest for value, digest, _ in fresh if value == last)
    return [record for _, _, record in fresh], Mark(last, seen)


def _record(cells: Iterable[tuple[str, Any]]) -> bytes:
    return orjson.dumps(dict(cells), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _type(value: object) -> str:
    return type(value).__name__


def _said(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return "".join(str(cause).strip().splitlines()[:1])[:300]
