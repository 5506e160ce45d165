"""A port for listed terminals: the list kept as its file says, and what a talk gathers."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.protocols import Garbled
from connectors.sources.door import DoorSource, Said, Talk
from connectors.sources.terminals import Register, Roll, TerminalOptions
from engine.ports import SourceContext

GARBAGE = 100
"""Frames in a row that are none: nobody who speaks the protocol is on this line."""


class GateSource(DoorSource):
    """The port, and the terminals that may call it."""

    def __init__(
        self,
        name: str,
        options: TerminalOptions,
        context: SourceContext,
        talk: Callable[[Register], Talk],
    ) -> None:
        """Prepare; `open` reads the list of terminals and listens."""
        super().__init__(name, options, context, self._answerer)
        self._about = options
        self._talk_with = talk
        self._roll: Roll | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        """Read who may call, then listen."""
        folder = Path(self.context.folder)
        self._roll = await asyncio.to_thread(Roll, self.name, self._about, folder)
        await super().open(resume)
        self._watching = asyncio.create_task(self._roll.watch(), name=f"roll-{self.name}")

    async def close(self) -> None:
        """Hang up on everybody; safe to call twice."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        await super().close()

    def _answerer(self) -> Talk:
        assert self._roll is not None  # noqa: S101 - `open` comes first
        return self._talk_with(self._roll.register)


@dataclass(slots=True)
class Told:
    """What comes of one read; the two answers differ in whether everything could be kept."""

    records: list[bytes] = field(default_factory=list)
    refused: list[tuple[str, str, bytes]] = field(default_factory=list)
    answer: list[bytes] = field(default_factory=list)
    sorry: list[bytes] = field(default_factory=list)
    whole: int = 0
    hangup: str = ""

    def say(self, answer: bytes) -> None:
        """Answer so, whether or not the rest could be kept."""
        self.answer.append(answer)
        self.sorry.append(answer)

    def said(self) -> Said:
        """All of it."""
        return Said(
            self.records, self.refused, b"".join(self.answer), b"".join(self.sorry),
            self.whole, self.hangup,
        )  # fmt: skip


class Wary:
    """Counts strangers and garbage of one connection, so that neither fills the dead letter."""

    def __init__(self, count: Callable[[str, int], None]) -> None:
        """Begin with none."""
        self._count = count
        self._strangers: set[str] = set()
        self._garbage = 0

    def good(self) -> None:
        """Something was understood."""
        self._garbage = 0

    def garbled(self, found: Garbled, told: Told) -> None:
        """Put aside what was not understood; hang up when it is nothing else."""
        self._garbage += 1
        told.refused.append(found)
        if self._garbage >= GARBAGE:
            told.hangup = "garbage"

    def stranger(self, why: str, who: str, what: str, told: Told) -> None:
        """Count it; of one terminal a connection puts one dead letter, which holds no code."""
        self._count(why, 1)
        if who not in self._strangers and len(self._strangers) < GARBAGE:
            self._strangers.add(who)
            told.refused.append((why, f"{who[:80]} {what}", b""))
