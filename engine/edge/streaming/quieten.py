"""Fewer log lines from the libraries: warnings up, and each sentence at most once a minute.

While a broker is away aiokafka and Faust log about a hundred lines a second between them.
"""

import logging
import time

EVERY_S = 60.0
TALKATIVE = ("faust", "mode", "aiokafka")


class OnceAMinute(logging.Filter):
    """Lets one record a minute pass for each place in the code that logs, and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record may be written."""
        place = (record.pathname, record.lineno)
        now = time.monotonic()
        if now - self._passed.get(place, -EVERY_S) < EVERY_S:
            self._held[place] = self._held.get(place, 0) + 1
            return False
        held = self._held.pop(place, 0)
        if held:
            record.msg = f"{record.msg} (and {held} more like it)"
        self._passed[place] = now
        return True


def quieten() -> None:
    """Put the filter on every handler through which the libraries speak."""
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        if not any(isinstance(known, _Gate) for known in logger.handlers):
            logger.addHandler(_Gate())
            logger.propagate = False


def silence() -> None:
    """Let the libraries say nothing: for commands that tell of every trouble themselves."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Gate(logging.Handler):
    """Hands on to the root's handlers what the filter lets pass; loggers below inherit it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(OnceAMinute())

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record to whatever the application set up."""
        logging.getLogger().handle(record)
