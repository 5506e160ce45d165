"""Logs: JSON for machines, plain lines on a terminal; repeats are counted, secrets cut out."""

import contextlib
import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

EVERY_S = 60.0
"""The same line from the same place is written at most so often; the rest are counted."""

_URL_SECRET = re.compile(r"(?i)([?&](?:key|token|secret|access_token|sign)=)[^&\s\"']+")
_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/@\s\"']+@")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+")
_SIGNING = re.compile(r"\b(?:whsec_[A-Za-z0-9+/=]+|fwt_[\w-]+)")
MASK = "***"

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": 40}


class Redactor:
    """Cuts known secrets, and what looks like one in a URL or header, out of every line."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` are the exact texts that must never be written."""
        self._secrets = sorted((text for text in secrets if len(text) > 3), key=len, reverse=True)  # noqa: PLR2004

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _URL_SECRET.sub(rf"\1{MASK}", text)
        text = _USER.sub(rf"\1{MASK}@", text)
        return _SIGNING.sub(MASK, _BEARER.sub(rf"\1{MASK}", text))

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        """Clean every text of an event, as a structlog processor."""
        return {
            key: self.clean(value) if isinstance(value, str) else value
            for key, value in event.items()
        }


class Calm:
    """Writes the first of equal warnings and, a minute later, how many more there were."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, every_s: float = EVERY_S
    ) -> None:
        """Begin with nothing seen."""
        self._clock, self._every_s = clock, every_s
        self._seen: dict[tuple[str, ...], tuple[float, int]] = {}

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        """Drop a repeat, as a structlog processor."""
        if method in ("info", "debug"):
            return event
        about = tuple(
            str(event.get(name, "")) for name in ("event", "sink", "source", "rule", "kind")
        )
        now, (since, dropped) = self._clock(), self._seen.get(about, (-self._every_s, 0))
        if now - since < self._every_s:
            self._seen[about] = (since, dropped + 1)
            raise structlog.DropEvent
        self._seen[about] = (now, 0)
        if len(self._seen) > 10_000:  # noqa: PLR2004 - bounds what is remembered
            self._seen.clear()
        return {**event, "repeats": dropped} if dropped else event


class Unstopping:
    """A stream whose full disk ends nobody who only wanted to write a line.

    What fits into the stream's own buffer is written when there is room again; the rest is lost.
    """

    def __init__(self, out: TextIO) -> None:
        """Write into `out`."""
        self._out = out

    def write(self, text: str) -> int:
        """Write it if it can be written."""
        with contextlib.suppress(OSError):
            self._out.write(text)
        return len(text)

    def flush(self) -> None:
        """Let out what was written, if it can be."""
        with contextlib.suppress(OSError):
            self._out.flush()


def set_up_logs(
    level: str = "info",
    form: str = "auto",
    secrets: Collection[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Log to standard error: readable on a terminal, JSON elsewhere or when asked."""
    out = sys.stderr if stream is None else stream
    as_json = form == "json" or (form == "auto" and not out.isatty())
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            Calm(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Redactor(secrets),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Unstopping(out))),
        cache_logger_on_first_use=False,
    )
