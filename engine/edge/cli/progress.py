"""How far long work has come: a bar with rate and remaining time on a terminal, else silence."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from engine.edge.cli.voice import voice


class _Rate(ProgressColumn):
    """Tests or records a second, over all of the run."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        if not task.elapsed:
            return Text("")
        return Text(
            voice().say("progress-rate", rate=f"{task.fields['things'] / task.elapsed:,.0f}")
        )


class Progress:
    """A bar on standard error; nothing at all where that is no terminal, or JSON is wanted."""

    def __init__(self, title: str, total: float | None, *, counted: bool = True) -> None:
        """Say what is done, and how many steps it has, if that is known."""
        self._bar: Bar | None = None
        self._things = 0
        if sys.stderr.isatty() and not voice().json:
            console = Console(file=sys.stderr)
            counts = (MofNCompleteColumn(), _Rate()) if counted else (_Rate(),)
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                *counts,
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total, things=0)

    def step(self, count: float = 1, things: int | None = None) -> None:
        """Note that some more is done; `things` are counted for the rate, if not the steps."""
        self._things += int(count) if things is None else things
        if self._bar is not None:
            self._bar.update(self._task, advance=count, things=self._things)

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
