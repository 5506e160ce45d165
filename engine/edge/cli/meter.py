"""How far a run over recordings has come: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from engine.edge.cli.voice import voice
from engine.model.formats import format_duration, format_time

EVERY_S = 5.0
"""Where standard error is no terminal, so often a line is written."""


class Meter:
    """Records, the event time reached, the rate and the time left, on standard error."""

    def __init__(self, title: str, total: int | None, zone: str) -> None:
        """Say what is done, and how many bytes there are to read, if that is known."""
        self._title, self._total, self._zone = title, total, zone
        self._records = self._bytes = 0
        self._begun = self._told = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[said]}"),
                TimeRemainingColumn(),
                console=Console(file=sys.stderr),
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total, said="")

    def step(self, size: int, records: int, reached_ms: int | None) -> None:
        """Note that so many bytes and records more are done, up to an event time (UTC ms)."""
        self._bytes += size
        self._records += records
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._bytes, said=self._said(now, reached_ms))
        elif now - self._told >= EVERY_S:
            self._told = now
            voice().note(f"{self._title}: {self._said(now, reached_ms)}{self._left(now)}")

    def _said(self, now: float, reached_ms: int | None) -> str:
        lang = voice().lang
        reached = "—" if reached_ms is None else format_time(reached_ms, self._zone, lang)
        rate = self._records / max(now - self._begun, 1e-3)
        words = {"records": f"{self._records:,}", "reached": reached, "rate": f"{rate:,.0f}"}
        return voice().say("bt-progress", **words)

    def _left(self, now: float) -> str:
        if not self._total or not self._bytes:
            return ""
        left_s = (now - self._begun) * max(self._total - self._bytes, 0) / self._bytes
        return voice().say("bt-left", left=format_duration(left_s * 1000, voice().lang))

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
