"""Alerts as rows of an SQL table (SQLite, PostgreSQL): one a delivery, repeats change nothing."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, SecretStr

from connectors.extras import needed
from connectors.notice import Notice, carried, opened, read
from connectors.personal import ToSystems
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.ports import SinkContext
from engine.secret_files import read_secret
from engine.text import say

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, Table

EXTRA = ("sql", "sqlalchemy", "psycopg")
_DATABASE, _REFUSED, _TIMEOUT = "database", "refused", "timeout"
_SQLITE = "sqlite"


class Options(ToSystems):
    """What may be declared about an SQL table.

    Attributes:
        url: `postgresql://user@host/database` or `sqlite:///file`, relative to the data folder.
        password: Opens the database; or `password_file`, which wins.
        table: Where the rows go; `schema.table` names a schema of PostgreSQL.
        create: Whether the table is made where it is missing.
        timeout_s: How long one row may take.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"] = "sql"
    url: str = Field(pattern=r"^(postgresql|sqlite)(\+\w+)?://\S*$")
    password: SecretStr | None = None
    password_file: str | None = None
    table: str = Field(
        default="forewarn_deliveries", pattern=r"^([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,62}$"
    )
    create: bool = True
    timeout_s: float = Field(default=10.0, ge=1, le=300)
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "SqlSink":
    """A sink that writes into the declared table."""
    return SqlSink(name, options, Path(context.folder))


class SqlSink:
    """Writes deliveries as rows keyed by the delivery id; a row that is there stays as it is.

    The database is connected to at the first delivery: one that is away delays alerts, not us.
    """

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read the password and prepare; nothing is connected yet.

        Raises:
            EnvironmentUnusable: the extra is missing, or the address or the password is not fit.

        """
        with needed(name, EXTRA[0], options.lang):
            from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - an extra
            from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
        self.name = name
        self._options = options
        password = read_secret(options.password, options.password_file, folder, options.lang)
        try:
            url = make_url(options.url)
        except ArgumentError as error:
            raise EnvironmentUnusable(say("sink-address-form", options.lang, name=name)) from error
        self._is_file = url.get_backend_name() == _SQLITE
        self.parallel = 1 if self._is_file else 4
        address, arguments = self._settled(url, password, folder)
        self._engine: Engine = create_engine(
            address, connect_args=arguments, hide_parameters=True, pool_size=self.parallel,
            pool_recycle=1800, pool_pre_ping=not self._is_file,
        )  # fmt: skip
        self._secret = None if password is None else SecretStr(password)
        self._table = deliveries(options.table)
        self._is_ready = not options.create
        self._making = asyncio.Lock()

    async def open(self) -> None:
        """Nothing: see the class."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Write one delivery; returns when the database has committed it."""
        del attempt
        row = self._row(delivery_id, body)
        from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError  # noqa: PLC0415

        try:
            async with asyncio.timeout(self._options.timeout_s * 2 + 5):
                await self._ready()
                await asyncio.to_thread(self._write, row)
        except TimeoutError as error:
            raise Retryable(_TIMEOUT) from error
        except DataError as error:
            raise Permanent(_REFUSED, self._said(error)) from None
        except (DBAPIError, SQLAlchemyError, OSError) as error:
            raise Retryable(_DATABASE, self._said(error)) from None

    async def close(self) -> None:
        """Let go of the connections; safe to call twice."""
        await asyncio.to_thread(self._engine.dispose)

    async def _ready(self) -> None:
        """The table, made once."""
        async with self._making:
            if not self._is_ready:
                await asyncio.to_thread(self._table.metadata.create_all, self._engine)
                self._is_ready = True

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._is_file:
            from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
        else:
            from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment] # noqa: PLC0415
        statement = (
            insert(self._table).values(**row).on_conflict_do_nothing(index_elements=["delivery_id"])
        )
        with self._engine.begin() as link:
            link.execute(statement)

    def _row(self, delivery_id: str, body: bytes) -> dict[str, Any]:
        """A delivery's columns; what a text column cannot hold was cleaned away by the reading."""
        found = opened(body, self._options.personal)
        personal = self._options.personal
        zh, en = (read(body, lang, delivery_id, personal=personal) for lang in ("zh", "en"))
        return {
            **_columns(zh, en),
            "rule": _plain(found.get("rule")),
            "subject": _plain(found.get("key")),
            "body": carried(body, personal).decode(),
        }

    def _settled(
        self, url: "URL", password: str | None, folder: Path
    ) -> tuple["URL", dict[str, Any]]:
        """The address with our driver, and how long it may take."""
        timeout_s = self._options.timeout_s
        if self._is_file:
            return url.set(database=str(folder / (url.database or ""))), {"timeout": timeout_s}
        driver = url if "+" in url.drivername else url.set(drivername="postgresql+psycopg")
        if password is not None:
            driver = driver.set(password=password)
        patience = {
            "connect_timeout": max(2, int(timeout_s)),
            "tcp_user_timeout": int(timeout_s * 1000),
            "keepalives_idle": 10,
            "options": f"-c statement_timeout={int(timeout_s * 1000)}",
        }
        return driver, patience

    def _said(self, error: Exception) -> str:
        """What the driver said, without the statement and its values."""
        text = str(getattr(error, "orig", None) or error)
        if self._secret is not None:
            text = text.replace(self._secret.get_secret_value(), "***")
        return f"{type(error).__name__}: {' '.join(text.split())}"[:500]


def deliveries(name: str) -> "Table":
    """The table of deliveries: what is looked for as columns, and the body as it was sent."""
    from sqlalchemy import BigInteger, Column, Float, MetaData, String, Table, Text  # noqa: PLC0415

    schema, _, table = name.rpartition(".")
    return Table(
        table,
        MetaData(schema=schema or None),
        Column("delivery_id", String(64), primary_key=True),
        Column("reference", String(64), nullable=False, index=True),
        Column("document", String(64), nullable=False),
        Column("stage", String(32), nullable=False),
        Column("level", String(16), nullable=False),
        Column("rule", String(200), nullable=False),
        Column("subject", Text, nullable=False),
        Column("at_ms", BigInteger, nullable=False, index=True),
        Column("title_zh", Text, nullable=False),
        Column("title_en", Text, nullable=False),
        Column("text_zh", Text, nullable=False),
        Column("text_en", Text, nullable=False),
        Column("place", Text, nullable=False),
        Column("lon", Float),
        Column("lat", Float),
        Column("body", Text, nullable=False),
    )


def _columns(zh: Notice, en: Notice) -> dict[str, Any]:
    return {
        "delivery_id": zh.delivery_id,
        "reference": zh.reference,
        "document": zh.document,
        "stage": zh.stage,
        "level": zh.level,
        "at_ms": zh.at_ms,
        "title_zh": zh.title,
        "title_en": en.title,
        "text_zh": zh.text,
        "text_en": en.text,
        "place": zh.place,
        "lon": zh.lon,
        "lat": zh.lat,
    }


def _plain(value: Any) -> str:
    return value.replace("\x00", "") if isinstance(value, str) else ""
