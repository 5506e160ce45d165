"""What databases answer, beside the files of packs: asked for at the start, and again and again.

An answer is a declared file like any other (`tables/<table>.answer`). So it is hashed, checked,
swapped in between two batches, kept as the last good one and found again by a restart in the same
way as an edited CSV file; a wrong answer never becomes live.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import structlog

from engine.edge.reference.sql import Databases
from engine.errors import DeclarationError, EnvironmentUnusable, Location, Problem
from engine.ruleset.folders import Kind, sort_files
from engine.ruleset.schema_feed import TableModel
from engine.ruleset.shape import nearest, validate
from engine.ruleset.source import DeclaredFile, read

log = structlog.get_logger("reference")
_ASKS = re.compile(rb"\b(?:sql|topic)\b")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table whose rows a database gives."""

    path: str
    table: str
    database: str
    query: str
    refresh_s: float
    at: Location


@dataclass(slots=True)
class Answers:
    """The answers to the queries of a project's tables.

    Attributes:
        databases: Who is asked.
        clock: Seconds that never go back.

    """

    databases: Databases
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _wanted: Sequence[Wanted] = ()
    _silent: set[str] = field(default_factory=set)

    def beside(self, files: Sequence[DeclaredFile]) -> list[DeclaredFile]:
        """The files, and the answer to each query that they declare.

        A query that was asked before is not asked again here.

        Raises:
            DeclarationError: A table names a database that the settings do not have (R647).
            EnvironmentUnusable: A database does not answer and never did.

        """
        self._wanted = wanted_of(files)
        known = self.databases.names
        wrong = [
            Problem(one.at, "R647", {"name": one.database}, nearest(one.database, known))
            for one in self._wanted
            if one.database not in known
        ]
        if wrong:
            raise DeclarationError(wrong)
        for one in self._wanted:
            if self._known.get(one.path, ("", b""))[0] != one.query:
                self._known[one.path] = (one.query, self.databases.ask(one.database, one.query))
        answers = [DeclaredFile(one.path, self._known[one.path][1]) for one in self._wanted]
        return sorted([*files, *answers], key=lambda file: file.path)

    async def watch(self, changed: Callable[[], Awaitable[object]]) -> None:
        """Ask each query again when it is due and call `changed` after other answers came.

        A database that does not answer is told once; its last answer stays.
        """
        due = {one.path: self.clock() + one.refresh_s for one in self._wanted}
        while True:
            wanted = list(self._wanted)
            if not wanted:
                await asyncio.sleep(1.0)
                continue
            first = min(due.get(one.path, 0.0) for one in wanted)
            await asyncio.sleep(max(first - self.clock(), 0.05))
            is_new = False
            for one in wanted:
                if due.get(one.path, 0.0) <= self.clock():
                    due[one.path] = self.clock() + one.refresh_s
                    is_new = await self._ask(one) or is_new
            if is_new:
                await changed()

    async def _ask(self, one: Wanted) -> bool:
        """Ask one query again; answers whether the answer is another one."""
        try:
            answer = await asyncio.to_thread(self.databases.ask, one.database, one.query)
        except EnvironmentUnusable as error:
            if one.path not in self._silent:
                self._silent.add(one.path)
                log.warning("table-not-answered", table=one.table, reason=str(error))
            return False
        if one.path in self._silent:
            self._silent.discard(one.path)
            log.info("table-answered-again", table=one.table)
        if self._known.get(one.path) == (one.query, answer):
            return False
        self._known[one.path] = (one.query, answer)
        return True


def wanted_of(files: Sequence[DeclaredFile]) -> list[Wanted]:
    """The tables among declared files that name a query; wrong ones are left to the loader."""
    found: list[Wanted] = []
    for part in sort_files([file for file in files if _ASKS.search(file.raw)]).parts[Kind.TABLE]:
        document = read(part.file).document
        model = None if document is None else validate(TableModel, document)
        if document is None or not isinstance(model, TableModel):
            continue
        if model.sql is not None:
            asked = (model.sql.database, model.sql.query, model.sql.refresh, "sql")
        elif model.topic is not None:
            asked = (model.topic.database, model.topic.name, model.topic.refresh, "topic")
        else:
            continue
        database, query, refresh, key = asked
        path = (PurePosixPath(part.file.path).parent / f"{model.table}.answer").as_posix()
        at = document.at((key, "database"))
        found.append(Wanted(path, model.table, database, query, refresh / 1000, at))
    return found
