"""Alerts as lines for people on standard output."""

import asyncio
import sys
from collections.abc import Callable
from typing import Literal, TextIO

from pydantic import ConfigDict

from connectors.notice import Notice, read
from connectors.personal import ToPeople
from connectors.wording import one_line
from engine.errors import Retryable
from engine.model.formats import format_time
from engine.ports import SinkContext

_COLOURS = {"red": "31;1", "orange": "33;1", "yellow": "33", "blue": "34"}
_OUTPUT = "output"


class Options(ToPeople):
    """What may be declared about the console.

    Attributes:
        full: Whether fields and the playbook follow on lines of their own.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["console"] = "console"
    full: bool = False
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "ConsoleSink":
    """A sink that writes to standard output."""
    del context
    return ConsoleSink(name, options)


class ConsoleSink:
    """Writes each delivery as one line that a person reads; colours only on a terminal."""

    parallel = 1

    def __init__(
        self, name: str, options: Options, out: Callable[[], TextIO] = lambda: sys.stdout
    ) -> None:
        """Prepare; `out` is asked anew for each line."""
        self.name = name
        self._options = options
        self._out = out

    async def open(self) -> None:
        """Nothing has to be made ready."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Write one delivery; returns when it is out."""
        del attempt
        notice = read(body, self._options.lang, delivery_id, personal=self._options.personal)
        try:
            await asyncio.to_thread(self._write, notice)
        except (OSError, ValueError) as error:
            raise Retryable(_OUTPUT, str(error)) from error

    async def close(self) -> None:
        """Nothing is held."""

    def _write(self, notice: Notice) -> None:
        out = self._out()
        headline = one_line(notice.headline)
        if out.isatty() and notice.level:
            headline = f"\x1b[{_COLOURS[notice.level]}m{headline}\x1b[0m"
        at = format_time(notice.at_ms, lang=notice.lang) if notice.at_ms else "-"
        lines = [" ".join(part for part in (at, headline, one_line(notice.text)) if part)]
        if self._options.full:
            lines += [f"    {one_line(name)}: {one_line(value)}" for name, value in notice.fields]
            for heading, parts in notice.sections():
                lines.append(f"    {heading}:")
                lines += [f"      - {one_line(part)}" for part in parts]
            if notice.link:
                lines.append(f"    {one_line(notice.link)}")
        out.write("\n".join(lines) + "\n")
        out.flush()
