"""Answers of databases and compacted topics as rows of tables.

The driver of databases is an extra (`forewarn[sql]`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.edge.reference.rows import as_answer
from engine.errors import EnvironmentUnusable
from engine.kafka.access import servers
from engine.text import say

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_ASK_S = 60
_KAFKA = "kafka://"
_NO_DRIVER, _SILENT = "database-extra", "database-silent"


class Databases:
    """The databases that the settings name; each is connected to only while it is asked."""

    def __init__(
        self,
        urls: Mapping[str, str],
        folder: Path,
        lang: str = "en",
        kafka: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Hold the addresses; files of SQLite are relative to the folder of the settings.

        `kafka` gives what a client needs to get into a broker (`kafka://...`).
        """
        self._urls, self._folder, self._lang, self._kafka = dict(urls), folder, lang, kafka
        self._engines: dict[str, Engine] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(self._urls))

    def ask(self, database: str, query: str) -> bytes:
        """The answer to a query as packs hold it; whatever the query changes is undone.

        Raises:
            EnvironmentUnusable: The extra is missing, or the database does not answer.

        """
        url = self._urls[database]
        if url.startswith(_KAFKA):
            return self._ask_topic(database, url.removeprefix(_KAFKA), query)
        try:
            from sqlalchemy import text  # noqa: PLC0415 - an extra, wanted by few
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
        except ImportError as error:
            raise self._unusable(_NO_DRIVER, database, "") from error
        try:
            with self._engine(database).connect() as link:
                answer = link.execute(text(query))
                try:
                    return as_answer(list(answer.keys()), (tuple(row) for row in answer))
                finally:
                    link.rollback()
        except (SQLAlchemyError, ImportError, ValueError) as error:
            cause = getattr(error, "orig", None) or error
            why = str(cause).strip().splitlines()[:1]
            raise self._unusable(_SILENT, database, "".join(why)[:200]) from error

    def _ask_topic(self, database: str, bootstrap: str, topic: str) -> bytes:
        """The rows of a compacted topic."""
        from engine.edge.streaming.table_topic import ask_topic  # noqa: PLC0415 - for few

        try:
            client = {**self._kafka(), "bootstrap_servers": servers(bootstrap)}
            return ask_topic(topic, client)
        except ValueError as error:
            raise self._unusable(_SILENT, database, str(error)[:200]) from error

    def close(self) -> None:
        """Let go of all connections."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()

    def _unusable(self, name: str, database: str, why: str) -> EnvironmentUnusable:
        return EnvironmentUnusable(say(name, self._lang, database=database, why=why))

    def _engine(self, database: str) -> "Engine":
        from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - an extra
        from sqlalchemy.pool import NullPool  # noqa: PLC0415

        if database not in self._engines:
            url, options = self._settled(make_url(self._urls[database]))
            self._engines[database] = create_engine(url, poolclass=NullPool, connect_args=options)
        return self._engines[database]

    def _settled(self, url: "URL") -> tuple["URL", dict[str, Any]]:
        """The address with our driver, and how long it may take."""
        kind = url.get_backend_name()
        if kind == "sqlite":
            path = self._folder / (url.database or "")
            if not path.is_file():  # the driver would make an empty one
                raise ValueError(str(path))
            return url.set(database=path.as_posix()), {"timeout": _ASK_S}
        if kind == "postgresql":
            limits = f"-c statement_timeout={_ASK_S * 1000} -c default_transaction_read_only=on"
            driver = url if "+" in url.drivername else url.set(drivername="postgresql+psycopg")
            return driver, {"connect_timeout": 10, "options": limits}
        return url, {}
