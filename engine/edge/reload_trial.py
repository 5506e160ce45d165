"""Checks edited declarations and runs their tests in a process of its own, beside the daemon.

The daemon's own work never waits for it, and whatever a bad file does to the check (memory, time)
happens elsewhere. The process stays for a while, because edits come in rows.

    daemon --files, what to test--> this process --problems--> daemon
"""

import asyncio
import os
import struct
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from engine.errors import Level, Location, Problem
from engine.ruleset.load import load_project
from engine.ruleset.loaded import LoadOptions
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.run import run_case

_LENGTH = struct.Struct(">Q")
_NICE = 10
_SETTINGS = Location("forewarn.yaml")
IDLE_S = 60.0
"""A process without work ends after this long and gives its memory back."""


class Order(msgspec.Struct):
    """What is to be checked.

    Attributes:
        today: The day against which nothing is judged but which packs may ask for (ISO).
        tests: Whether the rule tests are run.
        passed_over: Rules whose tests need not be run: nothing about them has changed.

    """

    files: list[tuple[str, bytes]]
    today: str
    tests: bool
    passed_over: list[str]


class Found(msgspec.Struct):
    """What came of it: problems of any level, and how many test cases were run."""

    problems: list[tuple[str, int, int, str, dict[str, Any], str, str, str]]
    cases: int = 0


def examine(order: Order) -> Found:
    """Load and check, then run the tests if all is well."""
    files = [DeclaredFile(path, raw) for path, raw in order.files]
    options = LoadOptions(today=date.fromisoformat(order.today), lint=False)
    loaded = load_project(files, options)
    problems, cases = [*loaded.problems], 0
    if loaded.project is not None and order.tests:
        failed, cases = _tested(loaded.project, frozenset(order.passed_over))
        problems += failed
    return Found([_plain(one) for one in problems if one.level is Level.ERROR], cases)


def _tested(project: Project, passed_over: Collection[str]) -> tuple[list[Problem], int]:
    """Every failing test as a problem, and how many cases there were."""
    problems: list[Problem] = []
    cases: list[Case] = []
    for document in project.tests.values():
        some, wrong = read_cases(document, project)
        cases += [case for case in some if not set(case.rules) <= set(passed_over)]
        problems += wrong
    for case in cases:
        result = run_case(case, project)
        if not result.passed:
            failures = result.verdict.failures
            at = failures[0].at if failures else case.at
            problems.append(Problem(at, "S120", {"name": case.name}))
    return problems, len(cases)


def _plain(one: Problem) -> tuple[str, int, int, str, dict[str, Any], str, str, str]:
    found = {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in one.found.items()
    }
    place = one.at
    return (
        place.file, place.line, place.column, one.code, found, one.nearest, str(one.level),
        one.excerpt,
    )  # fmt: skip


def _problem(plain: tuple[str, int, int, str, dict[str, Any], str, str, str]) -> Problem:
    file, line, column, code, found, near, level, excerpt = plain
    return Problem(Location(file, line, column), code, found, near, Level(level), excerpt)


class Trial:
    """The process that checks, as the daemon speaks to it."""

    def __init__(self, within_s: float) -> None:
        """Nothing is started before the first check."""
        self._within_s = within_s
        self._process: asyncio.subprocess.Process | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._ending: asyncio.Future[None] | None = None

    async def check(
        self, files: Sequence[DeclaredFile], *, tests: bool, passed_over: Collection[str]
    ) -> tuple[list[Problem], int]:
        """Every error of these files and their tests, and how many cases were run.

        A check that takes too long, or whose process dies, is an error too.
        """
        if self._resting is not None:
            self._resting.cancel()
        order = Order(
            [(file.path, file.raw) for file in files],
            datetime.now(UTC).date().isoformat(),
            tests,
            sorted(passed_over),
        )
        try:
            async with asyncio.timeout(self._within_s):
                found = await self._ask(order)
        except TimeoutError:
            await self.close()
            return [Problem(_SETTINGS, "S125", {"seconds": f"{self._within_s:g}"})], 0
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            await self.close()
            return [Problem(_SETTINGS, "S126")], 0
        loop = asyncio.get_running_loop()
        self._resting = loop.call_later(IDLE_S, self._end)
        return [_problem(plain) for plain in found.problems], found.cases

    async def close(self) -> None:
        """End the process; safe to call twice."""
        if self._resting is not None:
            self._resting.cancel()
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _end(self) -> None:
        self._ending = asyncio.ensure_future(self.close())

    async def _ask(self, order: Order) -> Found:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "engine.edge.reload_trial",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=_environment(os.environ), start_new_session=True, limit=1 << 24,
            )  # fmt: skip
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - it is a pipe
        assert told is not None  # noqa: S101 - so is this
        body = msgspec.msgpack.encode(order)
        asked.write(_LENGTH.pack(len(body)) + body)
        await asked.drain()
        (size,) = _LENGTH.unpack(await told.readexactly(_LENGTH.size))
        return msgspec.msgpack.decode(await told.readexactly(size), type=Found)


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The daemon's, with the place it was loaded from."""
    root = str(Path(__file__).parents[2])
    more = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": root if not more else f"{root}{os.pathsep}{more}"}


def serve(asked: BinaryIO, told: BinaryIO) -> None:
    """Answer orders until there are no more."""
    while head := asked.read(_LENGTH.size):
        (size,) = _LENGTH.unpack(head)
        order = msgspec.msgpack.decode(asked.read(size), type=Order)
        body = msgspec.msgpack.encode(examine(order))
        told.write(_LENGTH.pack(len(body)) + body)
        told.flush()


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
